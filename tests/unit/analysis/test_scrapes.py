"""How far apart scrapes are, whatever else is among the samples."""

from collections.abc import Sequence

import pytest

from rollouts.analysis.scrapes import ScrapeInterval
from rollouts.ports import Series

EVEN = [float(at) for at in range(0, 600, 60)]


def series(times: Sequence[float], name: str = "a", values: Sequence[float] = ()) -> Series:
    counted = values or [at + 1 for at in times]
    return Series({"name": name}, tuple(zip(times, counted, strict=True)))


def measured(*reads: Sequence[Series]) -> float:
    interval = ScrapeInterval()
    for read in reads:
        interval.note(read)
    return interval.seconds


def test_it_is_that_of_the_samples() -> None:
    assert measured([series(EVEN)]) == 60


def test_nobody_knows_from_one_sample() -> None:
    assert measured([], [series([]), series([60.0], "b")]) == 0


def test_it_is_remembered_over_reads_that_hold_one_sample_each() -> None:
    assert measured(*([series([at])] for at in EVEN[:3])) == 60
    assert measured([series(EVEN)], [], [series([])], [series([9999.0])]) == 60


def test_what_was_read_before_is_not_another_scrape() -> None:
    assert measured([series(EVEN[:4])], [series(EVEN[2:6])], [series(EVEN[2:6])]) == 60


def test_a_scrape_that_failed_is_an_exception() -> None:
    assert measured([series([0, 60, 120, 240, 300])]) == 60


@pytest.mark.parametrize("times", [[55.0, 60.0], [35.0, 60.0, 120.0], [58.0, 60.0, 120.0, 180.0]])
def test_the_zero_at_a_counters_creation_is_no_scrape(times: list[float]) -> None:
    """Prometheus makes it up with `created-timestamp-zero-ingestion`."""
    values = [0.0, *times[1:]]
    assert measured([series(times, values=values)]) in (0, 60)


def test_the_zero_of_a_restart_is_no_scrape() -> None:
    times, values = [0.0, 60.0, 61.0, 120.0, 121.0, 180.0], [5.0, 9.0, 0.0, 4.0, 0.0, 3.0]
    assert measured([series(times, values=values)]) == 60


def test_a_counter_that_stays_zero_tells_as_well() -> None:
    assert measured([series(EVEN, values=[0.0] * len(EVEN))]) == 60


def test_two_processes_that_are_scraped_in_turn_are_two() -> None:
    other = series([at + 7 for at in EVEN], "b")
    assert measured([series(EVEN), other]) == 60


def test_a_series_that_is_gone_tells_nothing_of_later() -> None:
    old = series([float(at) for at in range(0, 60, 5)], "old")
    new = [float(at) for at in range(300, 600, 60)]
    assert measured([old], [old, series(new, "new")]) == 60
