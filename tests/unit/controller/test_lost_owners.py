"""
A Rollout that was deleted without what it owned, or restored from a backup, and is there again.

What it made has no owner then, or one that is gone: it is adopted, and the release goes on.
"""

import copy

import pytest

from rollouts.controller.observe import observe
from rollouts.errors import FieldError, InvalidSpec
from rollouts.model.kinds import (
    CRD,
    GRPC_ROUTE,
    HTTP_ROUTE,
    INGRESS,
    JSON,
    MANAGED_BY_LABEL,
    REPLICA_SET,
    ROLLOUT,
    SERVICE,
    TRAFFIC_SPLIT,
    Kind,
    Ref,
)
from rollouts.model.status import RolloutStatus
from rollouts.model.validation import parse_rollout
from rollouts.ports import Apply, Write
from tests.fakes.cluster import FakeCluster
from tests.fakes.definitions import VERSIONS, definition
from tests.fakes.kubernetes import canary_weight, selected
from tests.fakes.shop import KEY, Shop

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


@pytest.fixture
async def shop() -> Shop:
    """Return a shop in the middle of a release."""
    shop = Shop()
    shop.cluster.refuses = lambda write: second_controller(shop.cluster, write)
    await shop.deployed()
    shop.release("shop:2")
    await shop.until(lambda: canary_weight(shop.cluster) == 25)
    return shop


def gone_and_again(shop: Shop, *, orphaned: bool, status: bool = False) -> None:
    """Delete the Rollout and apply it again; `orphaned`: the references to it are gone, too."""
    before = copy.deepcopy(shop.rollout)
    shop.cluster.drop(KEY.ref)
    if orphaned:
        for kind, each in made(shop):
            ref = Ref(kind, "shop", each["metadata"]["name"])
            shop.cluster.edit(ref, {"metadata": {"ownerReferences": None}})
    body = {key: before[key] for key in ("apiVersion", "kind", "spec")}
    body["metadata"] = {"namespace": "shop", "name": "checkout"}
    shop.cluster.put(ROLLOUT, {**body, **({"status": before["status"]} if status else {})})


def made(shop: Shop) -> list[tuple[Kind, JSON]]:
    label = {MANAGED_BY_LABEL: "checkout"}
    return [(kind, each) for kind in MADE for each in shop.cluster.select(kind, "shop", label)]


def owners(shop: Shop) -> list[list[str]]:
    """Return the uids of the owners of all that was made."""
    return [
        [owner["uid"] for owner in each["metadata"].get("ownerReferences") or []]
        for _, each in made(shop)
    ]


@pytest.mark.parametrize("orphaned", [True, False], ids=["no-owner", "owner-that-is-gone"])
@pytest.mark.parametrize("status", [True, False], ids=["with-status", "without-status"])
async def test_what_it_made_is_adopted_and_the_release_ends_well(
    shop: Shop, orphaned: bool, status: bool
) -> None:
    stable = selected(shop.cluster, "checkout")
    gone_and_again(shop, orphaned=orphaned, status=status)
    await shop.round()
    assert len(made(shop)) == 4
    assert owners(shop) == [[shop.rollout["metadata"]["uid"]]] * 4
    assert selected(shop.cluster, "checkout") == stable
    assert canary_weight(shop.cluster) == (25 if status else 0)

    await shop.until(lambda: "Promoted" in shop.reasons(), seconds=300)
    await shop.run(30)

    assert shop.status["phase"] == "Healthy"
    assert canary_weight(shop.cluster) is None
    assert selected(shop.cluster, "checkout") != stable


@pytest.mark.parametrize("orphaned", [True, False], ids=["no-owner", "owner-that-is-gone"])
async def test_a_release_that_went_bad_meanwhile_is_rolled_back(shop: Shop, orphaned: bool) -> None:
    gone_and_again(shop, orphaned=orphaned, status=True)
    shop.eyes.failures = 80
    shop.eyes.look()
    await shop.run(30)
    assert shop.status["abort"]["by"] == "rollouts"
    assert canary_weight(shop.cluster) is None


async def test_a_rollout_that_is_made_again_at_rest_owns_what_there_is(shop: Shop) -> None:
    await shop.until(lambda: "Promoted" in shop.reasons() and not shop.status["retiring"])
    await shop.run(10)
    gone_and_again(shop, orphaned=True)
    shop.cluster.writes.clear()
    await shop.run(10)
    assert shop.status["phase"] == "Healthy"
    assert owners(shop) == [[shop.rollout["metadata"]["uid"]]] * 3
    assert shop.reasons() == ["StableFound"]


