"""The clock of the analysis, on counters that the test scrapes and a clock that it moves."""

from dataclasses import replace
from datetime import timedelta

from rollouts.errors import Permanent, Unavailable
from rollouts.model.evidence import Counts
from tests.unit.analysis.bench import ERRORS, KEY, QUERY, Bench, settle


async def test_only_requests_since_the_exposure_count(bench: Bench) -> None:
    bench.serve("stable", 1000)
    bench.serve("canary", 500, "500")  # of an earlier release: the series stays, flat
    await bench.wait(20)
    bench.expose()
    bench.serve("stable", 75)
    bench.serve("canary", 20)
    bench.serve("canary", 5, "503")  # a new series: its first failures count
    await bench.wait(15)

    assert bench.measured().canary == Counts(25, 5)
    assert bench.measured().stable == Counts(75, 0)
    assert bench.measured().value == 0.2
    assert bench.latest.canary == Counts(25, 5)
    assert bench.rounds == [KEY]


async def test_rounds_go_on_and_add_up(bench: Bench) -> None:
    await bench.wait(20)
    bench.expose()
    for _ in range(8):
        bench.serve("canary", 10)
        await bench.wait(15)

    assert bench.measured().canary == Counts(80, 0)
    assert len(bench.rounds) == 8


async def test_a_controller_pod_that_restarts_loses_nothing(bench: Bench) -> None:
    bench.serve("canary", 100)
    await bench.wait(20)
    bench.expose()
    bench.serve("canary", 30)
    await bench.wait(15)
    bench.metrics.reset()
    bench.serve("canary", 7)
    await bench.wait(15)

    assert bench.measured().canary == Counts(37, 0)


async def test_a_gap_in_the_scrapes_loses_nothing(bench: Bench) -> None:
    bench.serve("canary", 1)
    await bench.wait(20)
    bench.expose()
    await bench.wait(15)
    bench.serve("canary", 50)
    await bench.wait(30, scraping=False)
    bench.serve("canary", 9, "500")
    await bench.wait(15)

    assert bench.measured().canary == Counts(59, 9)


async def test_scrapes_count_where_nobody_asks_for_anything(bench: Bench) -> None:
    """No traffic is not the same as no measurement: the releases of an idle service go on."""
    await bench.wait(20)
    bench.expose()
    await bench.wait(15)
    assert bench.latest.seen_at == bench.latest.at
    assert bench.measured().canary == Counts(0, 0)


async def test_a_source_that_does_not_answer_is_an_error_and_forgets_nothing(bench: Bench) -> None:
    await bench.wait(20)
    bench.expose()
    bench.serve("canary", 10)
    await bench.wait(15)
    bench.metrics.failures = [Unavailable("Prometheus can't be reached")]
    bench.serve("canary", 10)
    await bench.wait(15)

    assert bench.measured().error == "Prometheus can't be reached"
    assert bench.latest.canary == Counts(10, 0)
    assert bench.latest.served_percent is None
    await bench.wait(15)
    assert bench.measured().error == ""
    assert bench.measured().canary == Counts(20, 0)


async def test_a_source_that_raises_a_bug_does_not_end_the_rounds(bench: Bench) -> None:
    await bench.wait(20)
    bench.expose()
    await settle()
    bench.metrics.failures = [KeyError("data")]
    bench.serve("canary", 10)
    await bench.wait(15)
    assert "KeyError" in bench.measured().error

    await bench.wait(15)

    assert bench.measured().canary == Counts(10, 0)


async def test_the_served_share_is_that_since_the_weight_was_applied(bench: Bench) -> None:
    bench.serve("stable", 1000)
    await bench.wait(20)
    bench.expose()
    bench.serve("stable", 100)
    await bench.wait(15)
    bench.serve("stable", 50)  # which the next scrape shows, when the weight is in force
    bench.monitor.follow(replace(bench.target, applied_at=bench.clock.now()))
    await bench.wait(5)
    bench.serve("stable", 60)
    bench.serve("canary", 20)
    await bench.wait(15)

    assert bench.latest.served_percent == 25.0
    assert bench.latest.stable == Counts(210, 0)


async def test_a_query_is_filled_in_and_asked() -> None:
    bench = Bench(QUERY)
    filled = 'sales{hash="canaryhash",n="shop"}'
    bench.expose()
    bench.metrics.answers[filled] = 3.0
    await bench.wait(15)
    assert bench.measured("sales").value == 3.0

    bench.metrics.answers[filled] = None
    await bench.wait(15)
    assert bench.measured("sales").value is None
    assert bench.measured("sales").error == ""

    bench.metrics.answers[filled] = float("nan")
    await bench.wait(15)
    assert bench.measured("sales").value is None

    bench.metrics.answers[filled] = Permanent("parse error")
    await bench.wait(15)
    assert bench.measured("sales").error == "parse error"
    await bench.monitor.close()


async def test_each_criterion_has_its_own_interval() -> None:
    bench = Bench({**ERRORS, "interval": 5}, {**QUERY, "interval": "30s"})
    bench.expose()
    await bench.wait(60)

    assert len(bench.rounds) == 12
    assert sum("sales" in asked for asked in bench.metrics.asked) == 2
    assert bench.latest.measurements.keys() == {"errors", "sales"}
    await bench.monitor.close()


async def test_another_exposure_starts_from_nothing(bench: Bench) -> None:
    await bench.wait(20)
    bench.expose()
    bench.serve("canary", 10, "500")
    await bench.wait(15)
    bench.target = replace(bench.target, exposed_at=bench.clock.now() + timedelta(seconds=1))
    bench.monitor.follow(bench.target)

    assert bench.monitor.latest(KEY) is None
    bench.serve("canary", 3)
    await bench.wait(20)

    assert bench.latest.canary == Counts(3, 0)


async def test_what_is_forgotten_is_not_measured(bench: Bench) -> None:
    bench.expose()
    await bench.wait(15)
    bench.monitor.forget(KEY)
    bench.rounds.clear()

    await bench.wait(60)

    assert bench.rounds == []
    assert bench.monitor.latest(KEY) is None
