"""Releases by weights in the user's own HTTPRoutes and GRPCRoutes, which are as before afterwards."""

import copy
from typing import Any

import pytest

from rollouts.model.kinds import JSON, ROLLOUT, SERVICE
from rollouts.model.routers.gateway import GRPC_ROUTE, HTTP_ROUTE
from rollouts.traffic.gateway.routes import NOTE
from tests.sandbox.releases import manifests
from tests.sandbox.releases.release import Release
from tests.sandbox.releases.routed import (
    HTTP,
    QUICK_STEPS,
    SANDBOX,
    as_written,
    backend,
    callers,
    deploys,
    gets,
    grpc_route,
    has,
    http_route,
    put_back,
    refs,
    rollout,
    strategy,
    traffic,
)
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.sandbox.releases.switching import updates_to
from tests.sandbox.releases.test_releases import TWO_WEIGHTS

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

STABLE, CANARY = manifests.STABLE, manifests.CANARY
ALL: JSON = {
    "gatewayAPI": {"httpRoutes": [manifests.NAME, "second"], "grpcRoutes": [manifests.NAME]}
}


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


async def every_route_moves_and_is_its_users_again(release: Release) -> None:
    release.create(SERVICE, manifests.service(release.namespace, "other"))
    second = http_route(release, name="second", hostnames=[f"second.{release.host}"])
    await deploys(
        release,
        rollout(release, ALL, TWO_WEIGHTS),
        http_route(release, *copy.deepcopy(RULES)),
        second,
        grpc_route(release),
    )
    before = written(release)
    async with traffic(release, 25) as load, callers(release, 25) as calls:
        updates_to(release, "2")
        for weight in (20, 60):
            await has(release, weight)
            arms = {STABLE: 100 - weight, CANARY: weight}
            shared = {"other": 100, STABLE: 300 - 3 * weight, CANARY: 3 * weight}
            assert refs(release) == [{"other": 1}, arms, shared, {}]
            assert refs(release, "second") == refs(release, kind=GRPC_ROUTE) == [arms]
            await gets(release, weight, load, calls)
            assert all_but_backends(written(release)) == all_but_backends(before)
            release.commands("promote")
        await release.is_promoted()
    assert load.report().failed == calls.report().failed == 0
    assert written(release) == before


def written(release: Release) -> list[JSON]:
    """Return what the three routes are as their users see them."""
    kinds = ((HTTP_ROUTE, manifests.NAME), (HTTP_ROUTE, "second"), (GRPC_ROUTE, manifests.NAME))
    return [as_written(release.get(kind, name)) for kind, name in kinds if release.get(kind, name)]


def all_but_backends(routes: list[JSON]) -> list[JSON]:
    return [
        {key: value for key, value in rule.items() if key != "backendRefs"}
        for route in routes
        for rule in route["spec"]["rules"]
    ]


async def a_bad_one_is_taken_out_of_the_route_at_once(release: Release) -> None:
    await deploys(release, rollout(release, HTTP, manifests.UNTIL_PROMOTED), http_route(release))
    before = written(release)
    async with traffic(release, 30) as load:
        updates_to(release, "2", ERROR_RATE="30%")
        await release.until(lambda: release.status.get("abort"), "rollback")
        assert [each.get(CANARY, 0) for each in refs(release)] == [0], "traffic first, status after"
        assert (await release.is_rolled_back()).startswith("errors: ")
        await release.until(lambda: written(release) == before, "as it was")
    assert load.report().versions["1"].failed == 0


async def aborted_and_superseded_a_route_goes_back_first(release: Release) -> None:
    await deploys(release, rollout(release, HTTP, manifests.UNTIL_PROMOTED), http_route(release))
    before = written(release)
    async with traffic(release) as load:
        updates_to(release, "2")
        await has(release, 50)
        release.commands("abort")
        assert "aborted" in await release.is_rolled_back()
        assert written(release) == before
        release.commands("retry")
        await has(release, 50)
        await release.answers(load, "2")
        superseded = release.status["currentRevision"]["hash"]
        release.edits(ROLLOUT, manifests.NAME, {"spec": {"strategy": strategy(HTTP, QUICK_STEPS)}})
        updates_to(release, "3")
        await release.until(lambda: release.stable > 1, "promotion")
        await release.is_over()
        assert not any(superseded in pod["metadata"]["name"] for pod in release.pods())
        assert load.report().versions["2"].last_sent_at < load.report().versions["3"].first_at
    assert written(release) == before


