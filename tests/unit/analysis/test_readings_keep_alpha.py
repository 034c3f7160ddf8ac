"""By simulation: readings stop good releases no more often than alpha, and bad ones sooner."""

from bench.readings import Kind, releases

ALPHA = 0.05


def test_a_release_exactly_at_its_limit_is_stopped_no_more_often_than_alpha() -> None:
    kind = Kind(fails=0.05, limit=0.05, alpha=ALPHA, rate=10, scrape_seconds=15, seconds=60)
    _, read = releases(kind, runs=40, seed=1)
    assert read.share <= ALPHA


def test_a_bad_release_is_stopped_in_seconds_and_not_after_the_next_scrape() -> None:
    alone, read = releases(Kind(fails=0.15), runs=40, seed=2)
    assert read.share == 1.0
    assert sorted(read.seconds)[20] <= 7
    assert sorted(read.seconds)[37] <= 16
    assert sorted(alone.seconds)[20] > 15
