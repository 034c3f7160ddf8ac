"""A mirror that a Gateway's controller does not list as supported: said before a release."""

import pytest

from rollouts.controller.preflight.snapshot import ClusterSnapshot
from rollouts.controller.routing_objects import routing_context
from rollouts.model.kinds import JSON
from rollouts.model.routers.gateway import GRPC_ROUTE, HTTP_ROUTE
from rollouts.model.validation import parse_rollout
from rollouts.traffic.gateway.classes import GATEWAY_CLASS, MIRROR, PERCENTAGE_MIRROR
from tests.unit.traffic.routes import observe, rollout, route

WHOLE: JSON = {"setMirrorRoute": {"name": "shadow", "percentage": 100}}
TENTH: JSON = {"setMirrorRoute": {"name": "shadow", "percentage": 10}}
GETS: JSON = {"setMirrorRoute": {"name": "shadow", "match": [{"method": {"exact": "GET"}}]}}
ENDED: JSON = {"setMirrorRoute": {"name": "shadow"}}
WEIGHT: JSON = {"setWeight": 5}
CONTROLLER = "edge.test/gateway"


def gateway_class(*features: object, controller: str = CONTROLLER) -> JSON:
    status = {"supportedFeatures": list(features)} if features else {}
    spec = {"controllerName": controller}
    return {"metadata": {"name": "edge"}, "spec": spec, "status": status}


def named(*features: str) -> JSON:
    """Return a class that lists these as version 1.2 of the API and newer ones do."""
    return gateway_class(*({"name": each} for each in features))


def found(step: JSON, listed: JSON) -> list[tuple[str, bool]]:
    seen = observe(
        route(), rollout(steps=[step, WEIGHT]), besides={GATEWAY_CLASS: {"edge": listed}}
    )
    return [
        (each.reason, each.is_blocking)
        for each in seen.findings
        if each.reason == "MirrorNotSupported"
    ]


REFUSED = [("MirrorNotSupported", True)]


@pytest.mark.parametrize("step", [WHOLE, TENTH, GETS])
@pytest.mark.parametrize("listed", [named("HTTPRoute"), gateway_class("HTTPRoute")])
def test_a_mirror_that_is_not_listed_blocks_the_release(step: JSON, listed: JSON) -> None:
    assert found(step, listed) == REFUSED


@pytest.mark.parametrize(
    ("step", "listed"),
    [
        (WHOLE, named("HTTPRoute", MIRROR)),
        (GETS, gateway_class("HTTPRoute", MIRROR)),
        (TENTH, named("HTTPRoute", MIRROR, PERCENTAGE_MIRROR)),
        (ENDED, named("HTTPRoute")),
        (WEIGHT, named("HTTPRoute")),
    ],
)
def test_one_that_is_listed_or_that_no_step_sets_does_not(step: JSON, listed: JSON) -> None:
    assert found(step, listed) == []


def test_a_part_of_the_requests_is_a_feature_of_its_own() -> None:
    assert found(TENTH, named("HTTPRoute", MIRROR)) == REFUSED


def test_who_lists_nothing_or_does_not_serve_the_route_says_nothing_of_it() -> None:
    assert found(WHOLE, gateway_class()) == []
    assert found(WHOLE, gateway_class("HTTPRoute", controller="other.test/gateway")) == []


def test_the_message_names_the_step_the_route_and_who_serves_it() -> None:
    steps = [WHOLE, WEIGHT]
    classes = {GATEWAY_CLASS: {"edge": named("HTTPRoute")}}
    (problem,) = observe(route(), rollout(steps=steps), besides=classes).findings
    assert problem.message == (
        "setMirrorRoute shadow can't be had on HTTPRoute web: edge.test/gateway, which serves it, does not list"
        " HTTPRouteRequestMirror in its GatewayClass' status, and may fail every request of a rule that mirrors;"
        " take the step out"
    )


def test_of_grpc_routes_no_feature_is_known() -> None:
    seen = observe(
        {},
        rollout(steps=[WHOLE, WEIGHT], grpcRoutes=["web"]),
        grpc=route(kind=GRPC_ROUTE),
        besides={GATEWAY_CLASS: {"edge": named("GRPCRoute")}},
    )
    assert seen.findings == ()


def test_a_class_is_seen_from_every_namespace() -> None:
    cluster = ClusterSnapshot()
    obj = rollout(steps=[WHOLE, WEIGHT])
    cluster.add(HTTP_ROUTE, route().values())
    cluster.add(GATEWAY_CLASS, [named("HTTPRoute")])
    assert set(routing_context(cluster, obj, parse_rollout(obj)).of(GATEWAY_CLASS)) == {"edge"}
