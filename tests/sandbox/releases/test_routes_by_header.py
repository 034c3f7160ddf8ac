"""Testers that choose the canary by a header or a cookie, and mirrors: opened by a step, cut by a rollback."""

from collections.abc import Callable
from functools import partial

import pytest
import yaml

from rollouts.model.kinds import HTTP_ROUTE, INGRESS, JSON, ROLLOUT
from rollouts.sandbox.load import Load
from tests.sandbox.releases import goods
from tests.sandbox.releases.routed import (
    HTTP,
    NGINX,
    SMI,
    as_written,
    customers,
    gets,
    has,
    http_route,
    ingress,
    opens,
    refs,
    rollout,
    strategy,
)
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.sandbox.releases.shop import Shop
from tests.sandbox.releases.switching import ERRORS, blue_green, releases

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

TESTER = {"X-Canary": "yes"}
HEADER_ROUTE: JSON = {
    "setHeaderRoute": {
        "name": "testers",
        "match": [{"headerName": "X-Canary", "headerValue": {"exact": "yes"}}],
    }
}
FIRST_TESTERS: list[JSON] = [HEADER_ROUTE, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]
MIRROR: JSON = {"setMirrorRoute": {"name": "copy", "percentage": 100}}
OWN = f"{goods.NAME}-{goods.NAME}-canary"


def set_by_steps(shop: Shop) -> Callable[[], bool]:
    """Return whether the header route is there, as status says."""
    return lambda: shop.status["weights"]["routes"] == ["testers"]


async def only(shop: Shop, load: Load, *versions: str) -> None:
    """See that these versions answer, and no others, once what was under way has been answered."""
    await shop.until(lambda: {*versions} <= set(load.report().versions), "the first answer")
    await shop.serves(load, 10)
    before = load.report().versions
    await shop.serves(load, 40)
    after = load.report().versions
    answering = {
        name
        for name, count in after.items()
        if name not in before or count.responses > before[name].responses
    }
    assert answering == {*versions}


async def goes_from_testers_to_everybody(shop: Shop) -> None:
    """The header first, alone; then beside a weight; then an abort, and the way to the end."""
    async with customers(shop, 25) as load, customers(shop, 10, TESTER) as testers:
        releases(shop, "2")
        await shop.until(set_by_steps(shop), "the header route")
        await shop.until(lambda: shop.paused_for == "PauseStep", "the pause")
        await only(shop, testers, "2")
        assert set(load.report().versions) == {"1"}
        shop.commands("promote")
        await has(shop, 50)
        await gets(shop, 50, load)
        await only(shop, testers, "2")

        shop.commands("abort")
        assert "aborted" in await shop.is_rolled_back()
        await only(shop, testers, "1")
        shop.commands("retry")
        await shop.until(set_by_steps(shop), "the header route again")
        await shop.until(lambda: shop.paused_for == "PauseStep", "the pause again")
        await only(shop, testers, "2")
        shop.commands("promote-full")
        await shop.until(lambda: shop.stable > 1, "promotion")
        await shop.is_over()
        await only(shop, load, "2")
    assert load.report().failed == testers.report().failed == 0


async def a_header_opens_an_nginx_canary_to_testers(shop: Shop) -> None:
    await opens(shop, rollout(shop, NGINX, FIRST_TESTERS), ingress(shop))
    before = as_written(shop.get(INGRESS, goods.NAME))
    await goes_from_testers_to_everybody(shop)
    assert as_written(shop.get(INGRESS, goods.NAME)) == before


async def a_header_opens_an_http_route_to_testers(shop: Shop) -> None:
    await opens(shop, rollout(shop, HTTP, FIRST_TESTERS), http_route(shop))
    before = as_written(shop.get(HTTP_ROUTE, goods.NAME))
    await goes_from_testers_to_everybody(shop)
    assert as_written(shop.get(HTTP_ROUTE, goods.NAME)) == before
    assert shop.get(HTTP_ROUTE, OWN) is None


