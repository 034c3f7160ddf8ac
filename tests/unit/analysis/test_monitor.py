"""The clock of the analysis, on counters that the test scrapes and a clock that it moves."""

from dataclasses import replace
from datetime import timedelta

from rollouts.errors import Permanent, Unavailable
from rollouts.model.evidence import Counts
from tests.unit.analysis.harness import ERRORS, KEY, QUERY, Harness, settle


async def test_only_requests_since_the_exposure_count(harness: Harness) -> None:
    harness.serve("stable", 1000)
    harness.serve("canary", 500, "500")  # of an earlier release: the series stays, flat
    await harness.wait(20)
    harness.expose()
    harness.serve("stable", 75)
    harness.serve("canary", 20)
    harness.serve("canary", 5, "503")  # a new series: its first failures count
    await harness.wait(15)

    assert harness.measured().canary == Counts(25, 5)
    assert harness.measured().stable == Counts(75, 0)
    assert harness.measured().value == 0.2
    assert harness.latest.canary == Counts(25, 5)
    assert harness.rounds == [KEY]


async def test_rounds_go_on_and_add_up(harness: Harness) -> None:
    await harness.wait(20)
    harness.expose()
    for _ in range(8):
        harness.serve("canary", 10)
        await harness.wait(15)

    assert harness.measured().canary == Counts(80, 0)
    assert len(harness.rounds) == 8


async def test_a_controller_pod_that_restarts_loses_nothing(harness: Harness) -> None:
    harness.serve("canary", 100)
    await harness.wait(20)
    harness.expose()
    harness.serve("canary", 30)
    await harness.wait(15)
    harness.metrics.reset()
    harness.serve("canary", 7)
    await harness.wait(15)

    assert harness.measured().canary == Counts(37, 0)


async def test_a_gap_in_the_scrapes_loses_nothing(harness: Harness) -> None:
    harness.serve("canary", 1)
    await harness.wait(20)
    harness.expose()
    await harness.wait(15)
    harness.serve("canary", 50)
    await harness.wait(30, scraping=False)
    harness.serve("canary", 9, "500")
    await harness.wait(15)

    assert harness.measured().canary == Counts(59, 9)


async def test_scrapes_count_where_nobody_asks_for_anything(harness: Harness) -> None:
    """No traffic is not the same as no measurement: the releases of an idle service go on."""
    await harness.wait(20)
    harness.expose()
    await harness.wait(15)
    assert harness.latest.seen_at == harness.latest.at
    assert harness.measured().canary == Counts(0, 0)


async def test_a_source_that_does_not_answer_is_an_error_and_forgets_nothing(
    harness: Harness,
) -> None:
    await harness.wait(20)
    harness.expose()
    harness.serve("canary", 10)
    await harness.wait(15)
    harness.metrics.failures = [Unavailable("Prometheus can't be reached")]
    harness.serve("canary", 10)
    await harness.wait(15)

    assert harness.measured().error == "Prometheus can't be reached"
    assert harness.latest.canary == Counts(10, 0)
    assert harness.latest.served_percent is None
    await harness.wait(15)
    assert harness.measured().error == ""
    assert harness.measured().canary == Counts(20, 0)


async def test_a_source_that_raises_a_bug_does_not_end_the_rounds(harness: Harness) -> None:
    await harness.wait(20)
    harness.expose()
    await settle()
    harness.metrics.failures = [KeyError("data")]
    harness.serve("canary", 10)
    await harness.wait(15)
    assert "KeyError" in harness.measured().error

    await harness.wait(15)

    assert harness.measured().canary == Counts(10, 0)


async def test_the_served_share_is_that_since_the_weight_was_applied(harness: Harness) -> None:
    harness.serve("stable", 1000)
    await harness.wait(20)
    harness.expose()
    harness.serve("stable", 100)
    await harness.wait(15)
    harness.serve("stable", 50)  # which the next scrape shows, when the weight is in force
    harness.monitor.follow(replace(harness.target, applied_at=harness.clock.now()))
    await harness.wait(5)
    harness.serve("stable", 60)
    harness.serve("canary", 20)
    await harness.wait(15)

    assert harness.latest.served_percent == 25.0
    assert harness.latest.stable == Counts(210, 0)


async def test_a_query_is_filled_in_and_asked() -> None:
    harness = Harness(QUERY)
    filled = 'sales{hash="canaryhash",n="shop"}'
    harness.expose()
    harness.metrics.answers[filled] = 3.0
    await harness.wait(15)
    assert harness.measured("sales").value == 3.0

    harness.metrics.answers[filled] = None
    await harness.wait(15)
    assert harness.measured("sales").value is None
    assert harness.measured("sales").error == ""

    harness.metrics.answers[filled] = float("nan")
    await harness.wait(15)
    assert harness.measured("sales").value is None

    harness.metrics.answers[filled] = Permanent("parse error")
    await harness.wait(15)
    assert harness.measured("sales").error == "parse error"
    await harness.monitor.close()


async def test_each_criterion_has_its_own_interval() -> None:
    harness = Harness({**ERRORS, "interval": 5}, {**QUERY, "interval": "30s"})
    harness.expose()
    await harness.wait(60)

    assert len(harness.rounds) == 12
    assert sum("sales" in asked for asked in harness.metrics.asked) == 2
    assert harness.latest.measurements.keys() == {"errors", "sales"}
    await harness.monitor.close()


async def test_another_exposure_starts_from_nothing(harness: Harness) -> None:
    await harness.wait(20)
    harness.expose()
    harness.serve("canary", 10, "500")
    await harness.wait(15)
    harness.target = replace(harness.target, exposed_at=harness.clock.now() + timedelta(seconds=1))
    harness.monitor.follow(harness.target)

    assert harness.monitor.latest(KEY) is None
    harness.serve("canary", 3)
    await harness.wait(20)

    assert harness.latest.canary == Counts(3, 0)


async def test_what_is_forgotten_is_not_measured(harness: Harness) -> None:
    harness.expose()
    await harness.wait(15)
    harness.monitor.forget(KEY)
    harness.rounds.clear()

    await harness.wait(60)

    assert harness.rounds == []
    assert harness.monitor.latest(KEY) is None
