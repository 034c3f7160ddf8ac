"""A router that the spec names no longer leaves nothing behind, and nothing is looked for elsewhere."""

import copy
from typing import Any

import pytest

from rollouts.model.kinds import JSON, Kind, Ref
from rollouts.model.route import Keep, Remove, Route, Split
from rollouts.model.routers.gateway import HTTP_ROUTE
from rollouts.model.routers.nginx import INGRESS
from rollouts.model.routers.smi import TRAFFIC_SPLIT
from rollouts.model.validation import parse_rollout
from rollouts.traffic import routers
from rollouts.traffic.context import RoutingContext
from tests.fakes import kubernetes
from tests.unit.traffic import ingresses, routes, test_smi

NOTHING = Split()
NGINX = {"nginx": {"stableIngresses": ["web"]}}
HTTP = {"gatewayAPI": {"httpRoutes": ["web"]}}


def context(objects: dict[Kind, Any], named: Any) -> RoutingContext:
    """Return the surroundings of a Rollout that names these routers now; None: it is blue-green."""
    obj = kubernetes.rollout([{"setWeight": 5}])
    obj["metadata"]["uid"] = "uid-1"
    if named is None:
        obj["spec"]["strategy"] = {"blueGreen": {"activeService": "checkout"}}
    else:
        obj["spec"]["strategy"]["canary"]["trafficRouting"] = named
    return RoutingContext(
        parse_rollout(obj), obj, objects, {TRAFFIC_SPLIT: "v1alpha4", HTTP_ROUTE: "v1"}
    )


def ingress_at(percent: int) -> JSON:
    made = ingresses.ingress()
    return made | ingresses.stored(ingresses.render(made, percent))


@pytest.mark.parametrize("named", [HTTP, None])
def test_a_canary_ingress_goes(named: Any) -> None:
    objects: dict[Kind, Any] = {INGRESS: ingress_at(50), HTTP_ROUTE: routes.live(50)}
    left = context(objects, named)
    seen = routers.observe(left, NOTHING)
    assert (seen.exists, seen.weight, seen.highest) == (True, None, 100)
    ref = Ref(INGRESS, "shop", ingresses.CANARY)
    removal = next(each for each in routers.render(left, Split(50)) if isinstance(each, Remove))
    assert removal.ref == ref
    assert ref in [each.ref for each in routers.clear(left) if isinstance(each, Remove)]


def test_a_route_of_the_user_s_is_given_back() -> None:
    found = routes.live(50)
    left = context({INGRESS: ingress_at(50), HTTP_ROUTE: found}, NGINX)
    (change,) = [each for each in routers.render(left, Split(50)) if not isinstance(each, Keep)]
    assert routes.after(found, [change])["web"]["spec"] == routes.route()["web"]["spec"]
    assert routers.observe(context({HTTP_ROUTE: routes.route()}, NGINX), NOTHING) == Route(
        findings=routers.observe(context({}, NGINX), NOTHING).findings
    )


def test_a_traffic_split_goes_or_rests_at_stable() -> None:
    split = test_smi.live(50)
    writes = routers.clear(context({TRAFFIC_SPLIT: split}, None))
    assert writes == [Remove(Ref(TRAFFIC_SPLIT, "shop", "checkout"), "uid-2")]

    split = test_smi.live(50, test_smi.rollout(**test_smi.ROOT))
    (keep,) = routers.clear(context({TRAFFIC_SPLIT: split}, None))
    assert isinstance(keep, Keep)
    assert [each["weight"] for each in keep.body["spec"]["backends"]] == [100, 0]
    rested = copy.deepcopy(split)
    rested["checkout"]["spec"] = keep.body["spec"]
    assert routers.observe(context({TRAFFIC_SPLIT: rested}, None), NOTHING) == Route()


def test_what_is_not_ours_is_left_alone() -> None:
    foreign = ingress_at(50)
    foreign[ingresses.CANARY]["metadata"] |= {"ownerReferences": [], "labels": {}}
    objects: dict[Kind, Any] = {INGRESS: foreign, TRAFFIC_SPLIT: test_smi.foreign("checkout")}
    assert routers.observe(context(objects, None), NOTHING) == Route()
    assert routers.clear(context(objects, None)) == []
