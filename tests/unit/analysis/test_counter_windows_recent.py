"""The threshold judge on counters: of the last requests only, and of those at the present weight."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from rollouts.judge import judge
from rollouts.model.evidence import Counts, Recent
from tests.unit.analysis.bench import Bench, settle

PLAIN = {"name": "plain", "errorRate": {"max": "1%"}, "judge": "threshold", "minRequests": 10}
SLOW = {
    "name": "slow",
    "latency": {"quantile": 0.9, "max": "400ms"},
    "judge": "threshold",
    "window": "30s",
    "minRequests": 40,
}


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench(PLAIN, SLOW)
    made.slow("canary", 1, 0.01)
    await made.wait(20)
    made.expose()
    yield made
    await made.monitor.close()


async def serving(bench: Bench, seconds: int, status: str = "200") -> None:
    for _ in range(seconds // 5):
        bench.serve("canary", 10, status)
        await bench.wait(5)


async def test_a_total_failure_after_a_good_day_is_found_by_as_many_measurements_as_are_said(
    bench: Bench,
) -> None:
    await serving(bench, 3600)
    (criterion, _) = bench.target.spec.success_criteria
    found = judge(criterion, bench.measured("plain"), None)
    verdicts = [found.verdict]
    for _ in range(criterion.failure_limit + 1):
        await serving(bench, 15, "500")
        found = judge(criterion, bench.measured("plain"), found)
        verdicts.append(found.verdict)
    assert verdicts == ["pass", "inconclusive", "inconclusive", "fail"]


async def test_a_value_is_of_the_last_requests_also_for_a_new_controller(bench: Bench) -> None:
    await serving(bench, 300)
    await serving(bench, 30, "500")
    before = bench.measured("plain")
    assert before.recent == Recent(60, Counts(120, 60), None)
    assert (before.value, before.canary) == (0.5, Counts(660, 60))
    await bench.monitor.close()

    bench.monitor = bench.new_monitor()
    bench.monitor.follow(bench.target)
    await settle()
    assert bench.measured("plain").recent == before.recent
    await serving(bench, 60)
    assert bench.measured("plain").recent == Recent(60, Counts(120, 0), None)


async def test_a_window_that_is_changed_knows_what_was_before(bench: Bench) -> None:
    await serving(bench, 300)
    plain, slow = bench.target.spec.success_criteria
    wider = plain.model_copy(update={"window": 120.0})
    spec = bench.target.spec.model_copy(update={"success_criteria": [wider, slow]})
    bench.monitor.follow(replace(bench.target, spec=spec))
    await serving(bench, 15)
    assert bench.measured("plain").recent == Recent(120, Counts(240, 0), None)
    assert bench.measured("plain").canary == Counts(630, 0)


async def test_slow_requests_are_those_of_the_window(bench: Bench) -> None:
    bench.slow("canary", 500, 0.05)
    await bench.wait(60)
    bench.slow("canary", 40, 0.7)
    await bench.wait(15)
    found = bench.measured("slow")
    assert found.recent == Recent(30, Counts(40, 40), None)
    assert found.canary == Counts(540, 40)
    assert found.value == pytest.approx(0.95)


async def test_a_window_is_never_shorter_than_the_scrapes_are_apart() -> None:
    bench = Bench({**PLAIN, "window": "30s"})
    bench.serve("canary", 1)
    for _ in range(6):
        await bench.wait(55, scraping=False)
        await bench.wait(5)
        bench.serve("canary", 10)
        if bench.monitor.latest(bench.target.key) is None:
            bench.expose()
    assert bench.measured("plain").recent == Recent(60, Counts(10, 0), None)
    await bench.monitor.close()


async def test_little_traffic_is_judged_by_its_last_requests(bench: Bench) -> None:
    for number in range(12):
        bench.serve("canary", 1, "500" if number >= 6 else "200")
        await bench.wait(30)
    found = bench.measured("plain")
    assert found.recent is not None
    assert found.recent.canary == Counts(10, 6)
    assert found.recent.seconds == pytest.approx(300, abs=5)
    before = found.recent
    await bench.monitor.close()

    bench.monitor = bench.new_monitor()
    bench.monitor.follow(bench.target)
    await settle()
    assert bench.measured("plain").recent == before

    bench.serve("canary", 50)  # enough within the window
    await bench.wait(15)
    assert bench.measured("plain").recent == Recent(60, Counts(51, 1), None)


async def test_fewer_requests_than_are_needed_are_all_there_are(bench: Bench) -> None:
    bench.serve("canary", 3, "500")
    await bench.wait(300)
    found = bench.measured("plain").recent
    assert found is not None
    assert found.canary == Counts(3, 3)
    assert found.seconds == pytest.approx(300, abs=15)
