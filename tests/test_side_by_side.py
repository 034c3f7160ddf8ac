"""What the bench with real traffic sees of a release, and the order in which it makes them."""

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from bench.manifests import NAME, metadata, rollout
from bench.outcomes import ReleaseOutcome, WeightTrace, summarize
from bench.release_series import Plan, ReleaseSeries
from bench.side_by_side import KINDS, Kind, in_turn, parser, plan_of, sentence, shown
from rollouts.controller.manifests import manifests
from rollouts.model.kinds import CRD, JSON, ROLLOUT
from rollouts.model.routers.nginx import INGRESS
from rollouts.sandbox.apiserver.builtins import NAMESPACE
from rollouts.sandbox.apiserver.store import Store
from tests.waiting import until

if TYPE_CHECKING:
    from rollouts.sandbox.environment import Sandbox

SERIES = "series-0"
CANARY = f"{NAME}-{NAME}-canary"
BACKEND = {"service": {"name": NAME, "port": {"number": 80}}}
OLD, NEW = (
    {"number": number, "hash": version, "images": [f"bench/{NAME}:{version}"]}
    for number, version in enumerate(("old", "new"), start=1)
)
ABORT = {"by": "controller", "reason": "errors: 5 of 40 failed", "at": "2030-01-01T00:00:00Z"}


class Cluster:
    """A sandbox without a process, in which the test is the controller."""

    def __init__(self, patience_seconds: float = 10.0) -> None:
        self.store = Store()
        for each in manifests():
            if each["kind"] == CRD.name:
                self.store.create(CRD, each)
        plan = Plan(patience_seconds=patience_seconds)
        self.store.create(NAMESPACE, {"metadata": {"name": SERIES}})
        self.store.create(*rollout(SERIES, plan.strategy()))
        ingress = {"metadata": metadata(SERIES, CANARY), "spec": {"defaultBackend": BACKEND}}
        self.store.create(INGRESS, ingress)
        self._write(0)
        url = "http://127.0.0.1:1"
        sandbox = SimpleNamespace(store=self.store, ingress_url=url, gateway_url=url)
        self.series = ReleaseSeries(cast("Sandbox", sandbox), 0, plan)
        self.says(phase="Healthy", stableRevision=OLD, currentRevision=OLD)

    def says(self, **status: Any) -> None:
        self.store.patch(ROLLOUT, SERIES, NAME, {"status": status}, subresource="status")

    async def weigh(self, percent: int) -> None:
        """Write a weight, and return when the series has seen it."""
        self._write(percent)
        seen = self.series.trace
        await until(lambda: seen.has_begun and seen.highest_percent >= percent)
        await until(lambda: seen.is_split is (0 < percent < 100))

    def _write(self, percent: int) -> None:
        annotations = {"nginx.ingress.kubernetes.io/canary-weight": str(percent)}
        self.store.patch(INGRESS, SERIES, CANARY, {"metadata": {"annotations": annotations}})

    @property
    def rollout(self) -> JSON:
        found = self.store.get(ROLLOUT, SERIES, NAME)
        assert found is not None
        return found

    async def release(self) -> "asyncio.Task[ReleaseOutcome]":
        """Have the series release a version, and return when the template is the new one."""
        before = self.rollout["spec"]["template"]
        releasing = asyncio.create_task(self.series.release("new", "4%", scrape_seconds=0))
        await until(lambda: self.rollout["spec"]["template"] != before)
        self.says(phase="Progressing", currentRevision=NEW)
        return releasing


async def test_a_release_that_became_stable_is_promoted() -> None:
    cluster = Cluster()
    releasing = await cluster.release()
    for percent in (10, 50, 100):
        await cluster.weigh(percent)
    cluster.says(phase="Healthy", stableRevision=NEW)
    outcome = await releasing
    assert (outcome.ending, outcome.highest_percent, outcome.seconds_to_weight_0) == (
        "promoted",
        100,
        None,
    )


async def test_a_release_that_lost_its_traffic_is_rolled_back() -> None:
    cluster = Cluster()
    releasing = await cluster.release()
    await cluster.weigh(10)
    await cluster.weigh(0)
    cluster.says(phase="Degraded", abort=ABORT)
    outcome = await releasing
    assert (outcome.ending, outcome.highest_percent) == ("rolled back", 10)
    assert outcome.seconds_to_weight_0 is not None


async def test_a_release_that_is_held_is_aborted_when_patience_is_over() -> None:
    cluster = Cluster(patience_seconds=0.1)
    releasing = await cluster.release()
    cluster.says(phase="Paused")  # before its clock runs, which a weight begins
    await cluster.weigh(10)
    await until(lambda: "abort" in cluster.rollout["metadata"].get("annotations", {}).values())
    cluster.says(phase="Degraded", abort=ABORT)
    outcome = await releasing
    assert (outcome.ending, outcome.seconds_to_weight_0) == ("waits for a person", None)


def test_a_release_is_timed_from_its_first_weight_to_its_last() -> None:
    trace = WeightTrace()
    for at, percent in ((5, 0), (8, 10), (30, 50), (49, 100), (53, 0)):
        assert trace.is_split is (at in (30, 49)), "as it was before"
        trace.note(percent, at)
    assert trace.outcome("rolled back", 7, now=53) == ReleaseOutcome("rolled back", 7, 100, 41, 45)
    assert trace.outcome("promoted", 7, now=60) == ReleaseOutcome("promoted", 7, 100, 41, None)


def test_the_kinds_take_turns_and_each_is_released_as_often_as_it_says() -> None:
    some, many = Kind("some", "4%", 1), Kind("many", "0.5%", 3)
    assert list(in_turn([some, many])) == [(some, 0), (many, 0), (many, 1), (many, 2)]


def test_what_is_released_is_what_was_asked_for() -> None:
    plan = plan_of(parser().parse_args(["--weights", "5,20,60", "--pause", "7"]))
    steps = plan.strategy()["canary"]["steps"]
    assert [each["setWeight"] for each in steps if "setWeight" in each] == [5, 20, 60]
    assert [each["pause"]["duration"] for each in steps if "pause" in each] == ["7s"] * 3
    assert plan.pauses_seconds == 21


def test_every_release_and_every_side_is_told() -> None:
    outcome = ReleaseOutcome("rolled back", 9, 50, 35, 35)
    assert sentence(outcome) == ("rolled back, 50 % at most, split for 35 s, 9 users met a failure")
    outcomes = summarize(KINDS[0].name, [outcome], first_weight=10, pauses_seconds=40)
    side = {"outcomes": [vars(outcomes)], "load": {"sent": 100, "lost": 0, "behind": 3}}
    told = shown({"before": side, "now": side}).splitlines()
    assert told[2].startswith("| 4 % fail | 1 | 0 | 100 |")
    assert told[-2:] == [
        "before: 100 sent, 0 lost, 3 behind",
        "now: 100 sent, 0 lost, 3 behind",
    ]
