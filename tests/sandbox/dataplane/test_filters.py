"""What a route's filters change, and copies of requests: a route's and an Ingress's."""

import asyncio
from typing import TYPE_CHECKING

import pytest

from rollouts.model.kinds import JSON
from tests.sandbox.dataplane.test_gateway import backend, path, rule, two_services

if TYPE_CHECKING:
    from tests.sandbox.dataplane.conftest import Edge, Until

pytestmark = pytest.mark.sandbox


def modifier(side: str, **changes: object) -> JSON:
    name = f"{side}HeaderModifier"
    return {"type": name, name[0].lower() + name[1:]: changes}


async def test_request_headers_are_set_added_and_removed(edge: "Edge") -> None:
    await two_services(edge)
    change = modifier(
        "Request",
        set=[{"name": "X-Set", "value": "new"}],
        add=[{"name": "x-add", "value": "more"}],
        remove=["x-gone"],
    )
    of_backend = modifier("Request", set=[{"name": "x-revision", "value": "2"}])
    edge.route("web", rule(backend("v1", filters=[of_backend]), filters=[change]))
    await edge.configurator.apply()
    given = {"x-set": "old", "x-gone": "here", "x-kept": "kept"}
    response = await edge.get("/a%2Fb?q=1", given, "POST")
    assert await response.text() == "v1 POST /a%2Fb?q=1 10"
    got = edge.asked[-1].headers
    assert got["x-set"] == "new"
    assert got["x-add"] == "more"
    assert got["x-kept"] == "kept"
    assert got["x-revision"] == "2"
    assert got["host"] == "shop.example"
    assert "x-gone" not in got


async def test_response_headers_are_set_added_and_removed(edge: "Edge") -> None:
    await two_services(edge)
    change = modifier(
        "Response",
        set=[{"name": "x-version", "value": "hidden"}],
        add=[{"name": "x-add", "value": "more"}],
        remove=["x-pod"],
    )
    edge.route("web", rule(backend("v1"), filters=[change]))
    await edge.configurator.apply()
    response = await edge.get()
    assert response.headers["x-version"] == "hidden"
    assert response.headers["x-add"] == "more"
    assert "x-pod" not in response.headers


