"""What ingress-nginx promises about routes and canaries, on a real nginx."""

import asyncio
import time
from collections import Counter
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import pytest

from rollouts.model.routers.nginx import INGRESS
from rollouts.sandbox.load import Load, Target

if TYPE_CHECKING:
    from tests.sandbox.dataplane.conftest import Edge, Until

pytestmark = pytest.mark.sandbox
HOST = "shop.example"


async def two_versions(edge: "Edge", **canary: str) -> None:
    """Given a stable and a canary pod, each with its Service and Ingress."""
    edge.service("web", await edge.pod(1, "v1"))
    edge.service("web-canary", await edge.pod(2, "v2"))
    edge.ingress("web", "web")
    edge.ingress("web-canary", "web-canary", canary="true", **canary)
    await edge.configurator.apply()


def has_sent(load: Load, requests: int) -> bool:
    return load.report().sent >= requests


async def test_without_a_route_nginx_answers_404_itself(edge: "Edge") -> None:
    assert await edge.version() == "404"


async def test_without_endpoints_the_answer_is_503(edge: "Edge") -> None:
    edge.service("web")
    edge.ingress("web", "web")
    await edge.configurator.apply()
    assert await edge.version() == "503"


async def test_the_request_reaches_the_pod_as_it_was_sent(edge: "Edge") -> None:
    edge.service("web", await edge.pod(1, "v1"))
    edge.ingress("web", "web")
    await edge.configurator.apply()
    response = await edge.get("/a%2Fb/?q=1&r=%20", method="POST")
    assert await response.text() == "v1 POST /a%2Fb/?q=1&r=%20 10"


async def test_the_weight_is_the_share_of_requests(edge: "Edge") -> None:
    await two_versions(edge, canary_weight="25")
    seen = Counter([await edge.version() for _ in range(1200)])
    # Mean 300, standard deviation 15: five of them on each side.
    assert 225 <= seen["v2"] <= 375
    assert seen["v1"] + seen["v2"] == 1200


@pytest.mark.parametrize(("weight", "total", "winner"), [("0", "100", "v1"), ("200", "200", "v2")])
async def test_all_or_nothing_is_exact(edge: "Edge", weight: str, total: str, winner: str) -> None:
    await two_versions(edge, canary_weight=weight, canary_weight_total=total)
    assert {await edge.version() for _ in range(100)} == {winner}


async def test_header_goes_before_cookie_and_cookie_before_weight(edge: "Edge") -> None:
    await two_versions(
        edge, canary_weight="0", canary_by_header="x-canary", canary_by_cookie="taste"
    )
    always, never = {"x-canary": "always"}, {"x-canary": "never"}
    assert await edge.version(headers=always) == "v2"
    assert await edge.version(headers={"Cookie": "taste=always"}) == "v2"
    assert await edge.version(headers=always | {"Cookie": "taste=never"}) == "v2"
    assert await edge.version(headers=never | {"Cookie": "taste=always"}) == "v1"
    assert await edge.version(headers={"x-canary": "other", "Cookie": "taste=always"}) == "v2"


async def test_a_header_value_or_pattern_has_to_match(edge: "Edge") -> None:
    await two_versions(edge, canary_by_header="x-team", canary_by_header_value="blue")
    assert await edge.version(headers={"x-team": "blue"}) == "v2"
    assert await edge.version(headers={"x-team": "always"}) == "v1"
    edge.ingress(
        "web-canary",
        "web-canary",
        canary_by_header_value=None,
        canary_by_header_pattern="^(blue|green)$",
    )
    await edge.configurator.apply()
    assert await edge.version(headers={"x-team": "green"}) == "v2"
    assert await edge.version(headers={"x-team": "greenish"}) == "v1"


async def test_a_canary_without_endpoints_leaves_its_share_to_stable(edge: "Edge") -> None:
    await two_versions(edge, canary_weight="100")
    edge.service("web-canary")
    await edge.configurator.apply()
    assert {await edge.version() for _ in range(20)} == {"v1"}


async def test_a_dead_pod_is_tried_and_left_for_another(edge: "Edge") -> None:
    alive = await edge.pod(1, "v1")
    edge.service("web", alive, f"127.{edge.network.number}.1.9")
    edge.ingress("web", "web")
    await edge.configurator.apply()
    answers = [(await edge.get(method=method)).status for method in ("GET", "POST") * 10]
    assert set(answers) == {200}


async def test_the_ingress_is_told_its_address_once(edge: "Edge") -> None:
    edge.ingress("web", "web")
    await edge.configurator.apply()
    ingress = edge.store.get(INGRESS, "default", "web")
    assert ingress is not None
    assert ingress["status"]["loadBalancer"] == {"ingress": [{"ip": edge.network.data_plane}]}
    before = edge.store.revision
    await edge.configurator.apply()
    assert edge.store.revision == before


async def test_a_change_is_in_force_within_a_tenth_of_a_second(edge: "Edge") -> None:
    await two_versions(edge, canary_weight="0")
    running = asyncio.create_task(edge.configurator.run())
    await edge.version()
    # The fastest of a few: a busy machine makes some late, and a wait of ours makes all late.
    taken = [await _seconds_until_in_force(edge, weight) for weight in ("100", "0") * 4]
    assert min(taken) < 0.1, taken
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def _seconds_until_in_force(edge: "Edge", weight: str) -> float:
    begun = time.monotonic()
    edge.ingress("web-canary", "web-canary", canary_weight=weight)
    async with asyncio.timeout(5):
        while await edge.version() != ("v2" if weight == "100" else "v1"):
            pass
    return time.monotonic() - begun


async def test_no_request_is_lost_over_200_changes_under_load(edge: "Edge", until: "Until") -> None:
    await two_versions(edge, canary_weight="50")
    pods = [await edge.pod(number, "v1") for number in range(3, 7)]
    running = asyncio.create_task(edge.configurator.run())
    load = Load(Target(edge.nginx.listener.url, HOST), 200)
    sending = asyncio.create_task(load.run())
    for change in range(200):
        edge.ingress("web-canary", "web-canary", canary_weight=str(change % 101))
        edge.service("web", *(pods[change % 4 :] or pods))
        if change % 20 == 10:
            edge.ingress("web-canary", "web-canary", canary=str(change % 40 == 10).lower())
        await until(partial(has_sent, load, change * 4))
    load.stop()
    report = await sending
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert report.lost == 0, report.lost_reasons
    assert report.failed == 0
    assert report.succeeded == report.sent > 500
    assert set(report.versions) == {"v1", "v2"}
