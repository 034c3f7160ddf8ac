import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.judge.counters import Counter, CounterStart, advance, boundary, quantile, reset_times

SINCE = 100.0
BORN, MET = CounterStart(SINCE, from_zero=True), CounterStart(SINCE)
steps = st.lists(st.tuples(st.integers(0, 50), st.booleans()), min_size=1, max_size=40)
Moves = list[tuple[int, bool]]


def history(moves: Moves) -> tuple[list[tuple[float, float]], float]:
    """
    Return the samples of a counter, one for each move, and what was added after SINCE.

    A move adds something, in some of them after the exporter has started again; the new
    value is then less than the old one, for otherwise nobody could tell.
    """
    at, value, added_since = SINCE - 10.0, 7.0, 0.0
    samples = [(at, value)]
    for added, restarts in moves:
        at += 5.0
        after = added % value if restarts and value > 0 else value + added
        added_since += (after if after < value else after - value) if at > SINCE else 0.0
        value = after
        samples.append((at, value))
    return samples, added_since


@given(steps)
def test_what_was_added_is_counted_through_restarts(moves: Moves) -> None:
    samples, really = history(moves)

    counter = advance(None, samples, MET)

    assert counter is not None
    assert counter.total == really


@given(steps, st.data())
def test_a_gap_changes_nothing_for_a_counter_that_goes_on(
    moves: Moves, data: st.DataObject
) -> None:
    samples, really = history([(added, False) for added, _ in moves])
    inner = [sample for sample in samples[1:-1] if sample[0] != SINCE]
    kept = [sample for sample in inner if data.draw(st.booleans())]
    edges = [samples[0], samples[-1], *(sample for sample in samples if sample[0] == SINCE)]

    counter = advance(None, [*kept, *edges], MET)

    assert counter is not None
    assert counter.total == really


@given(steps, st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_matters(moves: Moves, shuffler: random.Random) -> None:
    samples, _ = history(moves)
    mixed = samples * 2
    shuffler.shuffle(mixed)

    assert advance(None, mixed, BORN) == advance(None, samples, BORN)


@given(steps, st.integers(1, 10), st.integers(0, 4))
def test_reading_piece_by_piece_is_reading_at_once(moves: Moves, size: int, overlap: int) -> None:
    samples, _ = history(moves)
    whole = advance(None, samples, BORN)

    counter: Counter | None = None
    for start in range(0, len(samples), size):
        piece = samples[max(0, start - overlap) : start + size]
        counter = advance(counter, piece, BORN)

    assert counter == whole


def test_a_series_that_is_born_after_the_moment_counts_in_full() -> None:
    counter = advance(None, [(105, 3.0), (110, 5.0)], BORN)

    assert counter == Counter(110, 5.0, 5.0)


def test_a_series_of_which_nothing_is_known_counts_from_its_first_sample() -> None:
    counter = advance(None, [(105, 3.0), (110, 5.0)], MET)

    assert counter == Counter(110, 5.0, 2.0)


def test_a_reset_adds_the_new_value() -> None:
    counter = advance(None, [(99, 50.0), (105, 60.0), (110, 4.0)], BORN)

    assert counter == Counter(110, 4.0, 14.0)


def test_only_the_last_sample_before_the_moment_is_the_beginning() -> None:
    samples = [(80.0, 90.0), (90.0, 1.0), (100.0, 2.0), (110.0, 5.0)]

    assert advance(None, samples, BORN) == Counter(110, 5.0, 3.0)


def test_what_goes_with_a_series_that_fell_began_anew_with_it() -> None:
    """A histogram that began anew: its sum fell, and one bucket is above what it was."""
    everything, quick = [(99.0, 50.0), (105.0, 40.0)], [(99.0, 10.0), (105.0, 30.0)]
    resets = reset_times(None, everything)

    assert resets == {105.0}
    assert reset_times(Counter(99.0, 50.0), [(105.0, 40.0)]) == resets
    assert advance(None, quick, CounterStart(SINCE, resets=resets)) == Counter(105.0, 30.0, 30.0)


@pytest.mark.parametrize("nonsense", [math.nan, math.inf, -math.inf])
def test_values_that_are_no_number_change_nothing(nonsense: float) -> None:
    samples = [(99, 1.0), (105, nonsense), (110, 3.0)]

    assert advance(None, samples, BORN) == Counter(110, 3.0, 2.0)


def test_no_samples_are_no_counter() -> None:
    assert advance(None, [], BORN) is None


BUCKETS = {0.1: 50.0, 0.5: 90.0, 1.0: 100.0, math.inf: 100.0}


@pytest.mark.parametrize(
    ("q", "expected"), [(0.25, 0.05), (0.5, 0.1), (0.7, 0.3), (0.95, 0.75), (1.0, 1.0)]
)
def test_a_quantile_lies_between_the_bounds_of_its_bucket(q: float, expected: float) -> None:
    assert quantile(q, BUCKETS) == pytest.approx(expected)


def test_beyond_the_last_bound_a_quantile_is_that_bound() -> None:
    assert quantile(0.99, {0.1: 1.0, math.inf: 100.0}) == 0.1


@pytest.mark.parametrize(
    "buckets", [{}, {math.inf: 3.0}, {0.1: 0.0, math.inf: 0.0}, {0.1: 3.0, 0.5: 3.0}]
)
def test_without_data_there_is_no_quantile(buckets: dict[float, float]) -> None:
    assert quantile(0.5, buckets) is None


def test_the_boundary_is_the_next_bound_above() -> None:
    bounds = [0.1, 0.5, 1.0, math.inf]

    assert boundary(bounds, 0.5) == 0.5
    assert boundary(bounds, 0.3) == 0.5
    assert boundary(bounds, 2.0) is None