@pytest.mark.parametrize(
    ("change", "sent"),
    [
        ({"type": "ReplaceFullPath", "replaceFullPath": "/all"}, "/all?q=%20"),
        ({"type": "ReplacePrefixMatch", "replacePrefixMatch": "/new"}, "/new/c%2Fd?q=%20"),
        ({"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}, "/c%2Fd?q=%20"),
    ],
)
async def test_a_rewrite_changes_path_and_host(edge: "Edge", change: JSON, sent: str) -> None:
    await two_services(edge)
    rewrite = {"type": "URLRewrite", "urlRewrite": {"hostname": "inner.example", "path": change}}
    edge.route("web", rule(backend("v1"), filters=[rewrite], matches=[path("/a/b")]))
    await edge.configurator.apply()
    await edge.get("/a/b/c%2Fd?q=%20")
    assert edge.asked[-1].uri == sent
    assert edge.asked[-1].headers["host"] == "inner.example"


async def test_a_redirect_is_answered_by_the_gateway(edge: "Edge") -> None:
    redirect = {"scheme": "https", "hostname": "new.example", "statusCode": 301}
    edge.route("web", rule(filters=[{"type": "RequestRedirect", "requestRedirect": redirect}]))
    await edge.configurator.apply()
    response = await edge.get("/a?b=1")
    assert response.status == 301
    assert response.headers["location"] == "https://new.example/a?b=1"


def asked(edge: "Edge", version: str) -> list[tuple[str, str, bytes]]:
    return [(each.method, each.uri, each.body) for each in edge.asked if each.version == version]


async def test_a_routes_mirror_gets_a_copy_of_the_request(edge: "Edge", until: "Until") -> None:
    await two_services(edge)
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": backend("v2")}}
    edge.route("web", rule(backend("v1"), filters=[mirror]))
    await edge.configurator.apply()
    assert (await edge.get("/a%2Fb?q=1&r=%20", {"x-own": "1"}, "POST")).headers["x-version"] == "v1"
    await until(lambda: asked(edge, "v2"))
    assert asked(edge, "v2") == [("POST", "/a%2Fb?q=1&r=%20", b"x" * 10)]
    assert edge.asked[-1].headers["x-own"] == "1"


async def test_a_mirror_may_get_a_part_only(edge: "Edge", until: "Until") -> None:
    await two_services(edge)
    requests = 400
    mirror = {
        "type": "RequestMirror",
        "requestMirror": {"backendRef": backend("v2"), "percent": 25},
    }
    last = {"type": "RequestMirror", "requestMirror": {"backendRef": backend("v2")}}
    edge.route(
        "web",
        rule(backend("v1"), filters=[mirror]),
        rule(backend("v1"), filters=[last], matches=[path("/last")]),
    )
    await edge.configurator.apply()
    for _ in range(requests):
        await edge.get()
    await edge.get("/last")
    await until(lambda: asked(edge, "v2")[-1:] and asked(edge, "v2")[-1][1] == "/last")
    # Mean 100, standard deviation 9: five of them on each side.
    assert 55 <= len(asked(edge, "v2")) <= 145


@pytest.mark.parametrize(
    ("target", "sent"),
    [
        ("http://v2.default.svc.cluster.local$request_uri", "/a%2Fb?q=1"),
        ("http://v2.default.svc:80/copy$request_uri", "/copy/a%2Fb?q=1"),
        ("http://v2.default.svc", "/a%2Fb?q=1"),
    ],
)
async def test_an_ingress_mirrors_to_its_target(
    edge: "Edge", until: "Until", target: str, sent: str
) -> None:
    await two_services(edge)
    edge.ingress("web", "v1", mirror_target=target)
    await edge.configurator.apply()
    assert await edge.version("/a%2Fb?q=1") == "v1"
    await until(lambda: asked(edge, "v2"))
    assert asked(edge, "v2") == [("GET", sent, b"x" * 10)]
    assert edge.asked[-1].headers["host"].startswith("v2.default.svc")


async def test_requests_of_both_arms_are_mirrored(edge: "Edge", until: "Until") -> None:
    await two_services(edge)
    edge.service("copies", await edge.pod(3, "copies"))
    edge.ingress("web", "v1", mirror_target="http://copies.default.svc$request_uri")
    edge.ingress("web-canary", "v2", canary="true", canary_by_header="x-canary")
    await edge.configurator.apply()
    assert await edge.version("/stable") == "v1"
    assert await edge.version("/canary", {"x-canary": "always"}) == "v2"
    await until(lambda: len(asked(edge, "copies")) == 2)
    assert {uri for _, uri, _ in asked(edge, "copies")} == {"/stable", "/canary"}


async def test_a_copy_may_go_without_its_body(edge: "Edge", until: "Until") -> None:
    await two_services(edge)
    target = "http://v2.default.svc$request_uri"
    edge.ingress("web", "v1", mirror_target=target, mirror_request_body="off")
    await edge.configurator.apply()
    assert (await edge.get(method="POST")).headers["x-version"] == "v1"
    await until(lambda: asked(edge, "v2"))
    assert asked(edge, "v2") == [("POST", "/", b"")]


async def test_a_mirror_that_hangs_fails_or_is_not_there_harms_nobody(
    edge: "Edge", until: "Until"
) -> None:
    edge.service("v1", await edge.pod(1, "v1"))
    edge.service("v2", await edge.pod(2, "slow"), f"127.{edge.network.number}.1.9")
    edge.ingress("web", "v1", mirror_target="http://v2.default.svc$request_uri")
    await edge.configurator.apply()
    async with asyncio.timeout(5):
        assert {await edge.version() for _ in range(200)} == {"v1"}
    await until(lambda: len(asked(edge, "slow")) == 100)
    edge.released.set()
    edge.ingress("web", "v1", mirror_target="http://gone.default.svc$request_uri")
    await edge.configurator.apply()
    assert await edge.version() == "v1"
