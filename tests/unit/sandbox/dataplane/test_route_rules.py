"""The order of matches across routes, and where backendRefs lead."""

import json

import pytest

from rollouts.model.kinds import JSON
from rollouts.sandbox.dataplane.endpoints import Endpoints
from rollouts.sandbox.dataplane.ingresses import IngressSettings
from rollouts.sandbox.dataplane.route_rules import target, targets, unsupported
from rollouts.sandbox.dataplane.statuses import resolved
from rollouts.sandbox.dataplane.table import routing_table
from rollouts.sandbox.network import PodNetwork
from tests.unit.sandbox.dataplane.gateway_objects import cluster, grpc_route, route, service

ENDPOINTS = Endpoints([service("web"), service("web", "other")], [])


def order(*routes: JSON) -> list[str]:
    """Return the matches in nginx's order, each as its route's name and its path."""
    table = routing_table(cluster(http_routes=[*routes]), IngressSettings(PodNetwork(9)))
    listed = json.loads(table["gateway:"])
    return [each["rule"]["route"].split("/")[-1] + each["path"] for each in listed]


def matching(*matches: JSON) -> JSON:
    return {"matches": [*matches]}


def path(value: str, kind: str = "PathPrefix", **more: object) -> JSON:
    return {"path": {"type": kind, "value": value}, **more}


def test_an_exact_path_then_the_longest_then_the_most_conditions() -> None:
    header, query = {"name": "h", "value": "1"}, {"name": "q", "value": "1"}
    assert order(
        route(matching(path("/")), name="all"),
        route(matching(path("/", queryParams=[query])), name="query"),
        route(matching(path("/", headers=[header])), name="header"),
        route(matching(path("/", headers=[header, header | {"name": "i"}])), name="headers"),
        route(matching(path("/", method="GET")), name="method"),
        route(matching(path("/shop")), name="long"),
        route(matching(path("/s.*", "RegularExpression")), name="pattern"),
        route(matching(path("/s", "Exact")), name="exact"),
    ) == ["exact/s", "pattern/s.*", "long/shop", "method/", "headers/", "header/", "query/", "all/"]


def test_of_equal_matches_the_oldest_routes_goes_first_then_the_name_then_the_place() -> None:
    assert order(
        route(matching(path("/"), path("/x")), matching(path("/")), name="b", day=1),
        route(matching(path("/")), name="c", day=1),
        route(matching(path("/")), name="a", day=2),
    ) == ["b/x", "b/", "b/", "c/", "a/"]


@pytest.mark.parametrize(
    ("ref", "reason"),
    [
        ({"name": "web", "port": 80}, "ResolvedRefs"),
        ({"name": "gone", "port": 80}, "BackendNotFound"),
        ({"name": "web", "port": 81}, "BackendNotFound"),
        ({"name": "web"}, "BackendNotFound"),
        ({"name": "web", "port": 80, "namespace": "other"}, "RefNotPermitted"),
        ({"name": "web", "port": 80, "kind": "Import", "group": "x.io"}, "InvalidKind"),
    ],
)
def test_a_backend_is_resolved_or_it_is_said_why_not(ref: JSON, reason: str) -> None:
    found = target(ref, route(), ENDPOINTS)
    assert found.resolved.reason == reason
    assert resolved(route({"backendRefs": [ref]}), ENDPOINTS).reason == reason


def test_a_mirrors_backend_is_looked_for_too() -> None:
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "gone"}}}
    (found,) = targets(route({"filters": [mirror]}), ENDPOINTS)
    assert not found.resolved.ok


def test_unknown_filters_are_named_once_those_of_backends_too() -> None:
    cors, redirect = {"type": "CORS"}, {"type": "RequestRedirect"}
    backend = {"name": "web", "filters": [{"type": "ExtensionRef"}]}
    rule = {"filters": [cors, redirect], "backendRefs": [backend]}
    assert unsupported(route(rule, rule)) == ["CORS", "ExtensionRef"]
    assert unsupported(grpc_route()) == []


@pytest.mark.parametrize(
    "kind",
    ["RequestMirror", "RequestHeaderModifier", "RequestRedirect", "URLRewrite"],
)
def test_a_filter_that_says_nothing_harms_nobody(kind: str) -> None:
    empty = route({"filters": [{"type": kind}], **matching(path("/"))})
    assert order(empty) == ["web/"]
    assert resolved(empty, ENDPOINTS).ok
