"""What the pods themselves show between two scrapes, and what that may do."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rollouts.analysis.evidence import weigh
from rollouts.analysis.monitor import Monitor
from rollouts.controller.metrics import ControllerMetrics
from rollouts.model.evidence import Evidence
from rollouts.model.kinds import JSON
from rollouts.model.status import CriterionStatus, Readings, RolloutStatus
from rollouts.ports import MetricsPage
from tests.fakes.pages import FakePages
from tests.unit.analysis.app_harness import KEY, AppHarness
from tests.unit.analysis.harness import ERRORS, settle

SLOW = {"name": "slow", "latency": {"quantile": 0.9, "max": "500ms"}}
STARTED = "process_start_time_seconds"


class ReadHarness(AppHarness):
    """Pods that are scraped when a test says so, and read every second."""

    def __init__(self, *criteria: JSON, per_second: float = 200.0, **spec: Any) -> None:
        super().__init__(*criteria, **spec)
        self.pages = FakePages(self.metrics)
        self.rounds = 0
        self.monitor = Monitor(
            replace(self.metrics.sources, pages=self.pages, readings_per_second=per_second),
            self.clock,
            ControllerMetrics(),
            self._measured,
            interval_seconds=30,
        )

    def _measured(self, _: object) -> None:
        self.rounds += 1

    def page(self, number: int = 1, *, age: float = -1.0) -> MetricsPage:
        pod = self.pod("canary", number)
        labels = {"namespace": pod["namespace"], "pod": pod["pod"]}
        created = self.target.exposed_at - timedelta(seconds=age)
        return MetricsPage(f"http://10.0.0.{number}/metrics", labels, created)

    async def exposes(self, pods: int = 1, *, age: float = -1.0) -> None:
        """Begin, with so many pods of the canary that were created so long before."""
        await self.expose()
        for number in range(1, pods + 1):
            self.begin("canary", number)
            self.serve("canary", 0, number=number)
        self.target = replace(self.target, exposed_at=self.clock.now())
        pages = tuple(self.page(number, age=age) for number in range(1, pods + 1))
        self.follow(pages=pages, pods=pods, weight_percent=25)
        await self.pass_by(1)

    async def pass_by(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.clock.move(0.1)
            await settle()

    async def scraped(self, *, ahead: float = 0.0) -> None:
        """Have all scraped, by a clock that is ahead of ours, and looked at."""
        self.metrics.scrape(self.clock.now() + timedelta(seconds=ahead))
        await self.pass_by(31)

    @property
    def evidence(self) -> Evidence:
        return weigh(
            self.target.spec,
            RolloutStatus(exposed_at=self.target.exposed_at, started_at=self.target.exposed_at),
            self.monitor.latest(KEY),
        )

    @property
    def verdict(self) -> CriterionStatus:
        return self.evidence.criteria[0]

    @property
    def readings(self) -> Readings:
        latest = self.monitor.latest(KEY)
        assert latest is not None
        return latest.readings


async def test_what_fails_is_proven_before_anybody_scrapes() -> None:
    bench = ReadHarness()
    await bench.exposes()
    bench.serve("canary", 20, code="500")
    before = bench.rounds
    await bench.pass_by(1)
    assert bench.verdict.verdict == "fail"
    assert bench.verdict.message == (
        "100% of 20 canary requests failed, 1% may (odds against it over 8 million : 1); as the pods"
        " themselves show it"
    )
    assert bench.rounds == before + 1


async def test_what_is_good_is_told_by_scrapes_alone() -> None:
    bench = ReadHarness()
    await bench.exposes()
    bench.serve("canary", 1000)
    await bench.pass_by(5)
    assert bench.monitor.latest(KEY) is None
    await bench.scraped()
    assert (bench.verdict.verdict, bench.verdict.requests) == ("pass", 1000)
    bench.serve("canary", 5000)
    await bench.pass_by(5)
    assert bench.verdict.requests == 1000
    assert bench.evidence.exposure.canary_requests == 1000


async def test_a_lean_holds_and_takes_a_pass_back() -> None:
    bench = ReadHarness()
    await bench.exposes()
    bench.serve("canary", 1000)
    await bench.scraped()
    assert bench.verdict.verdict == "pass"
    bench.serve("canary", 17, code="500")
    await bench.pass_by(1)
    verdict = bench.verdict
    assert (verdict.verdict, verdict.leans, verdict.requests) == ("inconclusive", True, 1000)
    assert verdict.message.startswith("1.67% of 1017 canary requests failed, 1% may; about ")


async def test_pages_that_show_a_good_release_do_not_save_a_bad_one() -> None:
    bench = ReadHarness()
    await bench.exposes()
    bench.serve("canary", 90)
    bench.serve("canary", 10, code="500")
    await bench.scraped()
    assert bench.verdict.verdict == "fail"
    bench.serve("canary", 1_000_000)
    await bench.pass_by(1)
    assert bench.verdict.verdict == "fail"


@pytest.mark.parametrize("ahead", [-60.0, 60.0])
async def test_clocks_that_are_a_minute_apart_make_nothing_of_nothing(ahead: float) -> None:
    bench = ReadHarness()
    await bench.exposes()
    for _ in range(4):
        bench.serve("canary", 1000)
        bench.serve("canary", 2, code="500")
        await bench.scraped(ahead=ahead)
        bench.serve("canary", 1000)
        bench.serve("canary", 2, code="500")
        await bench.pass_by(5)
        latest = bench.monitor.latest(KEY)
        assert latest is None or bench.verdict.verdict != "fail"
        if latest is not None and latest.direct_measurements:
            found = latest.direct_measurements["errors"].measurement.canary
            assert found.failures * 1000 == 2 * (found.requests - found.failures)


async def test_pods_that_are_older_count_from_where_they_are_met() -> None:
    bench = ReadHarness()
    bench.serve("canary", 100, code="500")
    await bench.exposes(age=60)
    bench.serve("canary", 10)
    await bench.pass_by(1)
    assert bench.monitor.latest(KEY) is None
    bench.serve("canary", 3, code="503")
    await bench.pass_by(1)
    assert (bench.verdict.requests, bench.verdict.failures) == (13, 3)


async def test_a_process_that_began_again_is_counted_on() -> None:
    bench = ReadHarness()
    await bench.exposes()
    bench.serve("canary", 8, code="500")
    bench.serve("canary", 192)
    await bench.pass_by(1)
    bench.metrics.reset()
    bench.serve("canary", 5, code="500")
    bench.serve("canary", 95)
    await bench.pass_by(1)
    assert (bench.verdict.requests, bench.verdict.failures) == (300, 13)


async def test_a_counter_that_falls_in_a_living_process_is_none() -> None:
    bench = ReadHarness()
    await bench.exposes()
    bench.metrics.count(STARTED, bench.clock.now().timestamp(), **bench.pod("canary", 1))
    bench.serve("canary", 1000)
    bench.serve("canary", 3, code="500")
    await bench.pass_by(1)
    bench.serve("canary", -1, code="500")
    await bench.pass_by(3)
    await bench.scraped()
    assert bench.readings.message == (
        "http_requests_total of pod checkout-canaryhash-1 falls, and the process did not begin anew: it is no"
        " counter; name one that is; until then Prometheus alone tells"
    )
    latest = bench.monitor.latest(KEY)
    assert latest is not None
    assert not latest.direct_measurements
    assert (bench.readings.pods, bench.readings.of_pods) == (0, 1)


async def test_processes_that_answer_in_turn_are_not_counted() -> None:
    """Each has counts of its own, and what falls would be taken for a restart, again and again."""
    bench = ReadHarness()
    await bench.exposes()
    bench.metrics.count(STARTED, 1000.0, **bench.pod("canary", 1))
    bench.serve("canary", 200)
    await bench.pass_by(1)
    for turn in (-1, 1, -1, 1, -1):
        bench.metrics.count(STARTED, 7.0 * turn, **bench.pod("canary", 1))
        bench.serve("canary", 90 * turn)
        bench.serve("canary", -3 * turn, code="500")
        await bench.pass_by(1)
    await bench.scraped()
    assert "answered by several processes in turn" in bench.readings.message
    latest = bench.monitor.latest(KEY)
    assert latest is not None
    assert not latest.direct_measurements


async def test_what_cannot_be_reached_is_said_and_tried_more_and_more_seldom() -> None:
    bench = ReadHarness()
    await bench.exposes(2)
    bench.pages.failing["http://10.0.0.2/metrics"] = "HTTP 403"
    bench.serve("canary", 100, number=1)
    bench.metrics.scrape(bench.clock.now())
    await bench.pass_by(120)
    assert bench.readings == Readings(
        pods=1,
        of_pods=2,
        interval_seconds=1.0,
        message="no metrics at http://10.0.0.2/metrics: HTTP 403; until then Prometheus alone tells",
    )
    asked = [url for url, _ in bench.pages.read_at]
    assert asked.count("http://10.0.0.2/metrics") < 10
    assert asked.count("http://10.0.0.1/metrics") > 100
    del bench.pages.failing["http://10.0.0.2/metrics"]
    await bench.pass_by(62)
    assert (bench.readings.pods, bench.readings.message) == (2, "")


async def test_with_more_pages_than_turns_each_is_read_equally_often() -> None:
    bench = ReadHarness(per_second=2)
    await bench.exposes(10)
    bench.metrics.scrape(bench.clock.now())
    await bench.pass_by(60)
    asked = [url for url, at in bench.pages.read_at]
    assert len(asked) <= 2 * 61 + 1
    each = {asked.count(f"http://10.0.0.{number}/metrics") for number in range(1, 11)}
    assert max(each) - min(each) <= 1
    assert bench.readings.interval_seconds == 5.0


async def test_latency_is_read_as_well() -> None:
    bench = ReadHarness(SLOW)
    await bench.exposes()
    bench.take("canary", 20, 0.05)
    await bench.pass_by(1)
    bench.take("canary", 20, 9.0)
    await bench.pass_by(1)
    assert bench.verdict.verdict == "fail"
    assert bench.verdict.message.startswith("50% of 40 canary requests took over 500ms, 10% may")


@pytest.mark.parametrize(
    "criterion",
    [
        {**ERRORS, "judge": "threshold"},
        {"name": "sales", "query": {"promql": "sales", "min": 1}},
    ],
)
async def test_other_criteria_are_not_asked_of_pages(criterion: JSON) -> None:
    bench = ReadHarness(criterion)
    await bench.exposes()
    bench.serve("canary", 50, code="500")
    await bench.pass_by(5)
    assert bench.monitor.latest(KEY) is None
    assert not bench.pages.read_at


async def test_an_edited_criterion_is_not_judged_by_what_was_read_of_another() -> None:
    bench = ReadHarness()
    await bench.exposes()
    bench.serve("canary", 20, code="500")
    await bench.pass_by(1)
    latest = bench.monitor.latest(KEY)
    edited = ReadHarness({**ERRORS, "errorRate": {"max": "2%"}}).target.spec
    status = RolloutStatus(exposed_at=bench.target.exposed_at)
    assert weigh(edited, status, latest).criteria[0].verdict == "inconclusive"


async def test_a_prometheus_that_does_not_answer_keeps_nobody_from_rolling_back() -> None:
    bench = ReadHarness()
    await bench.exposes()
    bench.metrics.scrape(bench.clock.now())
    await bench.pass_by(31)
    bench.metrics.failures = [OSError("gone")] * 1000
    bench.serve("canary", 20, code="500")
    await bench.pass_by(31)
    assert bench.verdict.verdict == "fail"


async def test_of_each_process_the_side_that_has_counted_more_is_taken() -> None:
    bench = ReadHarness()
    await bench.exposes(2)
    bench.serve("canary", 500, number=1)
    bench.serve("canary", 500, number=2)
    await bench.scraped()
    bench.pages.failing["http://10.0.0.1/metrics"] = "HTTP 503"
    bench.serve("canary", 100, number=1)
    bench.serve("canary", 10, code="500", number=2)
    await bench.pass_by(1)
    latest = bench.monitor.latest(KEY)
    assert latest is not None
    read = latest.direct_measurements["errors"].measurement.canary
    assert (read.requests, read.failures) == (1010, 10)