async def a_header_route_that_somebody_removes_is_put_back(shop: Shop) -> None:
    await opens(shop, rollout(shop, HTTP, FIRST_TESTERS[:2]), http_route(shop))
    async with customers(shop, 20, TESTER) as testers:
        releases(shop, "2")
        await shop.until(set_by_steps(shop), "the header route")
        shop.removes(HTTP_ROUTE, OWN)
        await shop.until(lambda: shop.get(HTTP_ROUTE, OWN), "made again")
        await shop.until(lambda: shop.events("DriftCorrected"), "the event")
        await only(shop, testers, "2")
        shop.commands("promote")
        await shop.is_promoted()


async def a_rollback_cuts_off_testers_with_a_cookie(shop: Shop) -> None:
    by_cookie = {"nginx": {**NGINX["nginx"], "canaryIngressAnnotations": COOKIE}}
    await opens(shop, rollout(shop, by_cookie, [{"setWeight": 1}, {"pause": {}}]), ingress(shop))
    async with customers(shop, 20, {"Cookie": "tester=always"}) as testers:
        releases(shop, "2")
        await has(shop, 1)
        await only(shop, testers, "2")
        shop.commands("abort")
        assert "aborted" in await shop.is_rolled_back()
        await only(shop, testers, "1")


COOKIE = {"canary-by-cookie": "tester"}


async def a_mirror_finds_what_no_user_sees(shop: Shop, mirror: JSON) -> None:
    """Release a bad version that gets copies alone: it is rolled back, and nobody has seen it."""
    async with customers(shop, 30) as load:
        releases(shop, "2", ERROR_RATE="40%")
        assert (await shop.is_rolled_back()).startswith("errors: ")
        releases(shop, "3")
        await shop.until(lambda: shop.status["weights"]["routes"] == ["copy"], "the mirror")
        await shop.until(lambda: shop.criterion("errors").get("requests", 0) >= 20, "copies")
        assert set(load.report().versions) == {"1"}
        assert mirror["setMirrorRoute"]["name"] in shop.status["weights"]["routes"]
        shop.commands("promote-full")
        await shop.is_promoted(3)
    assert load.report().failed == 0


async def an_http_route_mirrors_a_share(shop: Shop) -> None:
    mirror: JSON = {"setMirrorRoute": {"name": "copy", "percentage": 60}}
    await opens(shop, rollout(shop, HTTP, [mirror, {"pause": {}}]), http_route(shop))
    before = as_written(shop.get(HTTP_ROUTE, goods.NAME))
    await a_mirror_finds_what_no_user_sees(shop, mirror)
    assert as_written(shop.get(HTTP_ROUTE, goods.NAME)) == before


async def an_nginx_ingress_mirrors_everything(shop: Shop) -> None:
    await opens(
        shop, rollout(shop, NGINX, [MIRROR, {"pause": {}}], successCriteria=[BY_APP]), ingress(shop)
    )
    before = as_written(shop.get(INGRESS, goods.NAME))
    await a_mirror_finds_what_no_user_sees(shop, MIRROR)
    assert as_written(shop.get(INGRESS, goods.NAME)) == before


BY_APP: JSON = {**ERRORS, "source": "app"}


async def an_http_route_mirrors_what_matches(shop: Shop) -> None:
    match = [{"headers": {"X-Canary": {"exact": "yes"}}}]
    mirror: JSON = {"setMirrorRoute": {"name": "copy", "match": match}}
    await opens(shop, rollout(shop, HTTP, [mirror, {"pause": {}}]), http_route(shop))
    before = as_written(shop.get(HTTP_ROUTE, goods.NAME))
    async with customers(shop, 30) as load:
        releases(shop, "2")
        await shop.until(lambda: shop.status["weights"]["routes"] == ["copy"], "the mirror")
        await shop.serves(load, 60)
        assert shop.criterion("errors").get("requests", 0) == 0
        async with customers(shop, 30, TESTER) as testers:
            await shop.until(lambda: shop.criterion("errors").get("requests", 0) >= 8, "copies")
            assert set(testers.report().versions) == set(load.report().versions) == {"1"}
        assert refs(shop) == [{goods.STABLE: 1}]
        shop.commands("abort")
        await shop.is_rolled_back()
        await shop.until(lambda: shop.get(HTTP_ROUTE, OWN) is None, "no route of ours")
    assert as_written(shop.get(HTTP_ROUTE, goods.NAME)) == before


