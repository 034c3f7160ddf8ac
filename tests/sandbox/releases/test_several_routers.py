"""Several routing objects of one Rollout: they move together, forward with the last, back at once."""

import asyncio
from collections import Counter
from datetime import UTC, datetime

import pytest

from rollouts.model.kinds import JSON, ROLLOUT
from rollouts.model.routers.gateway import GRPC_ROUTE, HTTP_ROUTE
from rollouts.model.routers.nginx import INGRESS
from rollouts.model.routers.smi import TRAFFIC_SPLIT
from rollouts.sandbox.apiserver.audit import AuditEntry
from rollouts.sandbox.crashes import crashing
from tests.sandbox.releases import manifests
from tests.sandbox.releases.release import Release
from tests.sandbox.releases.routed import (
    HTTP,
    NGINX,
    QUICK,
    SANDBOX,
    SMI,
    as_written,
    callers,
    deploys,
    gets,
    grpc_route,
    has,
    http_route,
    ingress,
    refs,
    rollout,
    split,
    traffic,
)
from tests.sandbox.releases.sandbox import ReleaseSandbox
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.sandbox.releases.switching import updates_to
from tests.sandbox.releases.test_releases import TWO_WEIGHTS

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

STABLE, CANARY = manifests.STABLE, manifests.CANARY
BOTH: JSON = {**NGINX, **HTTP}
ROUTES: JSON = {"gatewayAPI": {"httpRoutes": [manifests.NAME], "grpcRoutes": [manifests.NAME]}}
FOUR: JSON = {"nginx": {"stableIngresses": [manifests.NAME, "second"]}, **ROUTES}
EDGE: JSON = {"name": "edge"}
ONE_WEIGHT: list[JSON] = [{"setWeight": 50}, QUICK]


def weights(release: Release) -> list[int]:
    """Return what the canary has by each of its routing objects; 0 where there is none."""
    found = [release.weight]
    for kind in (HTTP_ROUTE, GRPC_ROUTE):
        found += [rule.get(CANARY, 0) for rule in refs(release, kind=kind)]
    return found


async def two_ingresses_and_two_routes_move_together(release: Release) -> None:
    await deploys(
        release,
        rollout(release, FOUR, TWO_WEIGHTS),
        ingress(release),
        ingress(release, "second"),
        http_route(release),
        grpc_route(release),
    )
    before = written(release)
    gateway, second = {"url": release.sandbox.gateway_url}, {"host": f"second.{release.host}"}
    async with (
        traffic(release, 10) as load,
        traffic(release, 10, None, **second) as other,
        traffic(release, 10, None, **gateway) as routed,
        callers(release, 10) as calls,
    ):
        updates_to(release, "2")
        for weight in (20, 60):
            await has(release, weight)
            assert weights(release) == [weight] * 3
            await gets(release, weight, load, other, routed, calls, requests=100)
            release.commands("promote")
        await release.is_promoted()
    assert written(release) == before
    assert release.get(INGRESS, f"second-{manifests.CANARY_INGRESS.removeprefix('web-')}") is None


def written(release: Release) -> list[JSON]:
    kinds = ((INGRESS, "second"), (INGRESS, "web"), (HTTP_ROUTE, "web"), (GRPC_ROUTE, "web"))
    return [as_written(release.get(kind, name)) for kind, name in kinds if release.get(kind, name)]


def edge_says_yes(release: Release) -> None:
    """Answer for the second parent as its controller would, to this generation of the route."""
    route = release.get(HTTP_ROUTE, manifests.NAME)
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
    release.objects.patch(HTTP_ROUTE, release.namespace, manifests.NAME, status, "status")


def edge_has_said(release: Release) -> bool:
    """Return whether the second parent has answered to this generation; if not, have it answer."""
    route = release.get(HTTP_ROUTE, manifests.NAME)
    assert route is not None
    for each in (route.get("status") or {}).get("parents") or []:
        if each["parentRef"]["name"] == EDGE["name"]:
            first = each["conditions"][0]
            if first["observedGeneration"] == route["metadata"]["generation"]:
                return True
    edge_says_yes(release)
    return False


async def forward_goes_with_the_last_to_confirm_and_back_at_once(release: Release) -> None:
    await deploys(
        release,
        rollout(release, BOTH, manifests.UNTIL_PROMOTED),
        ingress(release),
        http_route(release, parentRefs=[SANDBOX, EDGE]),
    )
    edge_says_yes(release)  # so that it is known to answer
    gateway = {"url": release.sandbox.gateway_url}
    async with traffic(release) as load, traffic(release, 20, None, **gateway):
        updates_to(release, "2")
        await release.until(lambda: weights(release) == [50, 50], "both")
        await release.serves(load, 30)
        assert release.status["weights"]["applied"] == 0, "the second parent has not confirmed"
        await release.until(
            lambda: edge_has_said(release) and release.status["weights"]["applied"] == 50,
            "confirmed",
        )
        release.commands("abort")
        await release.until(lambda: release.status.get("abort"), "rollback")
        assert weights(release) == [0, 0], "traffic first, status after"
        await release.until(
            lambda: edge_has_said(release) and refs(release) == [{STABLE: 1}],
            "clean",
        )
        await release.is_over()


