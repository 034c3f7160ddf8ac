"""
A write that is refused, for a while or for ever: all that does not need it is done nevertheless.

At every write: no weight on a revision without ready endpoints, and no Service that selects
nothing, whatever was refused before it.
"""

from contextlib import suppress

import pytest

from rollouts.controller.apply import RETREAT_SECONDS
from rollouts.controller.metrics import verb_and_kind
from rollouts.errors import Forbidden, Outdated, RetryLater, RolloutsError, Unavailable
from rollouts.model.kinds import JSON, MANAGED_BY_LABEL, POD, REPLICA_SET, SERVICE, Ref
from rollouts.model.routers.nginx import INGRESS
from rollouts.ports import Apply, Delete, Evict, Patch, Record, Write
from tests.fakes.control_loop import KEY
from tests.fakes.kubernetes import canary_weight, selected
from tests.unit.controller.test_crashes import CrashingLoop, ended, ready_pods

DOWN = "failed calling webhook: no endpoints available"
INGRESSES = ("apply", "Ingress")
STATUS = ("patch", "Rollout/status")
OF_A_RELEASE = [
    ("create", "ReplicaSet"),
    ("patch", "ReplicaSet"),
    ("create", "Service"),
    ("patch", "Service"),
    INGRESSES,
    ("delete", "Ingress"),
    STATUS,
]


class RefusingLoop(CrashingLoop):
    """A loop whose cluster refuses some writes, each time they are tried, and checks the others."""

    def refuse(self, *kinds: tuple[str, str], error: RolloutsError | None = None) -> None:
        refusal = error or Forbidden(DOWN)
        self.cluster.refuses = lambda write: refusal if verb_and_kind(write) in kinds else None

    async def round(self) -> float | None:
        for _ in range(50):
            self.kubernetes.settle()
            before = len(self.cluster.writes)
            with suppress(RolloutsError):
                await self.reconciler.reconcile(KEY)
            if len(self.cluster.writes) == before:
                return None
        raise AssertionError("it never settles")

    def size(self, image: str) -> int:
        found = [
            each["spec"]["replicas"]
            for each in self.cluster.select(REPLICA_SET, "shop")
            if each["spec"]["template"]["spec"]["containers"][0]["image"] == image
        ]
        return int(found[0]) if found else 0


@pytest.fixture
async def loop() -> RefusingLoop:
    loop = RefusingLoop()
    await loop.deployed()
    loop.guarded = True
    return loop


@pytest.mark.parametrize("refused", [INGRESSES, ("create", "Service")], ids=str)
async def test_stable_grows_while_the_canary_can_t_have_its_weight(
    loop: RefusingLoop, refused: tuple[str, str]
) -> None:
    loop.refuse(refused)
    loop.release("shop:2")
    await loop.run(10)
    assert canary_weight(loop.cluster) is None
    assert DOWN in loop.status["message"]
    assert told(loop).count("WriteFailed") == 1

    loop.edit({"spec": {"replicas": 20}})
    await loop.round()

    assert loop.size("shop:1") == 20


async def test_a_service_is_put_back_while_the_canary_can_t_have_its_weight(
    loop: RefusingLoop,
) -> None:
    loop.refuse(INGRESSES)
    loop.release("shop:2")
    await loop.run(10)
    stable = loop.status["stableRevision"]["hash"]

    selector = {"rollouts.dev/pod-template-hash": None}
    loop.cluster.edit(Ref(SERVICE, "shop", "checkout"), {"spec": {"selector": selector}})
    await loop.round()

    assert selected(loop.cluster, "checkout") == stable


async def test_stable_grows_while_the_traffic_can_t_be_taken_from_a_bad_canary(
    loop: RefusingLoop,
) -> None:
    loop.release("shop:2")
    await loop.until(lambda: canary_weight(loop.cluster) == 25)
    loop.refuse(INGRESSES, ("delete", "Ingress"))
    loop.monitor.failures = 80
    await loop.run(3)
    assert loop.status["abort"]["by"] == "rollouts"
    assert canary_weight(loop.cluster) == 25

    loop.edit({"spec": {"replicas": 20}})
    await loop.round()

    assert loop.size("shop:1") == 20
    assert loop.reconciler.is_retreating(KEY)
    loop.refuse()
    await loop.round()
    assert canary_weight(loop.cluster) in (0, None)


@pytest.mark.parametrize("refused", OF_A_RELEASE, ids=str)
async def test_a_good_release_that_was_refused_a_write_for_a_while_ends_well(
    loop: RefusingLoop, refused: tuple[str, str]
) -> None:
    loop.refuse(refused)
    loop.release("shop:2")
    await loop.run(30)
    loop.refuse()

    await loop.until(lambda: ended(loop) and "Promoted" in loop.reasons(), seconds=300)

    assert loop.status["phase"] == "Healthy"
    assert selected(loop.cluster, "checkout") == loop.status["currentRevision"]["hash"]
    assert (loop.size("shop:1"), loop.size("shop:2")) == (0, 4)


