"""The threshold judge on counters: of the last requests only, and of those at the present weight."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from rollouts.judge import judge
from rollouts.model.evidence import Counts, RecentCounts
from tests.unit.analysis.harness import Harness, settle

PLAIN = {"name": "plain", "errorRate": {"max": "1%"}, "judge": "threshold", "minRequests": 10}
SLOW = {
    "name": "slow",
    "latency": {"quantile": 0.9, "max": "400ms"},
    "judge": "threshold",
    "window": "30s",
    "minRequests": 40,
}


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    made = Harness(PLAIN, SLOW)
    made.slow("canary", 1, 0.01)
    await made.wait(20)
    made.expose()
    yield made
    await made.monitor.close()


async def serving(harness: Harness, seconds: int, status: str = "200") -> None:
    for _ in range(seconds // 5):
        harness.serve("canary", 10, status)
        await harness.wait(5)


async def test_a_total_failure_after_a_good_day_is_found_by_as_many_measurements_as_are_said(
    harness: Harness,
) -> None:
    await serving(harness, 3600)
    (criterion, _) = harness.target.spec.success_criteria
    found = judge(criterion, harness.measured("plain"), None)
    verdicts = [found.verdict]
    for _ in range(criterion.failure_limit + 1):
        await serving(harness, 15, "500")
        found = judge(criterion, harness.measured("plain"), found)
        verdicts.append(found.verdict)
    assert verdicts == ["pass", "inconclusive", "inconclusive", "fail"]


async def test_a_value_is_of_the_last_requests_also_for_a_new_controller(harness: Harness) -> None:
    await serving(harness, 300)
    await serving(harness, 30, "500")
    before = harness.measured("plain")
    assert before.recent == RecentCounts(60, Counts(120, 60), None)
    assert (before.value, before.canary) == (0.5, Counts(660, 60))
    await harness.monitor.close()

    harness.monitor = harness.new_monitor()
    harness.monitor.follow(harness.target)
    await settle()
    assert harness.measured("plain").recent == before.recent
    await serving(harness, 60)
    assert harness.measured("plain").recent == RecentCounts(60, Counts(120, 0), None)


async def test_a_window_that_is_changed_knows_what_was_before(harness: Harness) -> None:
    await serving(harness, 300)
    plain, slow = harness.target.spec.success_criteria
    wider = plain.model_copy(update={"window": 120.0})
    spec = harness.target.spec.model_copy(update={"success_criteria": [wider, slow]})
    harness.monitor.follow(replace(harness.target, spec=spec))
    await serving(harness, 15)
    assert harness.measured("plain").recent == RecentCounts(120, Counts(240, 0), None)
    assert harness.measured("plain").canary == Counts(630, 0)


async def test_slow_requests_are_those_of_the_window(harness: Harness) -> None:
    harness.slow("canary", 500, 0.05)
    await harness.wait(60)
    harness.slow("canary", 40, 0.7)
    await harness.wait(15)
    found = harness.measured("slow")
    assert found.recent == RecentCounts(30, Counts(40, 40), None)
    assert found.canary == Counts(540, 40)
    assert found.value == pytest.approx(0.95)


async def test_a_window_is_never_shorter_than_the_scrapes_are_apart() -> None:
    harness = Harness({**PLAIN, "window": "30s"})
    harness.serve("canary", 1)
    for _ in range(6):
        await harness.wait(55, scraping=False)
        await harness.wait(5)
        harness.serve("canary", 10)
        if harness.monitor.latest(harness.target.key) is None:
            harness.expose()
    assert harness.measured("plain").recent == RecentCounts(60, Counts(10, 0), None)
    await harness.monitor.close()


async def test_little_traffic_is_judged_by_its_last_requests(harness: Harness) -> None:
    for number in range(12):
        harness.serve("canary", 1, "500" if number >= 6 else "200")
        await harness.wait(30)
    found = harness.measured("plain")
    assert found.recent is not None
    assert found.recent.canary == Counts(10, 6)
    assert found.recent.seconds == pytest.approx(300, abs=5)
    before = found.recent
    await harness.monitor.close()

    harness.monitor = harness.new_monitor()
    harness.monitor.follow(harness.target)
    await settle()
    assert harness.measured("plain").recent == before

    harness.serve("canary", 50)  # enough within the window
    await harness.wait(15)
    assert harness.measured("plain").recent == RecentCounts(60, Counts(51, 1), None)


async def test_fewer_requests_than_are_needed_are_all_there_are(harness: Harness) -> None:
    harness.serve("canary", 3, "500")
    await harness.wait(300)
    found = harness.measured("plain").recent
    assert found is not None
    assert found.canary == Counts(3, 3)
    assert found.seconds == pytest.approx(300, abs=15)