async def a_route_that_is_edited_or_gone_is_put_back_to_its_weight(release: Release) -> None:
    kind, body = http_route(release)
    await deploys(
        release, rollout(release, HTTP, manifests.UNTIL_PROMOTED), (kind, copy.deepcopy(body))
    )
    updates_to(release, "2")
    await has(release, 50)
    async with traffic(release):
        rules = [{"backendRefs": [backend(weight=10), backend(CANARY, weight=90)]}]
        release.edits(HTTP_ROUTE, manifests.NAME, {"spec": {"rules": rules}})
        await release.until(lambda: refs(release) == [{STABLE: 50, CANARY: 50}], "put back")
        await release.until(lambda: release.events("DriftCorrected"), "the event")
        release.edits(
            HTTP_ROUTE, manifests.NAME, {"spec": {"hostnames": [release.host, "else.example"]}}
        )
        await has(release, 50)
    release.removes(HTTP_ROUTE, manifests.NAME)
    says = f"HTTPRoute {manifests.NAME} does not exist"
    await release.until(lambda: says in release.message and release.phase == "Progressing", says)
    assert release.status["weights"]["applied"] == 0
    created = release.create(kind, body)
    await has(release, 50)
    async with traffic(release):
        release.commands("promote")
        await release.is_promoted()
    assert release.phase == "Healthy"
    assert as_written(release.get(HTTP_ROUTE, manifests.NAME)) == as_written(created)


async def what_git_applies_again_is_split_again(release: Release) -> None:
    """Client-side, and by the server with force: the user's rules win, and the weight comes back."""
    _, body = http_route(release)
    assert (await release.kubectl("apply", "-f", "-", given=body)).code == 0
    await deploys(release, rollout(release, HTTP, manifests.UNTIL_PROMOTED))
    async with traffic(release):
        updates_to(release, "2")
        await has(release, 50)
        for value, how in (("a", ()), ("b", ("--server-side", "--force-conflicts"))):
            body["spec"]["rules"][0]["filters"] = [header("x-shop", value)]
            applied = await release.kubectl("apply", *how, "-f", "-", given=body)
            assert applied.code == 0, applied.err
            await release.until(
                lambda: refs(release) == [{STABLE: 50, CANARY: 50}], f"split again {how}"
            )
            (rule,) = route_spec(release)["rules"]
            assert rule["filters"] == [header("x-shop", value)]
        await release.until(lambda: len(put_back(release)) >= 2, "said")
        assert "abort" not in release.status
        release.commands("promote")
        await release.is_promoted()
        await release.until(lambda: release.phase == "Healthy", "settled")
        diff = await release.kubectl(
            "diff", "--server-side", "--force-conflicts", "-f", "-", given=body
        )
        assert (diff.code, diff.out) == (0, "")
    found = release.get(HTTP_ROUTE, manifests.NAME) or {}
    assert not any(key.startswith(NOTE) for key in found["metadata"]["annotations"])


def route_spec(release: Release) -> dict[str, Any]:
    return dict((release.get(HTTP_ROUTE, manifests.NAME) or {})["spec"])


async def a_parent_that_nobody_serves_is_said_and_holds_up_nothing(release: Release) -> None:
    """One that has never said anything of a route that another serves gets no answer ever."""
    edge: JSON = {"name": "edge"}
    body = rollout(release, HTTP, manifests.UNTIL_PROMOTED, progressDeadlineSeconds=30)
    await deploys(release, body, http_route(release, parentRefs=[SANDBOX, edge]))
    before = written(release)
    says = f"Gateway edge says nothing of HTTPRoute {manifests.NAME}"
    await release.until(
        lambda: says in str(release.condition("Preflight").get("message")), "the finding"
    )
    async with traffic(release):
        updates_to(release, "2")
        await has(release, 50)
        release.commands("promote")
        await release.is_promoted(2)
    assert route_spec(release)["rules"] == before[0]["spec"]["rules"]


async def a_route_with_a_backend_of_nobody_is_said_before_a_release(release: Release) -> None:
    """What the Gateway refuses holds the weight, with the Gateway's own words."""
    await deploys(release, rollout(release, HTTP, manifests.UNTIL_PROMOTED), http_route(release))
    rules = [{"backendRefs": [backend(), backend("nobody", weight=0)]}]
    release.edits(HTTP_ROUTE, manifests.NAME, {"spec": {"rules": rules}})
    await release.until(
        lambda: release.condition("Preflight").get("reason") == "RouteRefsNotResolved",
        "the finding",
    )
    updates_to(release, "2")
    says = f"Gateway sandbox refuses HTTPRoute {manifests.NAME}: BackendNotFound"
    await release.until(
        lambda: release.status.get("currentStepIndex") == 0 and says in release.message
    )
    assert refs(release) == [{STABLE: 1, "nobody": 0}]
    release.create(SERVICE, manifests.service(release.namespace, "nobody"))
    await has(release, 50)
    release.commands("promote-full")
    await release.is_promoted()


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
