"""Which Rollouts hear of a change."""

import pytest

from rollouts.controller.index import Index
from rollouts.model.kinds import (
    AUTOSCALER,
    CRD,
    DISRUPTION_BUDGET,
    ENDPOINT_SLICE,
    HASH_LABEL,
    JSON,
    POD,
    REPLICA_SET,
    ROLLOUT,
    SERVICE,
    Kind,
    Ref,
)
from rollouts.model.rollout_key import Key
from rollouts.model.routers.nginx import INGRESS
from rollouts.traffic.gateway.classes import GATEWAY_CLASS
from tests.fakes.cluster import FakeCluster
from tests.fakes.control_loop import KEY
from tests.fakes.crds import definition
from tests.fakes.kubernetes import rollout


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster()
    made.put(ROLLOUT, rollout([{"setWeight": 50}]))
    return made


@pytest.fixture
def index(cluster: FakeCluster) -> Index:
    made = Index(cluster)
    made.rollouts(KEY.ref)
    return made


def put(cluster: FakeCluster, kind: Kind, name: str, **metadata: object) -> Ref:
    cluster.put(kind, {"metadata": {"namespace": "shop", "name": name, **metadata}})
    return Ref(kind, "shop", name)


def owned_by(kind: str, name: str) -> list[JSON]:
    version = ROLLOUT.api_version if kind == ROLLOUT.name else "apps/v1"
    return [
        {"apiVersion": version, "kind": kind, "name": name, "uid": "u", "controller": True},
    ]


def test_a_rollout_concerns_itself_also_when_it_is_gone(cluster: FakeCluster, index: Index) -> None:
    assert index.rollouts(KEY.ref) == {KEY}
    cluster.drop(KEY.ref)
    assert index.rollouts(KEY.ref) == {KEY}


@pytest.mark.parametrize(
    ("kind", "name", "concerned"),
    [
        (SERVICE, "checkout", True),
        (SERVICE, "checkout-canary", True),
        (SERVICE, "basket", False),
        (INGRESS, "checkout", True),
        (INGRESS, "another", True),  # it may be a canary of the same host
    ],
)
def test_services_and_ingresses_concern_whoever_names_them(
    index: Index, kind: Kind, name: str, *, concerned: bool
) -> None:
    assert index.rollouts(Ref(kind, "shop", name)) == ({KEY} if concerned else set())
    assert index.rollouts(Ref(kind, "elsewhere", name)) == set()


def test_rollouts_that_name_the_same_service_hear_of_each_other(
    cluster: FakeCluster, index: Index
) -> None:
    rival, stranger = (Key("shop", name) for name in ("rival", "stranger"))
    for key, stable in ((rival, "checkout-canary"), (stranger, "till")):
        body = rollout([])
        body["metadata"]["name"] = key.name
        body["spec"]["strategy"]["canary"]["stableService"] = stable
        cluster.put(ROLLOUT, body)
    assert index.rollouts(stranger.ref) == {stranger}
    assert index.rollouts(rival.ref) == {rival, KEY}
    assert index.rollouts(KEY.ref) == {rival, KEY}
    cluster.drop(KEY.ref)
    assert index.rollouts(KEY.ref) == {rival, KEY}
    assert index.rollouts(rival.ref) == {rival}


def test_a_service_that_is_named_no_more_concerns_nobody(
    cluster: FakeCluster, index: Index
) -> None:
    change = {"spec": {"strategy": {"canary": {"stableService": "till"}}}}
    cluster.edit(KEY.ref, change)
    index.rollouts(KEY.ref)

    assert index.rollouts(Ref(SERVICE, "shop", "checkout")) == set()
    assert index.rollouts(Ref(SERVICE, "shop", "till")) == {KEY}


def test_a_pod_concerns_the_rollout_of_its_replica_set(cluster: FakeCluster, index: Index) -> None:
    put(cluster, REPLICA_SET, "checkout-aa", ownerReferences=owned_by("Rollout", "checkout"))
    pod = put(cluster, POD, "checkout-aa-1", ownerReferences=owned_by("ReplicaSet", "checkout-aa"))

    assert index.rollouts(pod) == {KEY}
    cluster.drop(pod)
    assert index.rollouts(pod) == {KEY}
    assert index.rollouts(pod) == set()


def test_pods_of_others_concern_nobody(cluster: FakeCluster, index: Index) -> None:
    put(cluster, REPLICA_SET, "web-aa", ownerReferences=owned_by("Deployment", "web"))
    pod = put(cluster, POD, "web-aa-1", ownerReferences=owned_by("ReplicaSet", "web-aa"))
    bare = put(cluster, POD, "bare")

    assert index.rollouts(pod) == set()
    assert index.rollouts(bare) == set()


