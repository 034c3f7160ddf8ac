"""
A Rollout that was deleted without what it owned, or restored from a backup, and is there again.

What it made has no owner then, or one that is gone: it is adopted, and the release goes on.
"""

import copy

import pytest

from rollouts.controller.observation_input import ObservationInput
from rollouts.controller.observe import observe
from rollouts.errors import FieldError, Forbidden, InvalidSpec
from rollouts.model.kinds import (
    CRD,
    JSON,
    MANAGED_BY_LABEL,
    REPLICA_SET,
    ROLLOUT,
    SERVICE,
    Kind,
    Ref,
)
from rollouts.model.routers.gateway import GRPC_ROUTE, HTTP_ROUTE
from rollouts.model.routers.nginx import INGRESS
from rollouts.model.routers.smi import TRAFFIC_SPLIT
from rollouts.model.status import RolloutStatus
from rollouts.model.validation import parse_rollout
from rollouts.ports import Apply, Patch, Write
from tests.fakes.cluster import FakeCluster
from tests.fakes.control_loop import KEY, ControlLoop
from tests.fakes.crds import VERSIONS, definition
from tests.fakes.kubernetes import canary_weight, selected

MADE = (REPLICA_SET, SERVICE, INGRESS)
CANARY_INGRESS = Ref(INGRESS, "shop", "checkout-checkout-canary")
CANARY_SERVICE = Ref(SERVICE, "shop", "checkout-canary")
STRANGERS = [
    {"apiVersion": "rollouts.dev/v1alpha1", "kind": "Rollout", "name": "other", "uid": "uid-x"},
    {"apiVersion": "apps/v1", "kind": "Rollout", "name": "checkout", "uid": "uid-x"},
    {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout", "uid": "uid-x"},
]


def second_controller(cluster: FakeCluster, write: Write) -> Exception | None:
    """Refuse, as an API server does, an apply that would give an object a second controlling owner."""
    if not isinstance(write, Apply):
        return None
    metadata = write.body["metadata"]
    present = cluster.get(Ref(write.kind, metadata["namespace"], metadata["name"])) or write.body
    before = present["metadata"].get("ownerReferences") or []
    owners = (*before, *metadata["ownerReferences"])
    uids = {each["uid"] for each in owners if each.get("controller")}
    text = "Only one reference can have Controller set to true"
    return InvalidSpec((FieldError("metadata.ownerReferences", text),)) if len(uids) > 1 else None


def only_for_who_may_delete(write: Write) -> Exception | None:
    """Refuse other owners for a Service, as OwnerReferencesPermissionEnforcement does."""
    if not isinstance(write, Patch) or write.ref.kind != SERVICE:
        return None
    owners = write.body.get("metadata", {}).get("ownerReferences")
    return Forbidden("cannot set an ownerRef on a resource you can't delete") if owners else None


@pytest.fixture
async def loop() -> ControlLoop:
    """Return a loop in the middle of a release."""
    loop = ControlLoop()
    loop.cluster.refuses = lambda write: second_controller(loop.cluster, write)
    await loop.deployed()
    loop.release("shop:2")
    await loop.until(lambda: canary_weight(loop.cluster) == 25)
    return loop


def gone_and_again(loop: ControlLoop, *, orphaned: bool, status: bool = False) -> None:
    """Delete the Rollout and apply it again; `orphaned`: the references to it are gone, too."""
    before = copy.deepcopy(loop.rollout)
    loop.cluster.drop(KEY.ref)
    if orphaned:
        for kind, each in made(loop):
            ref = Ref(kind, "shop", each["metadata"]["name"])
            loop.cluster.edit(ref, {"metadata": {"ownerReferences": None}})
    body = {key: before[key] for key in ("apiVersion", "kind", "spec")}
    body["metadata"] = {"namespace": "shop", "name": "checkout"}
    loop.cluster.put(ROLLOUT, {**body, **({"status": before["status"]} if status else {})})


def made(loop: ControlLoop) -> list[tuple[Kind, JSON]]:
    label = {MANAGED_BY_LABEL: "checkout"}
    return [(kind, each) for kind in MADE for each in loop.cluster.select(kind, "shop", label)]


def owners(loop: ControlLoop) -> list[list[str]]:
    """Return the uids of the owners of all that was made."""
    return [
        [owner["uid"] for owner in each["metadata"].get("ownerReferences") or []]
        for _, each in made(loop)
    ]


@pytest.mark.parametrize("orphaned", [True, False], ids=["no-owner", "owner-that-is-gone"])
@pytest.mark.parametrize("status", [True, False], ids=["with-status", "without-status"])
async def test_what_it_made_is_adopted_and_the_release_ends_well(
    loop: ControlLoop, orphaned: bool, status: bool
) -> None:
    stable = selected(loop.cluster, "checkout")
    gone_and_again(loop, orphaned=orphaned, status=status)
    await loop.round()
    assert len(made(loop)) == 4
    assert owners(loop) == [[loop.rollout["metadata"]["uid"]]] * 4
    assert selected(loop.cluster, "checkout") == stable
    assert canary_weight(loop.cluster) == (25 if status else 0)

    await loop.until(lambda: "Promoted" in loop.reasons(), seconds=300)
    await loop.run(30)

    assert loop.status["phase"] == "Healthy"
    assert canary_weight(loop.cluster) is None
    assert selected(loop.cluster, "checkout") != stable


@pytest.mark.parametrize("orphaned", [True, False], ids=["no-owner", "owner-that-is-gone"])
async def test_a_release_that_went_bad_meanwhile_is_rolled_back(
    loop: ControlLoop, orphaned: bool
) -> None:
    gone_and_again(loop, orphaned=orphaned, status=True)
    loop.monitor.failures = 80
    loop.monitor.measure()
    await loop.run(30)
    assert loop.status["abort"]["by"] == "rollouts"
    assert canary_weight(loop.cluster) is None


async def test_a_service_that_may_not_be_adopted_holds_up_nothing_and_is_told(
    loop: ControlLoop,
) -> None:
    loop.cluster.refuses = only_for_who_may_delete
    gone_and_again(loop, orphaned=True, status=True)
    with pytest.raises(Forbidden):
        await loop.round()
    uid = loop.rollout["metadata"]["uid"]
    assert sorted(owners(loop)) == [[], [uid], [uid], [uid]]
    assert canary_weight(loop.cluster) == 25
    assert "Service checkout-canary stays without an owner" in loop.status["message"]
    assert "delete it while no release is under way" in loop.status["message"]


async def test_a_rollout_that_is_made_again_when_settled_owns_what_there_is(
    loop: ControlLoop,
) -> None:
    await loop.until(lambda: "Promoted" in loop.reasons() and not loop.status["retiring"])
    await loop.run(10)
    gone_and_again(loop, orphaned=True)
    loop.cluster.writes.clear()
    await loop.run(10)
    assert loop.status["phase"] == "Healthy"
    assert owners(loop) == [[loop.rollout["metadata"]["uid"]]] * 3
    assert loop.reasons() == ["StableFound"]


@pytest.mark.parametrize("stranger", STRANGERS, ids=lambda owner: owner["kind"] + owner["name"])
@pytest.mark.parametrize("ref", [CANARY_INGRESS, CANARY_SERVICE], ids=lambda ref: ref.kind.name)
async def test_what_somebody_else_owns_is_never_adopted(
    loop: ControlLoop, ref: Ref, stranger: JSON
) -> None:
    loop.cluster.edit(ref, {"metadata": {"ownerReferences": [{**stranger, "controller": True}]}})
    await loop.run(30)
    found = loop.cluster.get(ref)
    assert found is not None
    assert [each["uid"] for each in found["metadata"]["ownerReferences"]] == ["uid-x"]


async def test_the_other_owners_of_what_is_adopted_stay(loop: ControlLoop) -> None:
    gone = {"apiVersion": "rollouts.dev/v1alpha1", "kind": "Rollout", "name": "checkout"}
    beside = {"apiVersion": "v1", "kind": "ConfigMap", "name": "shop", "uid": "uid-y"}
    references = [{**gone, "uid": "uid-x", "controller": True}, beside]
    loop.cluster.edit(CANARY_INGRESS, {"metadata": {"ownerReferences": references}})
    await loop.round()
    found = loop.cluster.get(CANARY_INGRESS)
    assert found is not None
    uids = [each["uid"] for each in found["metadata"]["ownerReferences"]]
    assert uids == ["uid-y", loop.rollout["metadata"]["uid"]]


async def test_what_the_spec_names_as_the_users_is_not_adopted_whatever_its_labels_say(
    loop: ControlLoop,
) -> None:
    for kind in (INGRESS, SERVICE):
        labels = {MANAGED_BY_LABEL: "checkout"}
        loop.cluster.edit(Ref(kind, "shop", "checkout"), {"metadata": {"labels": labels}})
    spec = parse_rollout(loop.rollout)
    seen = observe(
        loop.cluster, loop.rollout, ObservationInput.of(spec, RolloutStatus()), quiet_seconds=0
    )
    assert seen.orphans == ()


async def test_a_canary_ingress_of_another_rollout_s_blocks_nothing(loop: ControlLoop) -> None:
    """Ingress a-b of Rollout checkout, and Ingress a of Rollout b-checkout, come to one name."""
    await loop.until(lambda: "Promoted" in loop.reasons() and not loop.status["retiring"])
    theirs = Ref(INGRESS, "shop", "a-b-checkout-canary")
    stable, ingress = (
        Ref(INGRESS, "shop", "a-b"),
        loop.cluster.get(Ref(INGRESS, "shop", "checkout")),
    )
    assert ingress is not None
    loop.cluster.put(INGRESS, {**ingress, "metadata": {"namespace": "shop", "name": stable.name}})
    owner = {**STRANGERS[0], "name": "b-checkout", "controller": True}
    labels = {MANAGED_BY_LABEL: "b-checkout"}
    metadata = {"namespace": "shop", "name": theirs.name, "labels": labels}
    body = {"metadata": {**metadata, "ownerReferences": [owner]}, "spec": {"rules": []}}
    before = loop.cluster.put(INGRESS, body)
    loop.cluster.drop(Ref(INGRESS, "shop", "checkout"))
    routing = {"nginx": {"stableIngresses": [stable.name]}}
    loop.edit({"spec": {"strategy": {"canary": {"trafficRouting": routing}}}})

    loop.release("shop:3")
    await loop.until(lambda: loop.status["weights"]["applied"] == 25)
    (ours,) = loop.cluster.select(INGRESS, "shop", {MANAGED_BY_LABEL: "checkout"})
    loop.cluster.drop(theirs)
    await loop.until(lambda: loop.status["weights"]["applied"] == 50)
    assert (
        loop.cluster.select(INGRESS, "shop", {MANAGED_BY_LABEL: "checkout"})[0]["metadata"]["uid"]
        == (ours["metadata"]["uid"])
    ), "it keeps its name for as long as the release"
    assert before["metadata"]["name"] == theirs.name

    await loop.until(lambda: loop.reasons()[-1] == "Promoted", seconds=300)
    await loop.run(20)
    assert not loop.cluster.select(INGRESS, "shop", {MANAGED_BY_LABEL: "checkout"})


@pytest.mark.parametrize("kind", [TRAFFIC_SPLIT, HTTP_ROUTE, GRPC_ROUTE], ids=str)
async def test_whatever_kind_it_is_of(loop: ControlLoop, kind: Kind) -> None:
    name = "left-checkout-canary"
    loop.cluster.put(CRD, definition(kind, VERSIONS[kind][0]))
    metadata = {"namespace": "shop", "name": name, "labels": {MANAGED_BY_LABEL: "checkout"}}
    loop.cluster.put(kind, {"metadata": metadata, "spec": {}})
    spec = parse_rollout(loop.rollout)
    seen = observe(
        loop.cluster, loop.rollout, ObservationInput.of(spec, RolloutStatus()), quiet_seconds=0
    )
    assert seen.orphans == (Ref(kind, "shop", name),)
