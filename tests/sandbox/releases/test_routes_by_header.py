"""Testers that choose the canary by a header or a cookie, and mirrors: opened by a step, cut by a rollback."""

from collections.abc import Callable
from functools import partial

import pytest
import yaml

from rollouts.model.kinds import JSON, ROLLOUT
from rollouts.model.routers.gateway import HTTP_ROUTE
from rollouts.model.routers.nginx import INGRESS
from rollouts.sandbox.load import Load
from tests.sandbox.releases import manifests
from tests.sandbox.releases.release import Release
from tests.sandbox.releases.routed import (
    HTTP,
    NGINX,
    SMI,
    as_written,
    deploys,
    gets,
    has,
    http_route,
    ingress,
    refs,
    rollout,
    strategy,
    traffic,
)
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.sandbox.releases.switching import ERRORS, blue_green, updates_to

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
OWN = f"{manifests.NAME}-{manifests.NAME}-canary"


def set_by_steps(release: Release) -> Callable[[], bool]:
    """Return whether the header route is there, as status says."""
    return lambda: release.status["weights"]["routes"] == ["testers"]


async def only(release: Release, load: Load, *versions: str) -> None:
    """See that these versions answer, and no others, once what was under way has been answered."""
    await release.until(lambda: {*versions} <= set(load.report().versions), "the first answer")
    await release.serves(load, 10)
    before = load.report().versions
    await release.serves(load, 40)
    after = load.report().versions
    answering = {
        name
        for name, count in after.items()
        if name not in before or count.responses > before[name].responses
    }
    assert answering == {*versions}


async def goes_from_testers_to_everybody(release: Release) -> None:
    """The header first, alone; then beside a weight; then an abort, and the way to the end."""
    async with traffic(release, 25) as load, traffic(release, 10, TESTER) as testers:
        updates_to(release, "2")
        await release.until(set_by_steps(release), "the header route")
        await release.until(lambda: release.paused_for == "PauseStep", "the pause")
        await only(release, testers, "2")
        assert set(load.report().versions) == {"1"}
        release.commands("promote")
        await has(release, 50)
        await gets(release, 50, load)
        await only(release, testers, "2")

        release.commands("abort")
        assert "aborted" in await release.is_rolled_back()
        await only(release, testers, "1")
        release.commands("retry")
        await release.until(set_by_steps(release), "the header route again")
        await release.until(lambda: release.paused_for == "PauseStep", "the pause again")
        await only(release, testers, "2")
        release.commands("promote-full")
        await release.until(lambda: release.stable > 1, "promotion")
        await release.is_over()
        await only(release, load, "2")
    assert load.report().failed == testers.report().failed == 0


async def a_header_opens_an_nginx_canary_to_testers(release: Release) -> None:
    await deploys(release, rollout(release, NGINX, FIRST_TESTERS), ingress(release))
    before = as_written(release.get(INGRESS, manifests.NAME))
    await goes_from_testers_to_everybody(release)
    assert as_written(release.get(INGRESS, manifests.NAME)) == before


async def a_header_opens_an_http_route_to_testers(release: Release) -> None:
    await deploys(release, rollout(release, HTTP, FIRST_TESTERS), http_route(release))
    before = as_written(release.get(HTTP_ROUTE, manifests.NAME))
    await goes_from_testers_to_everybody(release)
    assert as_written(release.get(HTTP_ROUTE, manifests.NAME)) == before
    assert release.get(HTTP_ROUTE, OWN) is None


async def a_header_route_that_somebody_removes_is_put_back(release: Release) -> None:
    await deploys(release, rollout(release, HTTP, FIRST_TESTERS[:2]), http_route(release))
    async with traffic(release, 20, TESTER) as testers:
        updates_to(release, "2")
        await release.until(set_by_steps(release), "the header route")
        release.removes(HTTP_ROUTE, OWN)
        await release.until(lambda: release.get(HTTP_ROUTE, OWN), "made again")
        await release.until(lambda: release.events("DriftCorrected"), "the event")
        await only(release, testers, "2")
        release.commands("promote")
        await release.is_promoted()


async def a_rollback_cuts_off_testers_with_a_cookie(release: Release) -> None:
    by_cookie = {"nginx": {**NGINX["nginx"], "canaryIngressAnnotations": COOKIE}}
    await deploys(
        release, rollout(release, by_cookie, [{"setWeight": 1}, {"pause": {}}]), ingress(release)
    )
    async with traffic(release, 20, {"Cookie": "tester=always"}) as testers:
        updates_to(release, "2")
        await has(release, 1)
        await only(release, testers, "2")
        release.commands("abort")
        assert "aborted" in await release.is_rolled_back()
        await only(release, testers, "1")


COOKIE = {"canary-by-cookie": "tester"}


async def a_mirror_finds_what_no_user_sees(release: Release, mirror: JSON) -> None:
    """Release a bad version that gets copies alone: it is rolled back, and nobody has seen it."""
    async with traffic(release, 30) as load:
        updates_to(release, "2", ERROR_RATE="40%")
        assert (await release.is_rolled_back()).startswith("errors: ")
        updates_to(release, "3")
        await release.until(lambda: release.status["weights"]["routes"] == ["copy"], "the mirror")
        await release.until(lambda: release.criterion("errors").get("requests", 0) >= 20, "copies")
        assert set(load.report().versions) == {"1"}
        assert mirror["setMirrorRoute"]["name"] in release.status["weights"]["routes"]
        release.commands("promote-full")
        await release.is_promoted(3)
    assert load.report().failed == 0