def test_a_replica_set_without_an_owner_concerns_whom_its_name_says(
    cluster: FakeCluster, index: Index
) -> None:
    orphan = put(cluster, REPLICA_SET, "checkout-aa", labels={HASH_LABEL: "aa"})

    assert index.rollouts(orphan) == {KEY}


def test_endpoints_concern_whoever_names_their_service(cluster: FakeCluster, index: Index) -> None:
    labels = {"kubernetes.io/service-name": "checkout"}
    endpoints = put(cluster, ENDPOINT_SLICE, "checkout-x1", labels=labels)

    assert index.rollouts(endpoints) == {KEY}
    cluster.drop(endpoints)
    assert index.rollouts(endpoints) == {KEY}


@pytest.mark.parametrize(
    "spec", [None, "nonsense", {"strategy": 3}, {"strategy": {"canary": {"stableService": 7}}}]
)
def test_a_spec_that_is_nonsense_still_hears_of_its_own_change(
    cluster: FakeCluster, spec: object
) -> None:
    index = Index(cluster)
    ref = Key("shop", "odd").ref
    cluster.put(ROLLOUT, {"metadata": {"namespace": "shop", "name": "odd"}, "spec": spec})

    assert index.rollouts(ref) == {Key("shop", "odd")}


def test_a_canary_ingress_concerns_its_owner_alone(cluster: FakeCluster, index: Index) -> None:
    other = rollout([{"setWeight": 50}])
    other["metadata"]["name"] = "basket"
    cluster.put(ROLLOUT, other)
    index.rollouts(Key("shop", "basket").ref)
    canary = put(cluster, INGRESS, "x-checkout", ownerReferences=owned_by("Rollout", "checkout"))

    assert index.rollouts(canary) == {KEY}
    cluster.drop(canary)
    assert index.rollouts(canary) == {KEY}
    assert index.rollouts(Ref(INGRESS, "shop", "strange")) == {KEY, Key("shop", "basket")}


@pytest.mark.parametrize(
    ("target", "concerned"),
    [
        ("checkout", True),
        ("checkout-abc", True),
        ("legacy", True),
        ("basket", False),
        (None, False),
    ],
)
def test_an_autoscaler_concerns_whom_it_scales_now_and_before(
    cluster: FakeCluster, index: Index, target: str | None, concerned: bool
) -> None:
    adopting = rollout([])
    del adopting["spec"]["template"], adopting["spec"]["selector"]
    cluster.put(ROLLOUT, adopting)
    cluster.edit(KEY.ref, {"spec": {"workloadRef": {"name": "legacy"}}})
    index.rollouts(KEY.ref)
    ref = put(cluster, AUTOSCALER, "hpa")
    cluster.edit(ref, {"spec": {"scaleTargetRef": {"name": target}}})
    expected = {KEY} if concerned else set()
    assert index.rollouts(ref) == expected
    cluster.drop(ref)
    assert index.rollouts(ref) == expected


def test_a_budget_concerns_everybody_in_its_namespace(cluster: FakeCluster, index: Index) -> None:
    ref = put(cluster, DISRUPTION_BUDGET, "pdb")
    assert index.rollouts(ref) == {KEY}
    cluster.drop(ref)
    assert index.rollouts(ref) == {KEY}


def test_what_has_no_namespace_concerns_the_rollouts_of_all(
    cluster: FakeCluster, index: Index
) -> None:
    other = rollout([{"setWeight": 50}])
    other["metadata"]["namespace"] = "blog"
    cluster.put(ROLLOUT, other)
    cluster.put(CRD, definition(GATEWAY_CLASS, "v1"))
    cluster.put(
        GATEWAY_CLASS, {"apiVersion": GATEWAY_CLASS.api_version, "metadata": {"name": "edge"}}
    )
    assert index.rollouts(Ref(GATEWAY_CLASS, "", "edge")) == {KEY, Key("blog", KEY.name)}


def test_a_service_with_a_revision_concerns_its_rollout_also_when_it_is_named_no_longer(
    cluster: FakeCluster, index: Index
) -> None:
    labels = {HASH_LABEL: "abc"}
    put(
        cluster,
        REPLICA_SET,
        "checkout-abc",
        labels=labels,
        ownerReferences=owned_by("Rollout", "checkout"),
    )
    left = put(cluster, SERVICE, "left")
    assert index.rollouts(left) == set()
    cluster.edit(left, {"spec": {"selector": {HASH_LABEL: "abc"}}})
    assert index.rollouts(left) == {KEY}
    cluster.edit(left, {"spec": {"selector": {HASH_LABEL: None}}})
    assert index.rollouts(left) == {KEY}, (
        "the one that it was bound to hears that it is not any more"
    )
    assert index.rollouts(left) == set()
    cluster.edit(left, {"spec": {"selector": {HASH_LABEL: "of-nobody"}}})
    assert index.rollouts(left) == set()
