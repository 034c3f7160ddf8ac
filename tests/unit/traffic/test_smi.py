"""TrafficSplits: what is written in each version, what is read, and what stays when a Rollout is settled."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.model.header_and_mirror_routes import SetMirrorRoute
from rollouts.model.kinds import JSON, SERVICE, Ref
from rollouts.model.route import Change, Keep, Remove, Route, Split
from rollouts.model.routers.smi import TRAFFIC_SPLIT, TRAFFIC_SPLIT_VERSIONS
from rollouts.model.validation import parse_rollout
from rollouts.traffic.context import RoutingContext
from rollouts.traffic.smi import SMIRouter
from tests.fakes import kubernetes
from tests.unit.traffic import upstream

NOTHING = Split()
ROOT = {"rootService": "checkout-root"}
SERVICES: dict[str, JSON] = {
    name: {"metadata": {"name": name}} for name in ("checkout", "checkout-root")
}
Splits = dict[str, JSON]


def rollout(**smi: Any) -> JSON:
    found = kubernetes.rollout([{"setWeight": 5}])
    found["spec"]["strategy"]["canary"]["trafficRouting"] = {"smi": smi}
    found["metadata"]["uid"] = "uid-1"
    return found


def context(
    splits: Splits, obj: JSON | None = None, version: str | None = "v1alpha4"
) -> RoutingContext:
    obj = obj or rollout()
    served = {TRAFFIC_SPLIT: version} if version else {}
    return RoutingContext(
        parse_rollout(obj), obj, {TRAFFIC_SPLIT: splits, SERVICE: SERVICES}, served
    )


def observe(splits: Splits, obj: JSON | None = None, wanted: Split = NOTHING) -> Route:
    return SMIRouter().observe(context(splits, obj), wanted)


def live(percent: int, obj: JSON | None = None, version: str = "v1alpha4") -> Splits:
    """Return the namespace's TrafficSplits while the canary has this weight."""
    (keep,) = SMIRouter().render(context({}, obj, version), Split(percent))
    assert isinstance(keep, Keep)
    body = copy.deepcopy(dict(keep.body))
    body["metadata"].update(uid="uid-2", resourceVersion="7", generation=1)
    return {body["metadata"]["name"]: body}


def foreign(name: str, root: str = "checkout") -> Splits:
    backends = [{"service": "checkout-canary", "weight": 1}]
    metadata = {"name": name, "namespace": "shop", "uid": "uid-3"}
    return {name: {"metadata": metadata, "spec": {"service": root, "backends": backends}}}


@pytest.mark.parametrize("version", TRAFFIC_SPLIT_VERSIONS)
def test_a_traffic_split_in_full(version: str) -> None:
    (keep,) = SMIRouter().render(context({}, version=version), Split(25))
    assert keep == Keep(
        TRAFFIC_SPLIT,
        {
            "apiVersion": f"split.smi-spec.io/{version}",
            "kind": "TrafficSplit",
            "metadata": {
                "name": "checkout",
                "namespace": "shop",
                "labels": {"rollouts.dev/managed-by": "checkout"},
                "ownerReferences": [
                    {
                        "apiVersion": "rollouts.dev/v1alpha1",
                        "kind": "Rollout",
                        "name": "checkout",
                        "uid": "uid-1",
                        "controller": True,
                        "blockOwnerDeletion": True,
                    }
                ],
            },
            "spec": {
                "service": "checkout",
                "backends": [
                    {"service": "checkout", "weight": 75},
                    {"service": "checkout-canary", "weight": 25},
                ],
            },
        },
    )


@pytest.mark.parametrize(
    ("file", "version"),
    [
        ("smi-trafficsplits-v1alpha1-v1alpha2.yaml", "v1alpha1"),
        ("smi-trafficsplits-v1alpha1-v1alpha2.yaml", "v1alpha2"),
        *(("smi-trafficsplits-v1alpha4.yaml", f"v1alpha{number}") for number in (2, 3, 4)),
    ],
)
@pytest.mark.parametrize("percent", [0, 5, 100])
def test_the_originals_take_it(file: str, version: str, percent: int) -> None:
    crd = upstream.definition(file)
    (body,) = live(percent, version=version).values()
    assert upstream.schema_errors(crd, body) == []


