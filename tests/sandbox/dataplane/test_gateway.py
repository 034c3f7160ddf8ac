"""What HTTPRoutes and GRPCRoutes on the sandbox's Gateway do to requests."""

import asyncio
from collections import Counter
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import pytest

from rollouts.model.kinds import JSON
from rollouts.model.routers.gateway import GRPC_ROUTE, HTTP_ROUTE
from rollouts.model.routers.nginx import INGRESS
from rollouts.sandbox.load import Load, Target
from rollouts.traffic.gateway.classes import GATEWAY_CLASS, MIRROR, PERCENTAGE_MIRROR
from tests.sandbox.dataplane.test_exporter import counts
from tests.sandbox.dataplane.test_splits import has_sent

if TYPE_CHECKING:
    from tests.sandbox.dataplane.conftest import Edge, Until

pytestmark = pytest.mark.sandbox
HOST = "shop.example"


def backend(name: str, weight: int = 1, **more: object) -> JSON:
    return {"name": name, "port": 80, "weight": weight, **more}


def rule(*backends: JSON, **more: object) -> JSON:
    return {"backendRefs": [*backends], **more}


def path(value: str, kind: str = "PathPrefix") -> JSON:
    return {"path": {"type": kind, "value": value}}


async def two_services(edge: "Edge") -> None:
    """Given the Services `v1` and `v2`, with a pod each."""
    edge.service("v1", await edge.pod(1, "v1"))
    edge.service("v2", await edge.pod(2, "v2"))


async def test_weights_are_shares_of_requests_and_not_ingress_nginx_s(edge: "Edge") -> None:
    await two_services(edge)
    edge.route("web", rule(backend("v1", 75), backend("v2", 25)))
    await edge.configurator.apply()
    seen = Counter([await edge.version() for _ in range(400)])
    # Mean 100, standard deviation 9: five of them on each side.
    assert 55 <= seen["v2"] <= 145
    assert seen["v1"] + seen["v2"] == 400
    page = await edge.scrape()
    assert counts(page) == 0
    answered = {"route": "HTTPRoute/default/web", "backend": "default-v2-80", "status": "200"}
    assert counts(page, "sandbox_requests_total", **answered) == seen["v2"]


SHARES: tuple[tuple[list[JSON], set[str]], ...] = (
    ([backend("v1", 100), backend("v2", 0)], {"v1"}),
    ([backend("v1", 1), backend("missing", 0)], {"v1"}),
    ([backend("v1", 0), backend("v2", 0)], {"500"}),
    ([], {"500"}),
    ([backend("v1", 1), backend("missing", 1)], {"v1", "500"}),
    ([backend("v1", 1), backend("empty", 1)], {"v1", "503"}),
    ([backend("v1", 1), backend("v2", 1, namespace="other")], {"v1", "500"}),
)


async def test_each_share_is_answered_by_its_backend_or_by_its_error(edge: "Edge") -> None:
    await two_services(edge)
    edge.service("empty")
    for backends, answers in SHARES:
        edge.route("web", rule(*backends))
        await edge.configurator.apply()
        assert {await edge.version() for _ in range(60)} == answers, backends


TEAM = {"headers": [{"name": "X-Team", "value": "blue"}]}
TEAMS = {"headers": [{"name": "x-team", "value": "b.*", "type": "RegularExpression"}]}


MATCHES = (
    (path("/a", "Exact"), "/a", True),
    (path("/a", "Exact"), "/a/b", False),
    (path("/a"), "/a/b", True),
    (path("/a/"), "/a", True),
    (path("/a"), "/ab", False),
    (path("/a[0-9]+", "RegularExpression"), "/a12", True),
    (path("/a[0-9]+", "RegularExpression"), "/a12b", False),
    ({"method": "POST"}, "/", True),
    ({"method": "GET"}, "/", False),
    (TEAM, "/", True),
    (TEAMS, "/", True),
    ({"headers": [{"name": "X-Team", "value": "red"}]}, "/", False),
    ({"headers": [{"name": "X-Crew", "value": "blue"}]}, "/", False),
    (TEAM | {"method": "GET"}, "/", False),
    ({"queryParams": [{"name": "q", "value": "1 2"}]}, "/?p=0&q=1%202", True),
    ({"queryParams": [{"name": "q", "value": "1"}]}, "/?q=2", False),
)
"""A match, a path, and whether a POST with `x-team: blue` is matched."""


async def test_a_match_holds_for_the_requests_that_it_names(edge: "Edge") -> None:
    await two_services(edge)
    for match, uri, hit in MATCHES:
        edge.route("web", rule(backend("v1")), rule(backend("v2"), matches=[match]))
        await edge.configurator.apply()
        response = await edge.get(uri, {"x-team": "blue"}, "POST")
        assert response.headers["x-version"] == ("v2" if hit else "v1"), (match, uri)


async def test_a_route_of_headers_beside_the_users_goes_first(edge: "Edge") -> None:
    await two_services(edge)
    edge.route("a-users", rule(backend("v1")))
    headers = [{"name": "x-canary", "value": "yes"}]
    edge.route("z-ours", rule(backend("v2"), matches=[{"headers": headers}]))
    await edge.configurator.apply()
    assert await edge.version() == "v1"
    assert await edge.version(headers={"x-canary": "yes"}) == "v2"
    edge.store.delete(HTTP_ROUTE, "default", "z-ours")
    await edge.configurator.apply()
    assert await edge.version(headers={"x-canary": "yes"}) == "v1"


