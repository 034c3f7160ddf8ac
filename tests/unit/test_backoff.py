import random
from datetime import UTC, datetime

import pytest

from rollouts.backoff import Backoff, retry_after_seconds

PLAIN = Backoff(0.5, 30.0, jitter=0)


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 0.5), (2, 1.0), (3, 2.0), (7, 30.0), (10_000, 30.0)]
)
def test_a_wait_doubles_with_each_failure_up_to_the_longest(failures: int, seconds: float) -> None:
    assert PLAIN.delay(failures) == seconds


def test_chance_takes_a_share_of_a_wait_and_never_more() -> None:
    source = random.Random(1)
    waits = [Backoff(8.0, 8.0, jitter=0.25).delay(1, source) for _ in range(1000)]
    assert 6.0 <= min(waits) < 6.1
    assert 7.9 < max(waits) <= 8.0


@pytest.mark.parametrize(("asked", "seconds"), [(None, 0.5), (0.1, 0.5), (7.0, 7.0), (900.0, 30.0)])
def test_what_the_other_side_asks_for_is_obeyed_up_to_the_longest(
    asked: float | None, seconds: float
) -> None:
    assert PLAIN.delay(1, at_least_seconds=asked) == seconds


NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("Mon, 30 Nov 2026 12:02:00 GMT", 120.0),
        ("Monday, 30-Nov-26 12:02:00 GMT", 120.0),
        ("Mon Nov 30 12:02:00 2026", 120.0),
        ("Mon, 30 Nov 2026 11:59:00 GMT", 0.0),
        ("1.5", None),
        ("-1", None),
        ("inf", None),
        ("²", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_a_number_of_seconds_or_a_date(
    header: str | None, seconds: float | None
) -> None:
    assert retry_after_seconds(header, now=NOW) == seconds
