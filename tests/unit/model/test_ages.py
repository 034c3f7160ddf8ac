import pytest

from rollouts.model.ages import short_age


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"), (119, "119s"), (120, "2m"), (330, "5m30s"), (3600, "60m"), (4 * 3600, "4h"),
        (4 * 3600 + 60, "4h1m"), (10 * 3600, "10h"), (50 * 3600, "2d2h"), (20 * 86400, "20d"),
        (800 * 86400, "2y70d"), (-5, "<invalid>"),
    ],
)  # fmt: skip
def test_ages(seconds: float, text: str) -> None:
    assert short_age(seconds) == text