async def test_the_narrower_host_goes_first_and_an_ingress_before_a_route(edge: "Edge") -> None:
    await two_services(edge)
    edge.route("any", rule(backend("v1")), hostnames=())
    edge.route("wild", rule(backend("v2")), hostnames=("*.example",))
    await edge.configurator.apply()
    assert await edge.version(headers={"Host": "else.where"}) == "v1"
    assert await edge.version() == "v2"
    edge.service("v3", await edge.pod(3, "v3"))
    edge.ingress("web", "v3")
    await edge.configurator.apply()
    assert await edge.version() == "v3"
    edge.route("shop", rule(backend("v1")))
    await edge.configurator.apply()
    assert await edge.version() == "v3"
    assert await edge.version(edge.nginx.listener.gateway_url) == "v1"
    edge.store.delete(INGRESS, "default", "web")
    await edge.configurator.apply()
    assert await edge.version() == "v1"


async def test_a_traffic_split_splits_a_routes_service(edge: "Edge") -> None:
    await two_services(edge)
    edge.service("web")
    edge.route("web", rule(backend("web")))
    edge.split("v1alpha4", "web", {"v1": 50, "v2": 50})
    await edge.configurator.apply()
    assert {await edge.version() for _ in range(60)} == {"v1", "v2"}


@pytest.mark.parametrize(
    ("method", "hit"),
    [
        ({"service": "shop.Cart", "method": "Add"}, "/shop.Cart/Add"),
        ({"service": "shop.Cart"}, "/shop.Cart/Remove"),
        ({"method": "Add"}, "/shop.Other/Add"),
        ({"type": "RegularExpression", "service": r"shop\..*"}, "/shop.Other/Remove"),
    ],
)
async def test_a_grpc_route_goes_by_service_and_method(
    edge: "Edge", method: JSON, hit: str
) -> None:
    await two_services(edge)
    rules = (rule(backend("v1")), rule(backend("v2"), matches=[{"method": method}]))
    edge.route("grpc", *rules, kind=GRPC_ROUTE)
    await edge.configurator.apply()
    assert await edge.version(hit) == "v2"
    assert await edge.version("/pay.Card/Remove") == "v1"
    assert conditions(edge, "grpc", GRPC_ROUTE) == {"Accepted": "True", "ResolvedRefs": "True"}


def conditions(edge: "Edge", name: str, kind: object = HTTP_ROUTE) -> dict[str, str]:
    """Return what the sandbox's Gateway says of a route's present generation."""
    route = edge.store.get(GRPC_ROUTE if kind is GRPC_ROUTE else HTTP_ROUTE, "default", name)
    assert route is not None
    generation = route["metadata"]["generation"]
    (parent,) = route["status"]["parents"]
    assert parent["controllerName"] == "rollouts.dev/sandbox"
    return {
        each["type"]: each["status"] if each["status"] == "True" else each["reason"]
        for each in parent["conditions"]
        if each["observedGeneration"] == generation
    }


async def test_a_route_is_told_what_holds_for_its_generation(edge: "Edge") -> None:
    await two_services(edge)
    edge.route("web", rule(backend("v1"), backend("v2", 0)))
    await edge.configurator.apply()
    assert conditions(edge, "web") == {"Accepted": "True", "ResolvedRefs": "True"}
    before = edge.store.revision
    await edge.configurator.apply()
    assert edge.store.revision == before
    edge.route("web", rule(backend("v1"), backend("missing", 0)))
    assert conditions(edge, "web") == {}
    await edge.configurator.apply()
    assert conditions(edge, "web") == {"Accepted": "True", "ResolvedRefs": "BackendNotFound"}
    edge.route("web", rule(backend("v1"), filters=[{"type": "CORS", "cors": {}}]))
    await edge.configurator.apply()
    assert conditions(edge, "web") == {"Accepted": "UnsupportedValue", "ResolvedRefs": "True"}


async def test_the_class_lists_what_is_served_mirrors_among_it(edge: "Edge") -> None:
    await edge.configurator.apply()
    found = edge.store.get(GATEWAY_CLASS, "", "sandbox")
    assert found is not None
    listed = [each["name"] for each in found["status"]["supportedFeatures"]]
    assert {MIRROR, PERCENTAGE_MIRROR} <= set(listed)
    assert listed == sorted(listed)
    before = edge.store.revision
    await edge.configurator.apply()
    assert edge.store.revision == before


async def test_no_request_is_lost_while_weights_move_and_pods_go(
    edge: "Edge", until: "Until"
) -> None:
    await two_services(edge)
    pods = [await edge.pod(number, "v1") for number in range(3, 7)]
    edge.route("web", rule(backend("v1", 100), backend("v2", 0)))
    running = asyncio.create_task(edge.configurator.run())
    await edge.configurator.apply()
    load = Load(Target(edge.nginx.listener.gateway_url, HOST), 200)
    sending = asyncio.create_task(load.run())
    for change in range(100):
        edge.route("web", rule(backend("v1", 100 - change), backend("v2", change)))
        edge.service("v1", *(pods[change % 4 :]))
        await until(partial(has_sent, load, change * 4))
    load.stop()
    report = await sending
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert report.succeeded == report.sent > 380, report.lost_reasons
    assert set(report.versions) == {"v1", "v2"}
