import random

import pytest

from rollouts.backoff import Backoff

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