BLUE_GREEN = {"blueGreen": {"activeService": "checkout", "scaleDownDelaySeconds": 5}}
BY_REPLICAS = {
    "canary": {
        "steps": [{"setWeight": 50}, {"pause": {"duration": 5}}],
        "maxUnavailable": 0,
        "scaleDownDelaySeconds": 5,
    }
}


class GuardedLoop(RefusingLoop):
    """One whose Services never have fewer ready pods than are wanted, once it is `watched`."""

    watched = False

    async def _crashing_write(self, write: Write) -> None:
        await super()._crashing_write(write)
        self.kubernetes.settle()
        for service in self.cluster.select(SERVICE, "shop"):
            pods = ready_pods(self, service["spec"]["selector"])
            assert pods >= 4 or not self.watched, f"{pods} pods are left after {write}"


@pytest.mark.parametrize("strategy", [BLUE_GREEN, BY_REPLICAS], ids=["blue-green", "replicas"])
@pytest.mark.parametrize("refused", [*OF_A_RELEASE[:4], STATUS], ids=str)
async def test_whatever_the_strategy_nobody_loses_pods_by_what_is_refused(
    strategy: JSON, refused: tuple[str, str]
) -> None:
    loop = GuardedLoop()
    await loop.deployed(strategy=strategy)
    loop.watched = True
    loop.refuse(refused)
    loop.release("shop:2")
    await loop.run(30)
    loop.refuse()

    await loop.until(lambda: "Promoted" in loop.reasons() and not loop.status["retiring"], 300)
    await loop.run(20)

    assert loop.status["phase"] == "Healthy"
    assert (loop.size("shop:1"), loop.size("shop:2")) == (0, 4)


@pytest.mark.parametrize("refused", OF_A_RELEASE, ids=str)
async def test_a_bad_release_that_was_refused_a_write_for_a_while_is_rolled_back(
    loop: RefusingLoop, refused: tuple[str, str]
) -> None:
    loop.release("shop:2")
    await loop.until(lambda: canary_weight(loop.cluster) == 25)
    loop.refuse(refused)
    loop.monitor.failures = 80
    await loop.run(30)
    assert canary_weight(loop.cluster) in (0, None)
    loop.refuse()

    await loop.until(lambda: ended(loop) and "abort" in loop.status)

    assert loop.status["phase"] == "Degraded"
    assert selected(loop.cluster, "checkout") == loop.status["stableRevision"]["hash"]
    assert (loop.size("shop:1"), loop.size("shop:2")) == (4, 0)


async def test_without_a_status_a_canary_is_still_watched_and_loses_its_traffic(
    loop: RefusingLoop,
) -> None:
    """An API server that takes every write but that of the status, and a controller that begins anew."""
    loop.release("shop:2")
    await loop.until(lambda: canary_weight(loop.cluster) == 25)
    loop.refuse(STATUS, error=Unavailable("conversion webhook: timed out"))
    loop.monitor.targets.clear()
    loop.reconciler = loop.new_reconciler()
    loop.edit({"spec": {"replicas": 20}})
    await loop.run(2)
    assert loop.size("shop:1") == 20
    loop.monitor.failures = 80

    await loop.run(5)

    assert canary_weight(loop.cluster) == 0
    loop.refuse()
    await loop.run(2)
    assert loop.status["abort"]["by"] == "rollouts"


async def test_what_a_budget_forbids_now_stops_nothing_behind_it(loop: RefusingLoop) -> None:
    pods = sorted(each["metadata"]["name"] for each in loop.cluster.select(POD, "shop"))
    held = pods[0]
    refusal = RetryLater("Cannot evict pod as it would violate the pod's disruption budget.")
    loop.cluster.refuses = lambda write: refusal if write == Evict(Ref(POD, "shop", held)) else None
    loop.guarded = False
    loop.edit({"spec": {"strategy": {"canary": {"maxUnavailable": "50%"}}}})
    loop.command("restart")

    await loop.run(60)

    left = [each["metadata"]["name"] for each in loop.cluster.select(POD, "shop")]
    assert [name for name in pods if name in left] == [held]
    assert "WriteFailed" not in told(loop)


def told(loop: RefusingLoop) -> list[str]:
    """Return the reasons of the Events."""
    return [write.reason for write in loop.cluster.writes if isinstance(write, Record)]


async def test_of_many_refusals_three_are_told_and_each_once(loop: RefusingLoop) -> None:
    loop.cluster.refuses = lambda write: (
        Forbidden(f"{write.ref.name} is refused")
        if isinstance(write, Patch) and write.ref.kind == POD
        else None
    )
    role = {"stableMetadata": {"labels": {"tier": "gold"}}}
    loop.edit({"spec": {"replicas": 6, "strategy": {"canary": role}}})

    await loop.run(30)

    assert loop.status["message"].count("is refused") == 3
    assert told(loop).count("WriteFailed") == 3