@pytest.mark.parametrize("stranger", STRANGERS, ids=lambda owner: owner["kind"] + owner["name"])
@pytest.mark.parametrize("ref", [CANARY_INGRESS, CANARY_SERVICE], ids=lambda ref: ref.kind.name)
async def test_what_somebody_else_owns_is_never_adopted(
    shop: Shop, ref: Ref, stranger: JSON
) -> None:
    shop.cluster.edit(ref, {"metadata": {"ownerReferences": [{**stranger, "controller": True}]}})
    await shop.run(30)
    found = shop.cluster.get(ref)
    assert found is not None
    assert [each["uid"] for each in found["metadata"]["ownerReferences"]] == ["uid-x"]


async def test_the_other_owners_of_what_is_adopted_stay(shop: Shop) -> None:
    gone = {"apiVersion": "rollouts.dev/v1alpha1", "kind": "Rollout", "name": "checkout"}
    beside = {"apiVersion": "v1", "kind": "ConfigMap", "name": "shop", "uid": "uid-y"}
    references = [{**gone, "uid": "uid-x", "controller": True}, beside]
    shop.cluster.edit(CANARY_INGRESS, {"metadata": {"ownerReferences": references}})
    await shop.round()
    found = shop.cluster.get(CANARY_INGRESS)
    assert found is not None
    uids = [each["uid"] for each in found["metadata"]["ownerReferences"]]
    assert uids == ["uid-y", shop.rollout["metadata"]["uid"]]


async def test_what_the_spec_names_as_the_users_is_not_adopted_whatever_its_labels_say(
    shop: Shop,
) -> None:
    for kind in (INGRESS, SERVICE):
        labels = {MANAGED_BY_LABEL: "checkout"}
        shop.cluster.edit(Ref(kind, "shop", "checkout"), {"metadata": {"labels": labels}})
    spec = parse_rollout(shop.rollout)
    seen = observe(shop.cluster, shop.rollout, spec, RolloutStatus(), quiet_seconds=0)
    assert seen.orphans == ()


async def test_a_canary_ingress_of_another_rollout_s_is_no_obstacle(shop: Shop) -> None:
    """Ingress a-b of Rollout checkout, and Ingress a of Rollout b-checkout, come to one name."""
    await shop.until(lambda: "Promoted" in shop.reasons() and not shop.status["retiring"])
    theirs = Ref(INGRESS, "shop", "a-b-checkout-canary")
    stable, ingress = (
        Ref(INGRESS, "shop", "a-b"),
        shop.cluster.get(Ref(INGRESS, "shop", "checkout")),
    )
    assert ingress is not None
    shop.cluster.put(INGRESS, {**ingress, "metadata": {"namespace": "shop", "name": stable.name}})
    owner = {**STRANGERS[0], "name": "b-checkout", "controller": True}
    labels = {MANAGED_BY_LABEL: "b-checkout"}
    metadata = {"namespace": "shop", "name": theirs.name, "labels": labels}
    body = {"metadata": {**metadata, "ownerReferences": [owner]}, "spec": {"rules": []}}
    before = shop.cluster.put(INGRESS, body)
    shop.cluster.drop(Ref(INGRESS, "shop", "checkout"))
    routing = {"nginx": {"stableIngresses": [stable.name]}}
    shop.edit({"spec": {"strategy": {"canary": {"trafficRouting": routing}}}})

    shop.release("shop:3")
    await shop.until(lambda: shop.status["weights"]["applied"] == 25)
    (ours,) = shop.cluster.select(INGRESS, "shop", {MANAGED_BY_LABEL: "checkout"})
    shop.cluster.drop(theirs)
    await shop.until(lambda: shop.status["weights"]["applied"] == 50)
    assert (
        shop.cluster.select(INGRESS, "shop", {MANAGED_BY_LABEL: "checkout"})[0]["metadata"]["uid"]
        == (ours["metadata"]["uid"])
    ), "it keeps its name for as long as the release"
    assert before["metadata"]["name"] == theirs.name

    await shop.until(lambda: shop.reasons()[-1] == "Promoted", seconds=300)
    await shop.run(20)
    assert not shop.cluster.select(INGRESS, "shop", {MANAGED_BY_LABEL: "checkout"})


@pytest.mark.parametrize("kind", [TRAFFIC_SPLIT, HTTP_ROUTE, GRPC_ROUTE], ids=str)
async def test_whatever_kind_it_is_of(shop: Shop, kind: Kind) -> None:
    name = "left-checkout-canary"
    shop.cluster.put(CRD, definition(kind, VERSIONS[kind][0]))
    metadata = {"namespace": "shop", "name": name, "labels": {MANAGED_BY_LABEL: "checkout"}}
    shop.cluster.put(kind, {"metadata": metadata, "spec": {}})
    spec = parse_rollout(shop.rollout)
    seen = observe(shop.cluster, shop.rollout, spec, RolloutStatus(), quiet_seconds=0)
    assert seen.orphans == (Ref(kind, "shop", name),)
