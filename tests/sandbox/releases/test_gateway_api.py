"""Releases by weights in the user's own HTTPRoutes and GRPCRoutes, which are as before afterwards."""

import copy
from typing import Any

import pytest

from rollouts.model.kinds import GRPC_ROUTE, HTTP_ROUTE, JSON, ROLLOUT, SERVICE
from rollouts.traffic.gateway.scene import NOTE
from tests.sandbox.releases import goods
from tests.sandbox.releases.routed import (
    HTTP,
    QUICK_STEPS,
    SANDBOX,
    as_written,
    backend,
    callers,
    customers,
    gets,
    grpc_route,
    has,
    http_route,
    opens,
    put_back,
    refs,
    rollout,
    strategy,
)
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.sandbox.releases.shop import Shop
from tests.sandbox.releases.switching import releases
from tests.sandbox.releases.test_releases import TWO_WEIGHTS

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

STABLE, CANARY = goods.STABLE, goods.CANARY
ALL: JSON = {"gatewayAPI": {"httpRoutes": [goods.NAME, "second"], "grpcRoutes": [goods.NAME]}}


def path(value: str) -> list[JSON]:
    return [{"path": {"type": "PathPrefix", "value": value}}]


def header(name: str, value: str) -> JSON:
    modifier = {"set": [{"name": name, "value": value}]}
    return {"type": "ResponseHeaderModifier", "responseHeaderModifier": modifier}


RULES: list[JSON] = [
    {"name": "static", "matches": path("/static"), "backendRefs": [backend("other")]},
    {
        "matches": path("/"),
        "filters": [header("x-shop", "open")],
        "timeouts": {"request": "10s"},
        "backendRefs": [backend(filters=[header("x-arm", "yes")])],
    },
    {"matches": path("/three"), "backendRefs": [backend("other", weight=100), backend(weight=300)]},
    {"matches": path("/old"), "filters": [{"type": "RequestRedirect", "requestRedirect": {}}]},
]
"""Rules of all kinds: of others, with filters, with other backends, and without any."""


async def every_route_moves_and_is_its_users_again(shop: Shop) -> None:
    shop.create(SERVICE, goods.service(shop.namespace, "other"))
    second = http_route(shop, name="second", hostnames=[f"second.{shop.host}"])
    await opens(
        shop,
        rollout(shop, ALL, TWO_WEIGHTS),
        http_route(shop, *copy.deepcopy(RULES)),
        second,
        grpc_route(shop),
    )
    before = written(shop)
    async with customers(shop, 25) as load, callers(shop, 25) as calls:
        releases(shop, "2")
        for weight in (20, 60):
            await has(shop, weight)
            arms = {STABLE: 100 - weight, CANARY: weight}
            shared = {"other": 100, STABLE: 300 - 3 * weight, CANARY: 3 * weight}
            assert refs(shop) == [{"other": 1}, arms, shared, {}]
            assert refs(shop, "second") == refs(shop, kind=GRPC_ROUTE) == [arms]
            await gets(shop, weight, load, calls)
            assert all_but_backends(written(shop)) == all_but_backends(before)
            shop.commands("promote")
        await shop.is_promoted()
    assert load.report().failed == calls.report().failed == 0
    assert written(shop) == before


def written(shop: Shop) -> list[JSON]:
    """Return what the three routes are as their users see them."""
    kinds = ((HTTP_ROUTE, goods.NAME), (HTTP_ROUTE, "second"), (GRPC_ROUTE, goods.NAME))
    return [as_written(shop.get(kind, name)) for kind, name in kinds if shop.get(kind, name)]


def all_but_backends(routes: list[JSON]) -> list[JSON]:
    return [
        {key: value for key, value in rule.items() if key != "backendRefs"}
        for route in routes
        for rule in route["spec"]["rules"]
    ]


async def a_bad_one_is_taken_out_of_the_route_at_once(shop: Shop) -> None:
    await opens(shop, rollout(shop, HTTP, goods.UNTIL_PROMOTED), http_route(shop))
    before = written(shop)
    async with customers(shop, 30) as load:
        releases(shop, "2", ERROR_RATE="30%")
        await shop.until(lambda: shop.status.get("abort"), "rollback")
        assert [each.get(CANARY, 0) for each in refs(shop)] == [0], "traffic first, status after"
        assert (await shop.is_rolled_back()).startswith("errors: ")
        await shop.until(lambda: written(shop) == before, "as it was")
    assert load.report().versions["1"].failed == 0


async def aborted_and_superseded_a_route_goes_back_first(shop: Shop) -> None:
    await opens(shop, rollout(shop, HTTP, goods.UNTIL_PROMOTED), http_route(shop))
    before = written(shop)
    async with customers(shop) as load:
        releases(shop, "2")
        await has(shop, 50)
        shop.commands("abort")
        assert "aborted" in await shop.is_rolled_back()
        assert written(shop) == before
        shop.commands("retry")
        await has(shop, 50)
        await shop.answers(load, "2")
        superseded = shop.status["currentRevision"]["hash"]
        shop.edits(ROLLOUT, goods.NAME, {"spec": {"strategy": strategy(HTTP, QUICK_STEPS)}})
        releases(shop, "3")
        await shop.until(lambda: shop.stable > 1, "promotion")
        await shop.is_over()
        assert not any(superseded in pod["metadata"]["name"] for pod in shop.pods())
        assert load.report().versions["2"].last_at < load.report().versions["3"].first_at
    assert written(shop) == before


