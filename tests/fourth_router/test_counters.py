"""What the made-up router counts is a source as any other: it is asked for, counted and judged."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from rollouts.analysis.evidence import weigh
from rollouts.analysis.exposed_canary import ExposedCanary
from rollouts.analysis.monitor import Monitor
from rollouts.controller.metrics import ControllerMetrics
from rollouts.errors import InvalidSpec
from rollouts.model.kinds import JSON
from rollouts.model.sources import is_counted_by_router
from rollouts.model.status import Revision, RolloutStatus, Verdict
from rollouts.model.validation import parse_rollout
from tests.fakes.clock import ManualClock
from tests.fakes.kubernetes import rollout
from tests.fakes.metrics import FakeMetrics
from tests.fourth_router.router import PASSENGERS, SECONDS
from tests.unit.analysis.harness import KEY, ScrapedMonitor

FERRY: JSON = {"ferry": {"crossings": ["checkout"]}}
ERRORS: JSON = {"name": "errors", "errorRate": {"max": "1%"}}
P90: JSON = {"name": "p90", "latency": {"quantile": 0.9, "max": "500ms"}}


def released(routing: JSON, *criteria: JSON) -> JSON:
    body = rollout([{"setWeight": 25}], successCriteria=list(criteria))
    body["spec"]["strategy"]["canary"]["trafficRouting"] = routing
    return body


class Ferry(ScrapedMonitor):
    """A ferry that is scraped every 5 s, and a canary behind its Crossing."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.metrics = FakeMetrics()
        self.monitor = Monitor(
            self.metrics.sources,
            self.clock,
            ControllerMetrics(),
            lambda _: None,
            interval_seconds=5,
        )
        self.spec = parse_rollout(released(FERRY, ERRORS, P90))
        self.began = self.clock.now()
        self.metrics.count("up", job="ferry", instance="a")

    def follow(self) -> None:
        """Have the canary measured from now on."""
        self.began = self.clock.now()
        revisions = Revision(number=2, hash="new"), Revision(number=1, hash="old")
        self.monitor.follow(ExposedCanary(KEY, self.spec, self.began, self.began, *revisions))

    def carries(self, side: str, passengers: int, seconds: float, code: str = "200") -> None:
        facts = {"namespace": "shop", "crossing": "checkout", "side": side, "instance": "a"}
        self.metrics.count(PASSENGERS, passengers, code=code, **facts)
        for bound, name in ((0.1, "0.1"), (0.5, "0.5"), (float("inf"), "+Inf")):
            self.metrics.count(SECONDS, passengers if seconds <= bound else 0, le=name, **facts)

    async def passes(self, seconds: int, *, slow: bool = False, bad: bool = False) -> None:
        """Let time pass in which a quarter of the passengers are the canary's, every tenth slow or sent back."""
        for _ in range(seconds // 5):
            self.carries("stable", 300, 0.05)
            self.carries("canary", 90, 0.05)
            self.carries("canary", 10, 0.05, "503" if bad else "200")
            self.carries("canary", 60 if slow else 0, 3.0)
            await self.wait(5)

    def verdicts(self) -> dict[str, Verdict]:
        status = RolloutStatus(exposed_at=self.began)
        judged = weigh(self.spec, status, self.monitor.latest(KEY)).criteria
        return {each.name: each.verdict for each in judged}


@pytest.fixture
async def ferry() -> AsyncIterator[Ferry]:
    made = Ferry()
    made.carries("stable", 1000, 0.05)
    made.carries("canary", 0, 0.05)
    await made.wait(30)
    made.follow()
    yield made
    await made.monitor.close()


async def test_a_good_canary_passes_by_what_it_counts(ferry: Ferry) -> None:
    await ferry.passes(120)
    assert ferry.measured().canary.requests == 24 * 100
    assert ferry.verdicts() == {"errors": "pass", "p90": "pass"}


async def test_a_canary_that_sends_passengers_back_fails(ferry: Ferry) -> None:
    await ferry.passes(60, bad=True)
    assert ferry.verdicts()["errors"] == "fail"


async def test_a_canary_that_is_slow_fails(ferry: Ferry) -> None:
    await ferry.passes(60, slow=True)
    assert ferry.verdicts() == {"errors": "pass", "p90": "fail"}


async def test_what_other_crossings_count_is_not_asked_for(ferry: Ferry) -> None:
    facts = {"namespace": "shop", "side": "canary", "instance": "a", "code": "503"}
    ferry.metrics.count(PASSENGERS, 0, crossing="far", **facts)
    ferry.metrics.count(PASSENGERS, 1000, crossing="far", **facts)
    await ferry.passes(120)
    assert ferry.verdicts()["errors"] == "pass"


def test_they_are_the_source_by_default_where_it_is_the_only_router() -> None:
    assert is_counted_by_router(parse_rollout(released(FERRY)))
    both = {**FERRY, "nginx": {"stableIngresses": ["checkout"]}}
    assert not is_counted_by_router(parse_rollout(released(both)))


def test_both_sides_are_comparable_and_a_router_without_counters_is_told_of_it() -> None:
    ratio = {"name": "errors", "errorRate": {"maxRatioToStable": 1.5}, "source": "ingress"}
    assert parse_rollout(released(FERRY, ratio)).success_criteria[0].source == "ingress"
    smi: Any = {"smi": {"rootService": "checkout"}}
    with pytest.raises(InvalidSpec, match="needs the router nginx or ferry"):
        parse_rollout(released(smi, {**ERRORS, "source": "ingress"}))