async def a_router_that_is_taken_out_in_the_middle_leaves_nothing(release: Release) -> None:
    await deploys(
        release,
        rollout(release, BOTH, manifests.UNTIL_PROMOTED),
        ingress(release),
        http_route(release),
    )
    gateway = {"url": release.sandbox.gateway_url}
    async with traffic(release) as load, traffic(release, 20, None, **gateway) as routed:
        updates_to(release, "2")
        await has(release, 50)
        await release.answers(load, "2")
        without = {"strategy": {"canary": {"trafficRouting": {"nginx": None}}}}
        release.edits(ROLLOUT, manifests.NAME, {"spec": without})
        await release.until(lambda: release.get(INGRESS, manifests.CANARY_INGRESS) is None, "gone")
        assert weights(release) == [0, 50]
        await release.serves(load, 20)
        before = load.report().versions["2"].last_at
        await asyncio.gather(release.serves(load, 40), release.serves(routed, 40))
        assert load.report().versions["2"].last_at == before
        assert "abort" not in release.status
        release.commands("promote")
        await release.is_promoted()


async def routers_in_trouble(sandbox: ReleaseSandbox) -> None:
    """One can't be written; then the controller is killed after each write to each of them."""
    await what_can_be_taken_back_is_taken_back(sandbox.release("refused"))
    await killed_after_each_write_to_a_route(sandbox)
    assert "Traceback" not in sandbox.controller_log()


async def what_can_be_taken_back_is_taken_back(release: Release) -> None:
    await deploys(
        release,
        rollout(release, BOTH, manifests.UNTIL_PROMOTED),
        ingress(release),
        http_route(release),
    )
    faults, gateway = release.sandbox.api.faults, {"url": release.sandbox.gateway_url}
    async with traffic(release), traffic(release, 20, None, **gateway):
        updates_to(release, "2")
        for plural, taken in ((HTTP_ROUTE.plural, [0, 50]), (INGRESS.plural, [50, 0])):
            await has(release, 50)
            faults.fail_writes(plural, count=10_000, code=500)
            release.commands("abort")
            await is_half_way(release, taken, plural)
            faults.clear()
            await release.until(lambda: weights(release) == [0, 0], "soon", seconds=10)
            assert "aborted" in await release.is_rolled_back()
            assert weights(release) == [0, 0]
            release.commands("retry")
        await has(release, 50)
        release.commands("promote-full")
        await release.until(lambda: release.stable > 1, "promotion")
        await release.is_over()


async def is_half_way(release: Release, taken: list[int], plural: str) -> None:
    await release.until(lambda: weights(release) == taken, f"{taken}")
    await release.until(lambda: plural in release.message, f"words about {plural}")
    assert weights(release) == taken


ROUTING = (TRAFFIC_SPLIT.plural, HTTP_ROUTE.plural, GRPC_ROUTE.plural, INGRESS.plural)


A_LIFE_AFTER_EACH_WRITE_SECONDS = 180.0


def ended(release: Release) -> bool:
    return release.stable == 2 or "abort" in release.status


def to_a_route(entry: AuditEntry) -> bool:
    return entry.resource in ROUTING


async def killed_after_each_write_to_a_route(sandbox: ReleaseSandbox) -> None:
    mesh, routes, mixed, bad = (
        sandbox.release(each) for each in ("mesh", "routes", "mixed", "bad")
    )
    await asyncio.gather(
        deploys(mesh, rollout(mesh, SMI, ONE_WEIGHT), ingress(mesh)),
        deploys(
            routes, rollout(routes, ROUTES, ONE_WEIGHT), http_route(routes), grpc_route(routes)
        ),
        deploys(mixed, rollout(mixed, BOTH, ONE_WEIGHT), ingress(mixed), http_route(mixed)),
        deploys(bad, rollout(bad, BOTH, manifests.UNTIL_PROMOTED), ingress(bad), http_route(bad)),
    )

    async def under_traffic(release: Release, **environment: str) -> None:
        gateway = {"url": release.sandbox.gateway_url} if release is routes else {}
        async with traffic(release, 20, None, **gateway) as load:
            updates_to(release, "2", **environment)
            await release.until(
                lambda: ended(release), "the end", seconds=A_LIFE_AFTER_EACH_WRITE_SECONDS
            )
            if environment:
                assert (await release.is_rolled_back()).startswith("errors: ")
            else:
                await release.is_promoted()
        assert load.report().versions["1"].failed == 0
        assert weights(release) == [0] * len(weights(release))

    async with crashing(sandbox, to_a_route) as fatal:
        await asyncio.gather(
            under_traffic(mesh),
            under_traffic(routes),
            under_traffic(mixed),
            under_traffic(bad, ERROR_RATE="40%"),
        )
    print(f"killed {len(fatal)} times: {Counter(fatal)}")
    assert {each.split()[-1] for each in fatal} == set(ROUTING)
    assert split(mesh) == []
    assert [release.stable for release in (mesh, routes, mixed, bad)] == [2, 2, 2, 1]


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
