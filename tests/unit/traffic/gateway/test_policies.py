"""Policies that would not hold for what we put beside the user's: said before a release."""

import copy
from typing import Any

import pytest

from rollouts.controller.routing_objects import routing_context
from rollouts.model.finding import Finding
from rollouts.model.kinds import JSON, Kind
from rollouts.model.route import Split
from rollouts.model.routers.gateway import GRPC_ROUTE, HTTP_ROUTE
from rollouts.model.validation import parse_rollout
from rollouts.traffic import routers
from rollouts.traffic.gateway import policies
from rollouts.traffic.gateway.policies import (
    AUTH_POLICY,
    BACKEND_TLS_POLICY,
    GCP_BACKEND_POLICY,
    HEALTH_CHECK_POLICY,
    POLICIES,
    SECURITY_POLICY,
    TRAFFIC_POLICY,
)
from tests.unit.controller.preflight.namespace import CANARY, named, rollout, snapshot_of

OWN = "web-checkout-canary"
HEADERS = [{"headerName": "X-Canary", "headerValue": {"exact": "yes"}}]
BETA: JSON = {"setHeaderRoute": {"name": "beta", "match": HEADERS}}
COPY: JSON = {"setMirrorRoute": {"name": "copy", "match": [{"method": {"exact": "GET"}}]}}
WEIGHT: JSON = {"setWeight": 50}


def over(*steps: JSON, kind: Kind = HTTP_ROUTE) -> JSON:
    """Return a Rollout over a route of this kind."""
    canary = copy.deepcopy(CANARY)
    canary["trafficRouting"] = {"gatewayAPI": {f"{kind.plural[:4]}Routes": ["web"]}}
    return rollout(strategy={"canary": canary | {"steps": [*steps]}})


def target(name: str = "web", kind: Kind = HTTP_ROUTE, **more: Any) -> JSON:
    return {"group": kind.group, "kind": kind.name, "name": name, **more}


def policy(*targets: JSON, kind: Kind = SECURITY_POLICY, name: str = "jwt", **spec: Any) -> JSON:
    return named(kind, name, {"targetRefs": list(targets), **spec})


def route(labels: JSON | None = None) -> JSON:
    return named(HTTP_ROUTE, "web", labels=labels or {})


def findings(*objects: JSON, of: JSON) -> list[Finding]:
    """Return what the routers find that is about policies."""
    cluster, released = snapshot_of(*objects, of=of)
    context = routing_context(cluster, released, parse_rollout(released))
    every = routers.observe(context, Split()).findings
    return [each for each in every if each.reason.startswith("Policy")]


def found(*objects: JSON, of: JSON) -> list[tuple[str, bool]]:
    return [(each.reason, each.is_blocking) for each in findings(*objects, of=of)]


MISSED = [("PolicyMissesCanaryRoute", True)]


@pytest.mark.parametrize("kind", [SECURITY_POLICY, TRAFFIC_POLICY, AUTH_POLICY])
@pytest.mark.parametrize("step", [BETA, COPY])
def test_a_policy_of_the_route_alone_blocks_a_route_of_our_own(kind: Kind, step: JSON) -> None:
    assert found(route(), policy(target(), kind=kind), of=over(step, WEIGHT)) == MISSED


def test_the_message_says_what_to_do() -> None:
    (problem,) = findings(route(), policy(target()), of=over(BETA))
    assert problem.message == (
        "SecurityPolicy jwt is attached to HTTPRoute web and not to web-checkout-canary, the route that header"
        " and mirror routes are in: requests would get past it there; name web-checkout-canary in a"
        " SecurityPolicy too, or take these steps out"
    )


def test_the_older_form_and_a_rule_of_the_route_are_seen() -> None:
    older = named(AUTH_POLICY, "jwt", {"targetRef": target(sectionName="pay")})
    assert found(route(), older, of=over(BETA)) == MISSED


def test_a_grpc_route_has_policies_too() -> None:
    of = over(BETA, kind=GRPC_ROUTE)
    assert found(policy(target(kind=GRPC_ROUTE)), of=of) == MISSED
    assert found(policy(target()), of=of) == []


@pytest.mark.parametrize(
    "others",
    [
        [policy(target(), target(OWN))],
        [policy(target()), policy(target(OWN), name="jwt-canary")],
        [policy(target("other"))],
        [policy(target() | {"kind": "Gateway"})],
        [policy(target() | {"group": "other.io"})],
        [policy(targetSelectors=[{"kind": "HTTPRoute", "matchLabels": {"app": "web"}}])],
        [named(SECURITY_POLICY, "odd", {"targetRefs": "web", "targetRef": None})],
        [],
    ],
)
def test_a_policy_that_holds_for_ours_as_well_or_for_neither_is_no_finding(others: Any) -> None:
    assert found(route({"app": "web"}), *others, of=over(BETA)) == []


def test_where_no_step_needs_a_route_of_our_own_nothing_is_said() -> None:
    every: JSON = {"setMirrorRoute": {"name": "copy", "percentage": 10}}
    ended: JSON = {"setHeaderRoute": {"name": "beta"}}
    assert found(route(), policy(target()), of=over(WEIGHT, every, ended)) == []


@pytest.mark.parametrize("kind", [BACKEND_TLS_POLICY, GCP_BACKEND_POLICY, HEALTH_CHECK_POLICY])
@pytest.mark.parametrize("group", ["", "core"])
def test_a_policy_of_the_stable_service_alone_blocks_any_weight(kind: Kind, group: str) -> None:
    stable: JSON = {"group": group, "kind": "Service", "name": "checkout"}
    alone = policy(stable, kind=kind)
    assert found(route(), alone, of=over(WEIGHT)) == [("PolicyMissesCanaryService", True)]
    both = policy(stable, stable | {"name": "checkout-canary"}, kind=kind)
    assert found(route(), both, of=over(WEIGHT)) == []
    assert found(route(), alone, of=rollout()) == [], "ingress-nginx knows none of these"


def test_each_kind_of_policy_that_is_read_is_looked_at() -> None:
    assert {*policies._OF_ROUTES, *policies._OF_SERVICES} == set(POLICIES)