def test_the_names_that_the_spec_gives_are_used() -> None:
    obj = rollout(trafficSplitName="split", **ROOT)
    (keep,) = SMIRouter().render(context({}, obj), Split(5))
    assert isinstance(keep, Keep)
    assert (keep.body["metadata"]["name"], keep.body["spec"]["service"]) == (
        "split",
        "checkout-root",
    )


@given(st.integers(0, 100), st.sampled_from(TRAFFIC_SPLIT_VERSIONS), st.booleans())
def test_what_was_rendered_is_what_is_seen(percent: int, version: str, apart: bool) -> None:
    obj = rollout(**(ROOT if apart else {}))
    seen = SMIRouter().observe(context(live(percent, obj, version), obj, version), NOTHING)
    assert (seen.weight, seen.highest) == (percent, percent)
    assert (seen.intact, seen.routes_match, seen.findings) == (True, True, ())
    assert seen.exists is (not apart or percent > 0)


@pytest.mark.parametrize(
    ("stable", "canary", "weight", "highest", "intact"),
    [
        ("750m", "250m", 25, 25, False),
        ("75", "25", 25, 25, True),
        (75.0, 25.0, 25, 25, True),
        ("75000m", "25", 25, 25, True),
        (3, 1, 25, 25, False),
        ("1k", "1e3", 50, 50, False),
        (2, 1, None, 34, False),
        (0, 0, None, 100, False),
        ("x", 1, None, 100, False),
        (-1, 1, None, 100, False),
        (None, 1, None, 100, False),
    ],
)
def test_weights_are_shares_whatever_their_notation(
    stable: Any, canary: Any, weight: int | None, highest: int, intact: bool
) -> None:
    found = live(25)
    backends = found["checkout"]["spec"]["backends"]
    backends[0]["weight"], backends[1]["weight"] = stable, canary
    seen = observe(found)
    assert (seen.weight, seen.highest, seen.intact) == (weight, highest, intact)


@pytest.mark.parametrize("part", ["root", "third", "matches", "order", "none"])
def test_a_change_by_somebody_else_is_noticed_and_put_back(part: str) -> None:
    found = live(25)
    spec = found["checkout"]["spec"]
    match part:
        case "root":
            spec["service"] = "other"
        case "third":
            spec["backends"].append({"service": "third", "weight": 1})
        case "matches":
            spec["matches"] = [{"kind": "HTTPRouteGroup", "name": "beta"}]
        case "order":
            spec["backends"].reverse()
        case "none":
            del spec["backends"]
    assert not observe(found).intact
    keep, *more = SMIRouter().render(context(found), Split(25))
    assert isinstance(keep, Keep)
    taken = Change(Ref(TRAFFIC_SPLIT, "shop", "checkout"), {"spec": {"matches": None}})
    assert more == ([taken] if part == "matches" else [])


def test_a_root_that_is_the_stable_service_needs_nothing_when_settled() -> None:
    assert observe({}) == Route()
    (removal,) = SMIRouter().clear(context(live(5)))
    assert removal == Remove(Ref(TRAFFIC_SPLIT, "shop", "checkout"), "uid-2")
    assert SMIRouter().clear(context({})) == []


def test_another_root_is_split_even_when_settled() -> None:
    """Without it, clients would reach whatever the root Service selects: the canary's pods too."""
    obj = rollout(**ROOT)
    seen = observe({}, obj)
    assert (seen.exists, seen.weight, seen.highest, seen.intact) == (True, None, 1, False)
    (keep,) = SMIRouter().clear(context({}, obj))
    assert keep == SMIRouter().render(context({}, obj), Split())[0]
    assert SMIRouter().clear(context(live(25, obj), obj)) == [keep]
    assert SMIRouter().clear(context(live(0, obj), obj)) == []
    assert observe(live(0, obj), obj) == Route(stays=True)


