"""A Service whose selector Git owns: applied again in every phase, under load, and never written by the controller."""

import pytest

from rollouts.model.kinds import HASH_LABEL, JSON, ROLLOUT, STABLE, STABLE_LABEL
from rollouts.model.routers.nginx import INGRESS
from rollouts.sandbox.load import Load
from tests.sandbox.releases import manifests
from tests.sandbox.releases.release import Release
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.sandbox.releases.switching import (
    ERRORS,
    blue_green,
    hash_of,
    switches,
    template,
    updates_to,
)

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

ASKS: JSON = {STABLE_LABEL: STABLE}
WAYS = ((), ("--server-side",), ("--server-side", "--force-conflicts"))


def in_git(release: Release) -> JSON:
    body = manifests.service(release.namespace)
    body["spec"]["selector"] = {**body["spec"]["selector"], **ASKS}
    return body


async def applies(release: Release, body: JSON) -> None:
    """Apply what is in Git in each way that there is: none of them is refused."""
    for way in WAYS:
        ended = await release.kubectl("apply", *way, "-f", "-", given=body)
        assert ended.code == 0, f"{way}: {ended.err}"


async def deploys(release: Release, body: JSON, strategy: JSON) -> None:
    """Deploy version 1 behind a Service that was applied on the server."""
    ended = await release.kubectl("apply", "--server-side", "-f", "-", given=body)
    assert ended.code == 0, ended.err
    release.create(INGRESS, manifests.ingress(release.namespace))
    spec: JSON = {"template": template("1"), "successCriteria": [ERRORS], "strategy": strategy}
    release.create(ROLLOUT, release.rollout_body([], **spec))
    await release.is_healthy()
    assert labelled(release) == {"1"}


def labelled(release: Release) -> set[str]:
    """Return the versions whose pods have the label."""
    return {
        each["spec"]["containers"][0]["env"][0]["value"]
        for each in release.pods()
        if each["metadata"]["labels"].get(STABLE_LABEL) == STABLE
    }


async def is_half_way(release: Release, load: Load, version: str, *, stable: str) -> None:
    """Release a version, and wait until it has half of the traffic."""
    updates_to(release, version)
    await release.is_at(50)
    await release.answers(load, version)
    assert labelled(release) == {stable}
    await applies(release, in_git(release))


async def is_promoted(release: Release, load: Load, version: str) -> None:
    release.commands("promote")
    await release.is_promoted(int(version))
    await applies(release, in_git(release))
    await release.until(lambda: labelled(release) == {version}, "the label")
    await release.serves(load, 50)


async def a_canary_is_promoted_and_another_rolled_back(release: Release) -> None:
    body = in_git(release)
    await deploys(release, body, manifests.strategy(manifests.UNTIL_PROMOTED))
    begin = len(release.sandbox.audit)
    async with release.traffic(50) as load:
        await is_half_way(release, load, "2", stable="1")
        await is_promoted(release, load, "2")
        await is_half_way(release, load, "3", stable="2")
        release.commands("abort")
        await release.is_rolled_back()
        await applies(release, body)
        assert labelled(release) == {"2"}
        await is_half_way(release, load, "4", stable="2")
        await is_promoted(release, load, "4")
    assert load.report().lost_reasons == {}
    assert load.report().failed == 0
    assert release.selects(manifests.STABLE) == body["spec"]["selector"]
    assert switches(release, begin) == 0


async def blue_green_is_switched_baked_and_goes_back(release: Release) -> None:
    body = in_git(release)
    await deploys(release, body, blue_green(postPromotionAnalysis={"duration": "60s"}))
    old, begin = hash_of(release, "stableRevision"), len(release.sandbox.audit)
    async with release.traffic(50) as load:
        updates_to(release, "2")
        await release.until(
            lambda: labelled(release) == {"2"} and release.status["weights"]["applied"] == 100,
            "the switch",
        )
        await applies(release, body)
        await release.serves(load, 50)
        release.commands("abort")
        await release.is_rolled_back()
        await release.until(lambda: labelled(release) == {"1"}, "the way back")
        await applies(release, body)
        await release.serves(load, 50)
        assert hash_of(release, "stableRevision") == old
        release.commands("retry")
        await release.until(lambda: labelled(release) == {"2"}, "the switch again")
        release.commands("promote")
        await release.is_promoted()
        await release.serves(load, 50)
    assert load.report().lost_reasons == {}
    assert load.report().failed == 0
    assert release.selects(manifests.STABLE) == body["spec"]["selector"]
    assert switches(release, begin) == 0


async def a_service_in_use_gets_the_label_and_nobody_notices(release: Release) -> None:
    strategy = manifests.strategy(manifests.UNTIL_PROMOTED)
    before, body = manifests.service(release.namespace), in_git(release)
    ended = await release.kubectl("apply", "-f", "-", given=before)
    assert ended.code == 0, ended.err
    release.create(INGRESS, manifests.ingress(release.namespace))
    release.create(ROLLOUT, release.rollout_body([], template=template("1"), strategy=strategy))
    await release.is_healthy()
    assert HASH_LABEL in release.selects(manifests.STABLE)
    async with release.traffic(50) as load:
        await release.serves(load, 50)
        early = {"strategy": {"canary": {"stableMetadata": {"labels": ASKS}}}}
        release.edits(ROLLOUT, manifests.NAME, {"spec": early})
        await release.until(lambda: labelled(release) == {"1"}, "the label")
        await release.until(
            lambda: all(STABLE_LABEL in each["metadata"]["labels"] for each in release.pods()),
            "on all pods",
        )
        ended = await release.kubectl("apply", "-f", "-", given=body)
        assert ended.code == 0, ended.err
        await release.until(
            lambda: release.selects(manifests.STABLE) == body["spec"]["selector"], "our key is out"
        )
        begin = len(release.sandbox.audit)
        await applies(release, body)
        updates_to(release, "2")
        await release.is_at(50)
        release.commands("promote")
        await release.is_promoted()
        await release.until(lambda: labelled(release) == {"2"}, "the label")
        await release.serves(load, 50)
    assert load.report().lost_reasons == {}
    assert load.report().failed == 0
    assert switches(release, begin) == 0


@pytest.mark.parametrize(
    "scenario",
    [
        a_canary_is_promoted_and_another_rolled_back,
        blue_green_is_switched_baked_and_goes_back,
        a_service_in_use_gets_the_label_and_nobody_notices,
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
