"""What a router's own pods show between two scrapes: the counters of all releases, on one page."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from rollouts.analysis.evidence import weigh
from rollouts.analysis.monitor import Monitor
from rollouts.controller.metrics import ControllerMetrics
from rollouts.model.evidence import Evidence
from rollouts.model.kinds import JSON
from rollouts.model.rollout_key import Key
from rollouts.model.status import CriterionStatus, Readings, RolloutStatus
from rollouts.model.validation import parse_rollout
from rollouts.ports import MetricsPage
from rollouts.traffic.nginx.counters import REQUESTS
from tests.fakes.kubernetes import rollout
from tests.fakes.pages import FakePages
from tests.unit.analysis.harness import ERRORS, P90, Harness, settle

PAGE = MetricsPage("http://10.0.0.1:10254/metrics", {"instance": "a"})
STARTED = "process_start_time_seconds"
SPEC = rollout([{"setWeight": 25}])["spec"]


class RouterHarness(Harness):
    """A data plane that is scraped when a test says so, and read every second."""

    def __init__(self, *criteria: JSON, pages: Sequence[MetricsPage] = (PAGE,)) -> None:
        super().__init__(*(criteria or (ERRORS,)))
        self.pages = FakePages(self.metrics)
        self.monitor = Monitor(
            replace(self.metrics.sources, pages=self.pages, readings_per_second=200),
            self.clock,
            ControllerMetrics(),
            self.rounds.append,
            interval_seconds=30,
        )
        self.target = replace(self.target, router_pages=tuple(pages), weight_percent=25)

    async def exposes(self) -> None:
        self.serve("stable", 1000)
        self.metrics.scrape(self.clock.now())
        self.expose()
        await self.pass_by(1)

    async def pass_by(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.clock.move(0.1)
            await settle()

    def evidence_of(self, key: Key) -> Evidence:
        at = self.target.exposed_at
        status = RolloutStatus(exposed_at=at, started_at=at)
        return weigh(self.target.spec, status, self.monitor.latest(key))

    @property
    def verdict(self) -> CriterionStatus:
        return self.evidence_of(self.target.key).criteria[0]

    @property
    def is_silent(self) -> bool:
        """Nothing is known that would decide anything."""
        return self.monitor.latest(self.target.key) is None


def took(bench: RouterHarness, requests: int, bounds: Sequence[str]) -> None:
    """Let so many of the canary's requests take as long as these bounds have."""
    for le in ("0.1", "0.5", "1", "+Inf"):
        bench.serve_bucket("canary", requests if le in bounds else 0, le, instance="a")


async def test_what_fails_is_proven_before_anybody_scrapes() -> None:
    bench = RouterHarness()
    await bench.exposes()
    bench.serve("canary", 20, "500")
    await bench.pass_by(1)
    assert bench.verdict.verdict == "fail"
    assert bench.verdict.message == (
        "100% of 20 canary requests failed, 1% may (odds against it over 8 million : 1); as the router's pods"
        " themselves show it"
    )
    readings = bench.evidence_of(bench.target.key).exposure.readings
    assert readings == Readings(pods=1, of_pods=1, interval_seconds=1.0)


async def test_what_stable_fails_is_nobodys_fault() -> None:
    bench = RouterHarness()
    await bench.exposes()
    bench.serve("stable", 1000, "500")
    bench.serve("canary", 1000)
    await bench.pass_by(5)
    assert bench.is_silent


async def test_series_of_the_canary_before_lie_flat_and_count_for_nothing() -> None:
    """They bear the same label: it names the Service, and not the revision."""
    bench = RouterHarness()
    bench.serve("canary", 300, "500")
    await bench.exposes()
    bench.serve("canary", 100)
    await bench.pass_by(3)
    assert bench.is_silent
    bench.serve("canary", 9, "502")
    await bench.pass_by(1)
    assert (bench.verdict.verdict, bench.verdict.requests) == ("fail", 109)