def test_one_that_is_being_deleted_is_gone() -> None:
    found = live(5)
    found["checkout"]["metadata"]["deletionTimestamp"] = "2030-01-01T00:00:00Z"
    assert observe(found) == Route()


def test_one_of_ours_by_a_name_that_the_spec_had_before_goes() -> None:
    found, obj = live(25), rollout(trafficSplitName="split")
    seen = observe(found, obj)
    assert (seen.exists, seen.weight, seen.highest) == (True, None, 25)
    assert seen.written == {25}
    removal = Remove(Ref(TRAFFIC_SPLIT, "shop", "checkout"), "uid-2")
    assert SMIRouter().render(context(found, obj), Split(5))[1:] == [removal]
    assert SMIRouter().clear(context(found, obj)) == [removal]


@pytest.mark.parametrize("percent", [0, 5])
def test_one_of_another_name_stays_until_the_new_one_is_there_where_the_root_has_pods(
    percent: int,
) -> None:
    """The new one may be refused, and without any the root's requests would go to any revision."""
    old, obj = live(percent, rollout(**ROOT)), rollout(trafficSplitName="split", **ROOT)
    split = Split(percent)
    (keep,) = SMIRouter().render(context(old, obj), split)
    assert isinstance(keep, Keep)
    assert SMIRouter().clear(context(old, obj)) == SMIRouter().render(context(old, obj), Split())
    both = old | live(percent, obj)
    assert Remove(Ref(TRAFFIC_SPLIT, "shop", "checkout"), "uid-2") in SMIRouter().render(
        context(both, obj), split
    )


def test_no_split_is_turned_to_a_stable_service_that_is_not_there() -> None:
    obj = rollout(**ROOT)
    obj["spec"]["strategy"]["canary"]["stableService"] = "gone"
    for splits in ({}, live(0, rollout(**ROOT))):
        assert SMIRouter().render(context(splits, obj), Split()) == []
        assert SMIRouter().clear(context(splits, obj)) == []


def test_one_that_is_not_ours_is_never_written() -> None:
    for obj in (rollout(), rollout(**ROOT)):
        theirs = foreign("checkout")
        (finding,) = observe(theirs, obj).blockers
        assert finding.reason == "TrafficSplitNotOurs"
        seen = observe(theirs, obj)
        assert (seen.exists, seen.weight, seen.highest) == (False, 0, 0)
        assert SMIRouter().render(context(theirs, obj), Split(5)) == []
        assert SMIRouter().clear(context(theirs, obj)) == []


def test_a_cluster_without_traffic_splits() -> None:
    for obj in (rollout(), rollout(**ROOT)):
        bare = context({}, obj, None)
        seen = SMIRouter().observe(bare, NOTHING)
        (finding,) = seen.blockers
        assert finding.reason == "TrafficSplitsNotServed"
        assert "install the SMI extension of the mesh" in finding.message
        assert (seen.exists, seen.weight, seen.highest) == (False, 0, 0)
        assert SMIRouter().render(bare, Split(5)) == SMIRouter().clear(bare) == []


@pytest.mark.parametrize("root", ["checkout", "checkout.shop.svc.cluster.local"])
def test_a_second_split_of_the_root_service(root: str) -> None:
    (finding,) = observe(foreign("theirs", root)).blockers
    assert finding.reason == "SecondTrafficSplit"
    assert "TrafficSplit theirs splits Service checkout already" in finding.message
    assert observe(foreign("theirs", "cart")).findings == ()


@pytest.mark.parametrize(
    ("root", "reason"), [("nowhere", "RootServiceNotFound"), ("checkout-canary", "RootService")]
)
def test_a_root_service_that_can_t_be_one(root: str, reason: str) -> None:
    assert observe({}, rollout(rootService=root)).blockers[0].reason.startswith(reason)


def test_mirrors_are_never_there() -> None:
    wanted = Split(5, mirrors=(SetMirrorRoute(name="shadow", percentage=100),))
    assert not observe(live(5), wanted=wanted).routes_match