async def a_route_that_is_edited_or_gone_is_put_back_to_its_weight(shop: Shop) -> None:
    kind, body = http_route(shop)
    await opens(shop, rollout(shop, HTTP, goods.UNTIL_PROMOTED), (kind, copy.deepcopy(body)))
    releases(shop, "2")
    await has(shop, 50)
    async with customers(shop):
        rules = [{"backendRefs": [backend(weight=10), backend(CANARY, weight=90)]}]
        shop.edits(HTTP_ROUTE, goods.NAME, {"spec": {"rules": rules}})
        await shop.until(lambda: refs(shop) == [{STABLE: 50, CANARY: 50}], "put back")
        await shop.until(lambda: shop.events("DriftCorrected"), "the event")
        shop.edits(HTTP_ROUTE, goods.NAME, {"spec": {"hostnames": [shop.host, "else.example"]}})
        await has(shop, 50)
    shop.removes(HTTP_ROUTE, goods.NAME)
    says = f"HTTPRoute {goods.NAME} does not exist"
    await shop.until(lambda: says in shop.message and shop.phase == "Progressing", says)
    assert shop.status["weights"]["applied"] == 0
    created = shop.create(kind, body)
    await has(shop, 50)
    async with customers(shop):
        shop.commands("promote")
        await shop.is_promoted()
    assert shop.phase == "Healthy"
    assert as_written(shop.get(HTTP_ROUTE, goods.NAME)) == as_written(created)


async def what_git_applies_again_is_split_again(shop: Shop) -> None:
    """Client-side, and by the server with force: the user's rules win, and the weight comes back."""
    _, body = http_route(shop)
    assert (await shop.kubectl("apply", "-f", "-", given=body)).code == 0
    await opens(shop, rollout(shop, HTTP, goods.UNTIL_PROMOTED))
    async with customers(shop):
        releases(shop, "2")
        await has(shop, 50)
        for value, how in (("a", ()), ("b", ("--server-side", "--force-conflicts"))):
            body["spec"]["rules"][0]["filters"] = [header("x-shop", value)]
            applied = await shop.kubectl("apply", *how, "-f", "-", given=body)
            assert applied.code == 0, applied.err
            await shop.until(lambda: refs(shop) == [{STABLE: 50, CANARY: 50}], f"split again {how}")
            (rule,) = route_spec(shop)["rules"]
            assert rule["filters"] == [header("x-shop", value)]
        await shop.until(lambda: len(put_back(shop)) >= 2, "said")
        assert "abort" not in shop.status
        shop.commands("promote")
        await shop.is_promoted()
        await shop.until(lambda: shop.phase == "Healthy", "rest")
        diff = await shop.kubectl(
            "diff", "--server-side", "--force-conflicts", "-f", "-", given=body
        )
        assert (diff.code, diff.out) == (0, "")
    found = shop.get(HTTP_ROUTE, goods.NAME) or {}
    assert not any(key.startswith(NOTE) for key in found["metadata"]["annotations"])


def route_spec(shop: Shop) -> dict[str, Any]:
    return dict((shop.get(HTTP_ROUTE, goods.NAME) or {})["spec"])


async def a_parent_that_nobody_serves_is_said_and_holds_up_nothing(shop: Shop) -> None:
    """One that has never said anything of a route that another serves gets no answer ever."""
    edge: JSON = {"name": "edge"}
    body = rollout(shop, HTTP, goods.UNTIL_PROMOTED, progressDeadlineSeconds=30)
    await opens(shop, body, http_route(shop, parentRefs=[SANDBOX, edge]))
    before = written(shop)
    says = f"Gateway edge says nothing of HTTPRoute {goods.NAME}"
    await shop.until(lambda: says in str(shop.condition("Preflight").get("message")), "the remark")
    async with customers(shop):
        releases(shop, "2")
        await has(shop, 50)
        shop.commands("promote")
        await shop.is_promoted(2)
    assert route_spec(shop)["rules"] == before[0]["spec"]["rules"]


async def a_route_with_a_backend_of_nobody_is_said_before_a_release(shop: Shop) -> None:
    """What the Gateway refuses holds the weight, with the Gateway's own words."""
    await opens(shop, rollout(shop, HTTP, goods.UNTIL_PROMOTED), http_route(shop))
    rules = [{"backendRefs": [backend(), backend("nobody", weight=0)]}]
    shop.edits(HTTP_ROUTE, goods.NAME, {"spec": {"rules": rules}})
    await shop.until(
        lambda: shop.condition("Preflight").get("reason") == "RouteRefsNotResolved", "the trap"
    )
    releases(shop, "2")
    says = f"Gateway sandbox refuses HTTPRoute {goods.NAME}: BackendNotFound"
    await shop.until(lambda: shop.status.get("currentStepIndex") == 0 and says in shop.message)
    assert refs(shop) == [{STABLE: 1, "nobody": 0}]
    shop.create(SERVICE, goods.service(shop.namespace, "nobody"))
    await has(shop, 50)
    shop.commands("promote-full")
    await shop.is_promoted()


@pytest.mark.parametrize(
    "scenario",
    [
        every_route_moves_and_is_its_users_again,
        a_bad_one_is_taken_out_of_the_route_at_once,
        aborted_and_superseded_a_route_goes_back_first,
        a_route_that_is_edited_or_gone_is_put_back_to_its_weight,
        what_git_applies_again_is_split_again,
        a_parent_that_nobody_serves_is_said_and_holds_up_nothing,
        a_route_with_a_backend_of_nobody_is_said_before_a_release,
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