async def test_a_data_plane_that_is_started_anew_is_counted_on() -> None:
    bench = RouterHarness()
    bench.metrics.count(STARTED, bench.clock.now().timestamp() - 100, instance="a")
    await bench.exposes()
    bench.serve("canary", 30, "500")
    bench.serve("canary", 270)
    await bench.pass_by(1)
    bench.metrics.reset()
    bench.metrics.count(STARTED, bench.clock.now().timestamp(), instance="a")
    bench.serve("canary", 5, "500")
    bench.serve("canary", 95)
    await bench.pass_by(1)
    assert (bench.verdict.requests, bench.verdict.failures) == (400, 35)


async def test_pods_of_a_data_plane_are_added_up() -> None:
    second = MetricsPage("http://10.0.0.2:10254/metrics", {"instance": "b"})
    bench = RouterHarness(pages=(PAGE, second))
    await bench.exposes()
    bench.serve("canary", 10, controller_pod="one")
    bench.serve("canary", 2, "500", controller_pod="one")
    bench.serve("canary", 10, instance="b", controller_pod="two")
    bench.serve("canary", 2, "500", instance="b", controller_pod="two")
    await bench.pass_by(1)
    assert (bench.verdict.requests, bench.verdict.failures) == (24, 4)


async def test_many_releases_share_one_reading() -> None:
    bench = RouterHarness()
    await bench.exposes()
    others = []
    for number in range(50):
        services = {"stableService": f"app-{number}", "canaryService": f"app-{number}-canary"}
        body = rollout([{"setWeight": 25}], successCriteria=[ERRORS])
        body["spec"]["strategy"]["canary"] |= services
        key = Key("shop", f"app-{number}")
        others.append(replace(bench.target, key=key, spec=parse_rollout(body)))
    for number, each in enumerate(others):
        bench.monitor.follow(each)
        if number % 5 == 0:
            await bench.pass_by(0.1)  # so that each has a beat of its own
    await bench.pass_by(2)
    before = len(bench.pages.read_at)
    for number in range(50):
        count_as(bench, f"app-{number}", 20, "500" if number == 7 else "200")
    await bench.pass_by(10)
    assert len(bench.pages.read_at) - before <= 11
    failed = [
        each.key.name
        for each in others
        if any(c.verdict == "fail" for c in bench.evidence_of(each.key).criteria)
    ]
    assert failed == ["app-7"]


def count_as(bench: RouterHarness, service: str, requests: int, status: str) -> None:
    facts: dict[str, Any] = {"ingress": "checkout", "namespace": "shop", "service": service}
    facts |= {"canary": f"shop-{service}-canary-80", "status": status, "job": "nginx"}
    bench.metrics.count(REQUESTS, requests, **{**facts, "instance": "a"})


async def test_what_can_not_be_found_is_said_and_prometheus_alone_tells() -> None:
    bench = RouterHarness(pages=())
    bench.target = replace(bench.target, why_router_unread="the router's pods are not read: why")
    await bench.exposes()
    bench.serve("canary", 100, "500")
    await bench.pass_by(5)
    assert bench.is_silent
    bench.metrics.scrape(bench.clock.now())
    await bench.pass_by(31)
    evidence = bench.evidence_of(bench.target.key)
    assert evidence.criteria[0].verdict == "fail"
    assert evidence.exposure.readings == Readings(message="the router's pods are not read: why")


async def test_a_page_that_can_not_be_reached_is_said() -> None:
    bench = RouterHarness()
    bench.pages.failing[PAGE.url] = "HTTP 403"
    await bench.exposes()
    bench.metrics.scrape(bench.clock.now())
    await bench.pass_by(31)
    readings = bench.evidence_of(bench.target.key).exposure.readings
    assert readings is not None
    assert (readings.pods, readings.of_pods) == (0, 1)
    assert readings.message.startswith(f"no metrics at {PAGE.url}: HTTP 403; until then")


