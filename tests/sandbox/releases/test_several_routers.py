"""Several routing objects of one Rollout: they move together, forward with the last, back at once."""

import asyncio
from collections import Counter
from datetime import UTC, datetime

import pytest

from rollouts.model.kinds import GRPC_ROUTE, HTTP_ROUTE, INGRESS, JSON, ROLLOUT, TRAFFIC_SPLIT
from rollouts.sandbox.apiserver.audit import AuditEntry
from rollouts.sandbox.crashes import crashing
from tests.sandbox.releases import goods
from tests.sandbox.releases.routed import (
    HTTP,
    NGINX,
    QUICK,
    SANDBOX,
    SMI,
    as_written,
    callers,
    customers,
    gets,
    grpc_route,
    has,
    http_route,
    ingress,
    opens,
    refs,
    rollout,
    split,
)
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.sandbox.releases.shop import Shop
from tests.sandbox.releases.switching import releases
from tests.sandbox.releases.test_releases import TWO_WEIGHTS
from tests.sandbox.releases.town import Town

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

STABLE, CANARY = goods.STABLE, goods.CANARY
BOTH: JSON = {**NGINX, **HTTP}
ROUTES: JSON = {"gatewayAPI": {"httpRoutes": [goods.NAME], "grpcRoutes": [goods.NAME]}}
FOUR: JSON = {"nginx": {"stableIngresses": [goods.NAME, "second"]}, **ROUTES}
EDGE: JSON = {"name": "edge"}
ONE_WEIGHT: list[JSON] = [{"setWeight": 50}, QUICK]


def weights(shop: Shop) -> list[int]:
    """Return what the canary has by each of its routing objects; 0 where there is none."""
    found = [shop.weight]
    for kind in (HTTP_ROUTE, GRPC_ROUTE):
        found += [rule.get(CANARY, 0) for rule in refs(shop, kind=kind)]
    return found


async def two_ingresses_and_two_routes_move_together(shop: Shop) -> None:
    await opens(
        shop,
        rollout(shop, FOUR, TWO_WEIGHTS),
        ingress(shop),
        ingress(shop, "second"),
        http_route(shop),
        grpc_route(shop),
    )
    before = written(shop)
    gateway, second = {"url": shop.sandbox.gateway_url}, {"host": f"second.{shop.host}"}
    async with (
        customers(shop, 10) as load,
        customers(shop, 10, None, **second) as other,
        customers(shop, 10, None, **gateway) as routed,
        callers(shop, 10) as calls,
    ):
        releases(shop, "2")
        for weight in (20, 60):
            await has(shop, weight)
            assert weights(shop) == [weight] * 3
            await gets(shop, weight, load, other, routed, calls, requests=100)
            shop.commands("promote")
        await shop.is_promoted()
    assert written(shop) == before
    assert shop.get(INGRESS, f"second-{goods.CANARY_INGRESS.removeprefix('web-')}") is None


def written(shop: Shop) -> list[JSON]:
    kinds = ((INGRESS, "second"), (INGRESS, "web"), (HTTP_ROUTE, "web"), (GRPC_ROUTE, "web"))
    return [as_written(shop.get(kind, name)) for kind, name in kinds if shop.get(kind, name)]


def edge_says_yes(shop: Shop) -> None:
    """Answer for the second parent as its controller would, to this generation of the route."""
    route = shop.get(HTTP_ROUTE, goods.NAME)
    assert route is not None
    now = {
        "status": "True",
        "reason": "Accepted",
        "message": "",
        "lastTransitionTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "observedGeneration": route["metadata"]["generation"],
    }
    said = [{"type": kind, **now} for kind in ("Accepted", "ResolvedRefs")]
    answer = {"parentRef": EDGE, "controllerName": "edge.test/controller", "conditions": said}
    listed = (route.get("status") or {}).get("parents") or []
    others = [each for each in listed if each["parentRef"]["name"] != EDGE["name"]]
    status = {"status": {"parents": [*others, answer]}}
    shop.store.patch(HTTP_ROUTE, shop.namespace, goods.NAME, status, "status")


def edge_has_said(shop: Shop) -> bool:
    """Return whether the second parent has answered to this generation; if not, have it answer."""
    route = shop.get(HTTP_ROUTE, goods.NAME)
    assert route is not None
    for each in (route.get("status") or {}).get("parents") or []:
        if each["parentRef"]["name"] == EDGE["name"]:
            first = each["conditions"][0]
            if first["observedGeneration"] == route["metadata"]["generation"]:
                return True
    edge_says_yes(shop)
    return False


async def forward_goes_with_the_last_to_confirm_and_back_at_once(shop: Shop) -> None:
    await opens(
        shop,
        rollout(shop, BOTH, goods.UNTIL_PROMOTED),
        ingress(shop),
        http_route(shop, parentRefs=[SANDBOX, EDGE]),
    )
    edge_says_yes(shop)  # so that it is known to answer
    gateway = {"url": shop.sandbox.gateway_url}
    async with customers(shop) as load, customers(shop, 20, None, **gateway):
        releases(shop, "2")
        await shop.until(lambda: weights(shop) == [50, 50], "both")
        await shop.serves(load, 30)
        assert shop.status["weights"]["applied"] == 0, "the second parent has not confirmed"
        await shop.until(
            lambda: edge_has_said(shop) and shop.status["weights"]["applied"] == 50, "confirmed"
        )
        shop.commands("abort")
        await shop.until(lambda: shop.status.get("abort"), "rollback")
        assert weights(shop) == [0, 0], "traffic first, status after"
        await shop.until(
            lambda: edge_has_said(shop) and refs(shop) == [{STABLE: 1}],
            "clean",
        )
        await shop.is_over()


