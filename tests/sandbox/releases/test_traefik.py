"""Releases on a real Traefik, which reads the sandbox's API server with both of its providers."""

from collections.abc import AsyncIterator

import pytest

from bench.app import App, sandbox
from bench.data_plane import DataPlane
from bench.data_planes import look_at, planes
from bench.feature_trial import ASKED, FEW, WEIGHTS
from bench.manifests import NAME, SOON, rollout, service
from rollouts.sandbox.environment import Sandbox, TraefikSandbox

pytestmark = pytest.mark.sandbox
ANSWERS = 400
OFF_BY = 2
"""Of so many answers a round may begin or end within: a split that is dealt in turn is off by no more."""


@pytest.fixture
async def world() -> AsyncIterator[tuple[Sandbox, list[DataPlane]]]:
    """A sandbox and Traefik's two data planes: the one for Ingresses, and the one for routes."""
    async with sandbox(kind=TraefikSandbox) as running:
        yield running, await planes(running)


@pytest.mark.nightly
@pytest.mark.parametrize("is_gateway", [False, True], ids=["Ingress", "Gateway API"])
async def test_no_ending_loses_a_request_and_each_feature_is_as_the_docs_say(
    world: tuple[Sandbox, list[DataPlane]], *, is_gateway: bool
) -> None:
    running, found = world
    (plane,) = (each for each in found if each.is_gateway == is_gateway)
    seen = await look_at(running, plane, ANSWERS, rate=20)
    assert {ending: count.seen for ending, count in seen.endings.items()} == dict.fromkeys(
        seen.endings, 0
    )
    assert (seen.header.seen, seen.no_header.seen, seen.cookie.seen) == (ASKED, 0, ASKED)
    for weight in WEIGHTS:
        assert abs(seen.splits[str(weight)].seen - ANSWERS * weight / 100) <= OFF_BY
    elsewhere = 0 if is_gateway else ASKED * WEIGHTS[-1] / 100
    assert abs(seen.another_route.seen - elsewhere) <= OFF_BY
    assert seen.reloaded.seen == 0 < seen.undisturbed.seen < FEW, "each change begins a round"
    assert seen.mirror_copies.seen == 0
    assert seen.mirror_answers.seen == (0 if is_gateway else ASKED), "see MirrorNotSupported"
    assert seen.mirror_confirmed is (True if is_gateway else None)


async def test_a_release_that_mirrors_waits_and_says_why(
    world: tuple[Sandbox, list[DataPlane]],
) -> None:
    running, found = world
    (plane,) = (each for each in found if each.is_gateway)
    app, place = App(running, "mirrored"), plane.place("mirrored")
    steps = [{"setMirrorRoute": {"name": "shadow", "percentage": 100}}, {"pause": {}}]
    canary = {"stableService": NAME, "trafficRouting": plane.routing, "steps": steps, **SOON}
    app.opens()
    app.create([service(place.namespace), plane.route(place.namespace, place.host)])
    app.create([rollout(place.namespace, {"canary": canary})])
    await app.until(lambda: app.runs("stableRevision", "1"), "first deploy")
    await app.until(lambda: "MirrorNotSupported" in _preflight(app), "the reason, before a release")
    app.releases("2")
    await app.until(lambda: app.runs("currentRevision", "2"), "the release begins")
    await app.until(lambda: "can't be had" in str(app.status.get("message")), "it says what it is")
    assert app.step == 0
    app.closes()


def _preflight(app: App) -> str:
    """Return what the condition Preflight says."""
    conditions = app.status.get("conditions") or []
    return next((str(each) for each in conditions if each["type"] == "Preflight"), "")