async def test_what_was_counted_before_a_criterion_was_added_is_nobodys() -> None:
    """The page was read, but not for this: what it shows of the canary before is no news."""
    bench = RouterHarness(ERRORS)
    took(bench, 300, ("1", "+Inf"))
    await bench.exposes()
    await bench.pass_by(3)
    bench.target = replace(bench.target, spec=RouterHarness(ERRORS, P90).target.spec)
    bench.monitor.follow(bench.target)
    bench.serve("canary", 100)
    took(bench, 100, ("0.1", "0.5", "1", "+Inf"))
    await bench.pass_by(5)
    assert bench.is_silent


async def test_each_source_is_asked_what_it_counts() -> None:
    """Pods count failures, and the data plane how long all took."""
    bench = RouterHarness({**ERRORS, "source": "app"}, P90)
    pod = MetricsPage(
        "http://10.1.0.1/metrics",
        {"namespace": "shop", "pod": "checkout-canaryhash-1"},
        bench.clock.now() + timedelta(seconds=1),
    )
    bench.target = replace(bench.target, pages=(pod,), pods=1)
    await bench.exposes()
    bench.metrics.count("http_requests_total", 20, code="500", **pod.labels)
    await bench.pass_by(1)
    assert bench.verdict.message.endswith("as the pods themselves show it")
    assert {url for url, _ in bench.pages.read_at} == {PAGE.url, pod.url}
    readings = bench.evidence_of(bench.target.key).exposure.readings
    assert readings is not None
    assert (readings.pods, readings.of_pods) == (2, 2)


async def test_where_all_is_counted_by_the_router_pods_are_not_read() -> None:
    bench = RouterHarness()
    pod = MetricsPage("http://10.1.0.1/metrics", {"pod": "checkout-canaryhash-1"})
    bench.target = replace(bench.target, pages=(pod,), pods=1, why_unread="annotate the template")
    await bench.exposes()
    bench.serve("canary", 20, "500")
    await bench.pass_by(3)
    assert {url for url, _ in bench.pages.read_at} == {PAGE.url}
    readings = bench.evidence_of(bench.target.key).exposure.readings
    assert readings == Readings(pods=1, of_pods=1, interval_seconds=1.0)


async def test_a_reading_never_speaks_for_a_release() -> None:
    bench = RouterHarness()
    await bench.exposes()
    bench.serve("canary", 90)
    bench.serve("canary", 10, "500")
    bench.metrics.scrape(bench.clock.now())
    await bench.pass_by(31)
    bench.serve("canary", 1_000_000)
    await bench.pass_by(2)
    assert bench.verdict.verdict == "fail"


async def test_shares_that_are_compared_are_told_by_scrapes_alone() -> None:
    ratio = {"name": "ratio", "errorRate": {"maxRatioToStable": 1.5}}
    bench = RouterHarness(ratio)
    await bench.exposes()
    bench.serve("canary", 500, "500")
    await bench.pass_by(5)
    assert bench.is_silent
    assert bench.pages.read_at == []


async def test_what_is_known_of_scrapes_is_told_with_a_reading_that_comes_before_them() -> None:
    """How long counters may still move after a stop follows from it, and with that when the next release begins."""
    bench = RouterHarness()
    for _ in range(4):
        bench.serve("stable", 100)
        bench.metrics.scrape(bench.clock.now())
        bench.clock.move(20)
    await bench.exposes()
    bench.serve("canary", 20, "500")
    await bench.pass_by(1)
    evidence = bench.evidence_of(bench.target.key)
    assert bench.verdict.verdict == "fail"
    assert evidence.scrape_interval_seconds == 20
    assert evidence.exposure.scrape_interval_seconds == 20


async def test_what_ends_by_a_bug_begins_anew() -> None:
    bench = RouterHarness()
    await bench.exposes()
    (watch,) = bench.monitor._watches.values()
    assert watch.reader is not None
    whole, watch.reader.read = watch.reader.read, _fails  # type: ignore[method-assign]
    await bench.pass_by(2)
    bench.serve("canary", 20, "500")
    watch.reader.read = whole  # type: ignore[method-assign]
    await bench.pass_by(31)
    assert bench.verdict.verdict == "fail"


async def _fails() -> None:
    raise ZeroDivisionError