async def a_router_that_is_taken_out_in_the_middle_leaves_nothing(shop: Shop) -> None:
    await opens(shop, rollout(shop, BOTH, goods.UNTIL_PROMOTED), ingress(shop), http_route(shop))
    gateway = {"url": shop.sandbox.gateway_url}
    async with customers(shop) as load, customers(shop, 20, None, **gateway) as routed:
        releases(shop, "2")
        await has(shop, 50)
        await shop.answers(load, "2")
        without = {"strategy": {"canary": {"trafficRouting": {"nginx": None}}}}
        shop.edits(ROLLOUT, goods.NAME, {"spec": without})
        await shop.until(lambda: shop.get(INGRESS, goods.CANARY_INGRESS) is None, "gone")
        assert weights(shop) == [0, 50]
        await shop.serves(load, 20)
        before = load.report().versions["2"].last_at
        await asyncio.gather(shop.serves(load, 40), shop.serves(routed, 40))
        assert load.report().versions["2"].last_at == before
        assert "abort" not in shop.status
        shop.commands("promote")
        await shop.is_promoted()


async def routers_in_trouble(town: Town) -> None:
    """One can't be written; then the controller is killed after each write to each of them."""
    await what_can_be_taken_back_is_taken_back(town.shop("refused"))
    await killed_after_each_write_to_a_route(town)
    assert "Traceback" not in town.controller_log()


async def what_can_be_taken_back_is_taken_back(shop: Shop) -> None:
    await opens(shop, rollout(shop, BOTH, goods.UNTIL_PROMOTED), ingress(shop), http_route(shop))
    faults, gateway = shop.town.sandbox.api.faults, {"url": shop.sandbox.gateway_url}
    async with customers(shop), customers(shop, 20, None, **gateway):
        releases(shop, "2")
        for plural, taken in ((HTTP_ROUTE.plural, [0, 50]), (INGRESS.plural, [50, 0])):
            await has(shop, 50)
            faults.fail_writes(plural, count=10_000, code=500)
            shop.commands("abort")
            await is_half_way(shop, taken, plural)
            faults.clear()
            await shop.until(lambda: weights(shop) == [0, 0], "soon", seconds=10)
            assert "aborted" in await shop.is_rolled_back()
            assert weights(shop) == [0, 0]
            shop.commands("retry")
        await has(shop, 50)
        shop.commands("promote-full")
        await shop.until(lambda: shop.stable > 1, "promotion")
        await shop.is_over()


async def is_half_way(shop: Shop, taken: list[int], plural: str) -> None:
    await shop.until(lambda: weights(shop) == taken, f"{taken}")
    await shop.until(lambda: plural in shop.message, f"words about {plural}")
    assert weights(shop) == taken


ROUTING = (TRAFFIC_SPLIT.plural, HTTP_ROUTE.plural, GRPC_ROUTE.plural, INGRESS.plural)


A_LIFE_AFTER_EACH_WRITE_SECONDS = 180.0


def ended(shop: Shop) -> bool:
    return shop.stable == 2 or "abort" in shop.status


def to_a_route(entry: AuditEntry) -> bool:
    return entry.resource in ROUTING


async def killed_after_each_write_to_a_route(town: Town) -> None:
    mesh, routes, mixed, bad = (town.shop(each) for each in ("mesh", "routes", "mixed", "bad"))
    await asyncio.gather(
        opens(mesh, rollout(mesh, SMI, ONE_WEIGHT), ingress(mesh)),
        opens(routes, rollout(routes, ROUTES, ONE_WEIGHT), http_route(routes), grpc_route(routes)),
        opens(mixed, rollout(mixed, BOTH, ONE_WEIGHT), ingress(mixed), http_route(mixed)),
        opens(bad, rollout(bad, BOTH, goods.UNTIL_PROMOTED), ingress(bad), http_route(bad)),
    )

    async def release(shop: Shop, **environment: str) -> None:
        gateway = {"url": shop.sandbox.gateway_url} if shop is routes else {}
        async with customers(shop, 20, None, **gateway) as load:
            releases(shop, "2", **environment)
            await shop.until(
                lambda: ended(shop), "the end", seconds=A_LIFE_AFTER_EACH_WRITE_SECONDS
            )
            if environment:
                assert (await shop.is_rolled_back()).startswith("errors: ")
            else:
                await shop.is_promoted()
        assert load.report().versions["1"].failed == 0
        assert weights(shop) == [0] * len(weights(shop))

    async with crashing(town.sandbox, to_a_route) as fatal:
        await asyncio.gather(
            release(mesh), release(routes), release(mixed), release(bad, ERROR_RATE="40%")
        )
    print(f"killed {len(fatal)} times: {Counter(fatal)}")
    assert {each.split()[-1] for each in fatal} == set(ROUTING)
    assert split(mesh) == []
    assert [shop.stable for shop in (mesh, routes, mixed, bad)] == [2, 2, 2, 1]


@pytest.mark.parametrize(
    "scenario",
    [
        two_ingresses_and_two_routes_move_together,
        forward_goes_with_the_last_to_confirm_and_back_at_once,
        a_router_that_is_taken_out_in_the_middle_leaves_nothing,
        pytest.param(routers_in_trouble, marks=pytest.mark.nightly, id=name_of(routers_in_trouble)),
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
