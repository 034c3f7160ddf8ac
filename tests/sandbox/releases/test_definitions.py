"""The CRDs of the routers come late, change their versions, and go: no restart, and no lost request."""

import asyncio
from functools import partial

import pytest

from rollouts.model.kinds import CRD, JSON, Kind
from rollouts.model.routers.gateway import HTTP_ROUTE
from rollouts.model.routers.smi import TRAFFIC_SPLIT, TRAFFIC_SPLIT_VERSIONS
from rollouts.sandbox.crds import definitions
from tests.sandbox.releases import manifests
from tests.sandbox.releases.release import Release
from tests.sandbox.releases.routed import (
    HTTP,
    SMI,
    deploys,
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

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]


PAUSE: JSON = {"pause": {}}
FOUR_PAUSES = [step for weight in (20, 40, 60, 80) for step in ({"setWeight": weight}, PAUSE)]


def definition(kind: Kind, *served: str) -> JSON:
    """Return the CRD of a kind, which serves only these versions."""
    found = next(each for each in definitions() if each["metadata"]["name"] == kind.crd_name)
    for version in found["spec"]["versions"]:
        version["served"] = version["name"] in served
    return found


def serves(sandbox: ReleaseSandbox, kind: Kind, *versions: str) -> None:
    """Have the API server serve these versions of a kind from now on; none at all when none is given."""
    objects, name = sandbox.objects, kind.crd_name
    if not versions:
        objects.delete(CRD, "", name)
    elif objects.get(CRD, "", name) is None:
        objects.create(CRD, definition(kind, *versions))
    else:
        listed = definition(kind, *versions)["spec"]["versions"]
        objects.patch(CRD, "", name, {"spec": {"versions": listed}})


async def routers_work_as_soon_and_as_long_as_their_kinds_are_served(
    sandbox: ReleaseSandbox,
) -> None:
    serves(sandbox, TRAFFIC_SPLIT)
    serves(sandbox, HTTP_ROUTE)
    process = sandbox.describe().processes
    mesh, gateway = sandbox.release("mesh"), sandbox.release("gateway")
    await asyncio.gather(every_version(mesh), a_late_route(gateway))
    assert sandbox.describe().processes == process, "no restart"
    assert "Traceback" not in sandbox.controller_log()


async def every_version(release: Release) -> None:
    """A release goes from each version to the next; in each its TrafficSplit is changed and made."""
    first, *others = reversed(TRAFFIC_SPLIT_VERSIONS)
    opening = asyncio.create_task(
        deploys(release, rollout(release, SMI, FOUR_PAUSES), ingress(release))
    )
    await is_said(release, "TrafficSplitsNotServed", "the cluster serves no TrafficSplits")
    serves(release.sandbox, TRAFFIC_SPLIT, first)
    await opening
    async with traffic(release, 30):
        updates_to(release, "2")
        await splits(release, 20, first)
        for weight, version in zip((40, 60, 80), others, strict=True):
            serves(release.sandbox, TRAFFIC_SPLIT, version)
            release.commands("promote")
            await splits(release, weight, version)
            release.removes(in_version(version), manifests.NAME)
            await release.until(
                partial(split, release, version=version), f"made again in {version}"
            )
            await splits(release, weight, version)
            assert "abort" not in release.status
        await goes_in_the_middle(release)
        release.commands("promote")
        await release.is_promoted()
        assert split(release) == []


async def splits(release: Release, weight: int, version: str) -> None:
    await has(release, weight)
    wanted = [100 - weight, weight]
    if release.sandbox.is_real:  # it is watched anew in each version, and heard of a moment later
        await release.until(lambda: split(release, version=version) == wanted, "the split")
    assert split(release, version=version) == wanted


def in_version(version: str) -> Kind:
    return Kind(TRAFFIC_SPLIT.group, version, TRAFFIC_SPLIT.plural, TRAFFIC_SPLIT.name)


async def goes_in_the_middle(release: Release) -> None:
    begin = len(release.sandbox.audit)
    serves(release.sandbox, TRAFFIC_SPLIT)
    await release.until(lambda: "serves no TrafficSplits" in release.message, "words")
    said = len(release.sandbox.audit)  # what the decisions before that wrote may come until now
    assert release.status["weights"]["applied"] == 0
    await release.until(lambda: len(release.events("Blocked")) == 2, "the second such event")
    writes = partial(release.sandbox.audit.writes, release.namespace)
    assert not [each for each in writes(begin) if each.resource == TRAFFIC_SPLIT.plural]
    assert len(writes(said)) < 5, "nothing is tried in vain"
    serves(release.sandbox, TRAFFIC_SPLIT, TRAFFIC_SPLIT.version)
    await splits(release, 80, TRAFFIC_SPLIT.version)


async def a_late_route(release: Release) -> None:
    opening = asyncio.create_task(
        deploys(release, rollout(release, HTTP, manifests.UNTIL_PROMOTED))
    )
    await is_said(release, "HTTPRoutesNotServed", "the cluster serves no HTTPRoutes")
    serves(release.sandbox, HTTP_ROUTE, "v1")
    await is_said(release, "RouteNotFound", "HTTPRoute web does not exist")
    kind, body = http_route(release)
    release.create(kind, body)
    await opening
    async with traffic(release):
        updates_to(release, "2")
        await has(release, 50)
        assert refs(release) == [{manifests.STABLE: 50, manifests.CANARY: 50}]
        release.commands("promote")
        await release.is_promoted()


async def is_said(release: Release, reason: str, words: str) -> None:
    await release.until(lambda: release.condition("Preflight").get("reason") == reason, reason)
    assert words in release.condition("Preflight")["message"]
    await release.until(lambda: release.phase == "Degraded" and words in release.message, words)


@pytest.mark.nightly
@pytest.mark.parametrize(
    "scenario", [routers_work_as_soon_and_as_long_as_their_kinds_are_served], ids=name_of
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