async def test_a_problem_is_told_once_while_a_write_is_refused_beside_it(
    loop: RefusingLoop,
) -> None:
    """Each time that it is told is a write of status, and that ends the back-off."""
    loop.cluster.drop(Ref(INGRESS, "shop", "checkout"))
    await loop.run(3)
    assert loop.status["phase"] == "Degraded"
    loop.refuse(("patch", "ReplicaSet"))
    loop.guarded = False
    loop.edit({"spec": {"replicas": 6}})
    await loop.run(10)
    assert loop.status["message"].endswith(f"; refused: {DOWN}")
    assert loop.reasons().count("Blocked") == 1
    writes = len(loop.cluster.writes)
    await loop.round()
    assert len(loop.cluster.writes) == writes
    loop.refuse()
    await loop.run(10)
    assert DOWN not in loop.status["message"]


async def test_what_asks_to_wait_longest_does_not_hold_up_the_rest(loop: RefusingLoop) -> None:
    busy = Unavailable("too many requests", after_seconds=30)
    errors = {INGRESSES: busy, ("patch", "ReplicaSet"): Forbidden("quota")}
    loop.release("shop:2")
    loop.cluster.refuses = lambda write: errors.get(verb_and_kind(write))
    await loop.run(5)
    loop.edit({"spec": {"replicas": 6}})

    with pytest.raises(Forbidden, match="quota"):
        await loop.reconciler.reconcile(KEY)


async def test_a_webhook_that_hangs_is_asked_once_for_each_on_the_way_back(
    loop: RefusingLoop,
) -> None:
    """They are asked for at the same time, each takes ten seconds, and a deletion does not pass it."""
    ingress = loop.cluster.get(Ref(INGRESS, "shop", "checkout"))
    assert ingress is not None
    names = ["checkout", *(f"more-{number}" for number in range(4))]
    for name in names[1:]:
        loop.cluster.put(INGRESS, {**ingress, "metadata": {"namespace": "shop", "name": name}})
    routing = {"nginx": {"stableIngresses": names}}
    loop.edit({"spec": {"strategy": {"canary": {"trafficRouting": routing}}}})
    loop.release("shop:2")
    await loop.until(lambda: loop.status["weights"]["applied"] == 25)
    tried: list[Write] = []

    def hang(write: Write) -> Unavailable | None:
        if verb_and_kind(write) != INGRESSES:
            return None
        tried.append(write)
        return Unavailable("failed calling webhook: context deadline exceeded")

    loop.cluster.refuses = hang
    loop.monitor.failures = 80
    loop.monitor.measure()
    await loop.reconciler.reconcile(KEY)

    assert [each for each in loop.cluster.select(INGRESS, "shop") if is_made(each)] == []
    assert len(tried) == len(names)


async def test_a_canary_ingress_that_nobody_lets_us_change_in_time_goes(loop: RefusingLoop) -> None:
    """An API server waits for a webhook for half a minute, and a bad canary has its traffic meanwhile."""
    loop.release("shop:2")
    await loop.until(lambda: canary_weight(loop.cluster) == 25)
    waited: list[float | None] = []

    def hang(write: Write) -> Unavailable | None:
        if verb_and_kind(write) != INGRESSES or not isinstance(write, Apply):
            return None
        waited.append(write.within_seconds)
        return Unavailable("no answer in time")

    loop.cluster.refuses = hang
    loop.monitor.failures = 80
    loop.monitor.measure()
    await loop.reconciler.reconcile(KEY)
    assert [each for each in loop.cluster.select(INGRESS, "shop") if is_made(each)] == []
    assert waited == [RETREAT_SECONDS]


def is_made(ingress: JSON) -> bool:
    return MANAGED_BY_LABEL in (ingress["metadata"].get("labels") or {})


async def test_routes_that_can_go_go_although_one_can_t(loop: RefusingLoop) -> None:
    loop.release("shop:2")
    await loop.until(lambda: canary_weight(loop.cluster) == 25)
    second = loop.cluster.get(Ref(INGRESS, "shop", "checkout-checkout-canary"))
    assert second is not None
    metadata = {**second["metadata"], "name": "aside-checkout-canary"}
    loop.cluster.put(INGRESS, {**second, "metadata": metadata})
    kept = Ref(INGRESS, "shop", "aside-checkout-canary")
    loop.cluster.refuses = lambda write: (
        Forbidden("no") if isinstance(write, Delete) and write.ref == kept else None
    )

    await loop.until(lambda: canary_weight(loop.cluster) is None, seconds=300)

    assert loop.cluster.get(kept) is not None


async def test_of_what_may_be_of_a_lost_future_nothing_else_is_written(loop: RefusingLoop) -> None:
    """An API server that was away may have come back from a backup, and says so at the first write."""
    loop.release("shop:2")
    await loop.until(lambda: canary_weight(loop.cluster) == 25)
    loop.refuse(INGRESSES, ("delete", "Ingress"), error=Outdated("it came back from a backup"))
    loop.monitor.failures = 80
    await loop.run(3)
    assert "abort" not in loop.status, "nobody knows of what was decided"
    loop.refuse()
    await loop.run(3)
    assert loop.status["abort"]["by"] == "rollouts"
    assert canary_weight(loop.cluster) in (0, None)
