"""Cookie affinity on an Ingress, and what it does to a canary."""

from typing import TYPE_CHECKING

import pytest

from tests.sandbox.dataplane.test_routing import two_versions

if TYPE_CHECKING:
    from tests.sandbox.dataplane.conftest import Edge

pytestmark = pytest.mark.sandbox


async def client(edge: "Edge") -> dict[str, str]:
    """Return the Cookie header of a client after its first answer."""
    response = await edge.get()
    edge.session.cookie_jar.clear()
    (cookie,) = response.cookies.values()
    return {"Cookie": f"{cookie.key}={cookie.coded_value}"}


async def test_a_client_stays_with_its_pod(edge: "Edge") -> None:
    pods = [await edge.pod(number, f"pod-{number}") for number in range(1, 5)]
    edge.service("web", *pods)
    edge.ingress("web", "web", affinity="cookie", session_cookie_name="stay")
    await edge.configurator.apply()
    met = set()
    for _ in range(20):
        cookie = await client(edge)
        assert cookie["Cookie"].startswith("stay=")
        mine = {await edge.version(headers=cookie) for _ in range(5)}
        assert len(mine) == 1
        met |= mine
    assert len(met) > 1


async def test_a_client_of_stable_stays_there_whatever_the_canary_wants(edge: "Edge") -> None:
    await two_versions(edge, canary_weight="0", canary_by_header="x-canary")
    edge.ingress("web", "web", affinity="cookie")
    await edge.configurator.apply()
    cookie = await client(edge)
    edge.ingress("web-canary", "web-canary", canary_weight="100")
    await edge.configurator.apply()
    assert await edge.version() == "v2"
    assert await edge.version(headers=cookie) == "v1"
    assert await edge.version(headers=cookie | {"x-canary": "always"}) == "v1"
    of_canary = await client(edge)
    edge.ingress("web-canary", "web-canary", canary_weight="0")
    await edge.configurator.apply()
    assert await edge.version(headers=of_canary) == "v2"


async def test_the_legacy_behaviour_asks_the_canary_each_time(edge: "Edge") -> None:
    await two_versions(edge, canary_weight="0")
    edge.ingress("web", "web", affinity="cookie", affinity_canary_behavior="legacy")
    await edge.configurator.apply()
    cookie = await client(edge)
    edge.ingress("web-canary", "web-canary", canary_weight="100")
    await edge.configurator.apply()
    assert await edge.version(headers=cookie) == "v2"