HALF: JSON = {"setMirrorRoute": {"name": "copy", "percentage": 50}}
MATCHING: JSON = {"setMirrorRoute": {"name": "copy", "match": [{"path": {"prefix": "/a"}}]}}
REFUSED: dict[str, tuple[JSON, str]] = {
    "smi-header": (strategy(SMI, [HEADER_ROUTE]), "a TrafficSplit can't route by header"),
    "smi-mirror": (strategy(SMI, [MIRROR]), "a TrafficSplit can't mirror"),
    "no-router-header": ({"canary": {"steps": [HEADER_ROUTE]}}, "needs trafficRouting"),
    "no-router-mirror": ({"canary": {"steps": [MIRROR]}}, "needs trafficRouting"),
    "nginx-share": (strategy(NGINX, [HALF]), "ingress-nginx mirrors all requests or none"),
    "nginx-match": (strategy(NGINX, [MATCHING]), "ingress-nginx mirrors all requests; leave match"),
}


async def what_a_router_can_not_do_is_refused_in_words(shop: Shop) -> None:
    """By lint, and by the controller when it got past; of blue-green the schema knows no steps."""
    bodies = {
        name: {
            **rollout(shop, SMI, [], strategy=each),
            "metadata": goods.metadata(shop.namespace, name),
        }
        for name, (each, _) in REFUSED.items()
    }
    bodies["blue-green"] = copied_steps(bodies["smi-header"])
    file = shop.sandbox.directory / "refused.yaml"
    file.write_text(yaml.safe_dump_all(bodies.values()))
    linted = await shop.town.rollouts("lint", str(file))
    assert linted.code != 0
    blue = await shop.kubectl("apply", "-f", "-", given=bodies.pop("blue-green"))
    assert 'unknown field "spec.strategy.blueGreen.steps"' in blue.err
    assert "spec.strategy.blueGreen.steps: unknown field" in linted.out
    for body in bodies.values():
        shop.create(ROLLOUT, body)
    for name, (_, says) in REFUSED.items():
        assert says in linted.out
        await shop.until(partial(invalid, shop, name), f"InvalidSpec of {name}")
        assert says in invalid(shop, name)
        assert shop.replica_sets() == []
        shop.removes(ROLLOUT, name)


def copied_steps(body: JSON) -> JSON:
    return {
        **body,
        "spec": {
            **body["spec"],
            "strategy": {"blueGreen": {**blue_green()["blueGreen"], "steps": [HEADER_ROUTE]}},
        },
    }


def invalid(shop: Shop, name: str) -> str:
    found = shop.get(ROLLOUT, name) or {}
    said = (found.get("status") or {}).get("conditions") or []
    return next(
        (
            str(each["message"])
            for each in said
            if (each["type"], each["status"]) == ("InvalidSpec", "True")
        ),
        "",
    )


@pytest.mark.parametrize(
    "scenario",
    [
        a_header_opens_an_nginx_canary_to_testers,
        a_header_opens_an_http_route_to_testers,
        a_header_route_that_somebody_removes_is_put_back,
        a_rollback_cuts_off_testers_with_a_cookie,
        an_http_route_mirrors_a_share,
        an_http_route_mirrors_what_matches,
        an_nginx_ingress_mirrors_everything,
        what_a_router_can_not_do_is_refused_in_words,
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