async def an_http_route_mirrors_a_share(release: Release) -> None:
    mirror: JSON = {"setMirrorRoute": {"name": "copy", "percentage": 60}}
    await deploys(release, rollout(release, HTTP, [mirror, {"pause": {}}]), http_route(release))
    before = as_written(release.get(HTTP_ROUTE, manifests.NAME))
    await a_mirror_finds_what_no_user_sees(release, mirror)
    assert as_written(release.get(HTTP_ROUTE, manifests.NAME)) == before


async def an_nginx_ingress_mirrors_everything(release: Release) -> None:
    await deploys(
        release,
        rollout(release, NGINX, [MIRROR, {"pause": {}}], successCriteria=[BY_APP]),
        ingress(release),
    )
    before = as_written(release.get(INGRESS, manifests.NAME))
    await a_mirror_finds_what_no_user_sees(release, MIRROR)
    assert as_written(release.get(INGRESS, manifests.NAME)) == before


BY_APP: JSON = {**ERRORS, "source": "app"}


async def an_http_route_mirrors_what_matches(release: Release) -> None:
    match = [{"headers": {"X-Canary": {"exact": "yes"}}}]
    mirror: JSON = {"setMirrorRoute": {"name": "copy", "match": match}}
    await deploys(release, rollout(release, HTTP, [mirror, {"pause": {}}]), http_route(release))
    before = as_written(release.get(HTTP_ROUTE, manifests.NAME))
    async with traffic(release, 30) as load:
        updates_to(release, "2")
        await release.until(lambda: release.status["weights"]["routes"] == ["copy"], "the mirror")
        await release.serves(load, 60)
        assert release.criterion("errors").get("requests", 0) == 0
        async with traffic(release, 30, TESTER) as testers:
            await release.until(
                lambda: release.criterion("errors").get("requests", 0) >= 8, "copies"
            )
            assert set(testers.report().versions) == set(load.report().versions) == {"1"}
        assert refs(release) == [{manifests.STABLE: 1}]
        release.commands("abort")
        await release.is_rolled_back()
        await release.until(lambda: release.get(HTTP_ROUTE, OWN) is None, "no route of ours")
    assert as_written(release.get(HTTP_ROUTE, manifests.NAME)) == before


HALF: JSON = {"setMirrorRoute": {"name": "copy", "percentage": 50}}
MATCHING: JSON = {"setMirrorRoute": {"name": "copy", "match": [{"path": {"prefix": "/a"}}]}}
REFUSED: dict[str, tuple[JSON, str]] = {
    "smi-header": (strategy(SMI, [HEADER_ROUTE]), "a TrafficSplit can't route by header"),
    "smi-mirror": (strategy(SMI, [MIRROR]), "a TrafficSplit can't mirror"),
    "no-router-header": ({"canary": {"steps": [HEADER_ROUTE]}}, "needs a router"),
    "no-router-mirror": ({"canary": {"steps": [MIRROR]}}, "needs a router"),
    "nginx-share": (strategy(NGINX, [HALF]), "ingress-nginx mirrors all requests or none"),
    "nginx-match": (strategy(NGINX, [MATCHING]), "ingress-nginx mirrors all requests; leave match"),
}


async def what_a_router_can_not_do_is_refused_in_words(release: Release) -> None:
    """By lint, and by the controller when it got past; of blue-green the schema knows no steps."""
    bodies = {
        name: {
            **rollout(release, SMI, [], strategy=each),
            "metadata": manifests.metadata(release.namespace, name),
        }
        for name, (each, _) in REFUSED.items()
    }
    bodies["blue-green"] = copied_steps(bodies["smi-header"])
    file = release.sandbox.directory / "refused.yaml"
    file.write_text(yaml.safe_dump_all(bodies.values()))
    linted = await release.sandbox.rollouts("lint", str(file))
    assert linted.code != 0
    blue = await release.kubectl("apply", "-f", "-", given=bodies.pop("blue-green"))
    assert 'unknown field "spec.strategy.blueGreen.steps"' in blue.err
    assert "spec.strategy.blueGreen.steps: unknown field" in linted.out
    for body in bodies.values():
        release.create(ROLLOUT, body)
    for name, (_, says) in REFUSED.items():
        assert says in linted.out
        await release.until(partial(invalid, release, name), f"InvalidSpec of {name}")
        assert says in invalid(release, name)
        assert release.replica_sets() == []
        release.removes(ROLLOUT, name)


def copied_steps(body: JSON) -> JSON:
    return {
        **body,
        "spec": {
            **body["spec"],
            "strategy": {"blueGreen": {**blue_green()["blueGreen"], "steps": [HEADER_ROUTE]}},
        },
    }


def invalid(release: Release, name: str) -> str:
    found = release.get(ROLLOUT, name) or {}
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
