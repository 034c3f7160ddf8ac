"""Pods that do not start, or fail only once they have traffic: rolled back, and nobody waits for them."""

import copy

import pytest

from rollouts.controller.objects import labels_of
from rollouts.model.kinds import HASH_LABEL, POD, REPLICA_SET
from rollouts.model.routers.nginx import INGRESS
from tests.sandbox.releases import manifests
from tests.sandbox.releases.release import Release
from tests.sandbox.releases.scenarios import Running, Scenario, name_of

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]


async def an_image_that_never_gets_ready_is_rolled_back_without_any_traffic(
    release: Release,
) -> None:
    await release.deploys(progressDeadlineSeconds=4)
    async with release.traffic() as load:
        release.updates_to("2", NEVER_READY="true")
        reason = await release.is_rolled_back()
    assert reason == "step 1 made no progress for 4s: 0 of 1 canary pods are available"
    assert set(load.report().versions) == {"1"}
    assert load.report().lost_reasons == {}
    assert [
        each
        for each in release.sandbox.audit.writes(release.namespace)
        if each.resource == INGRESS.plural
    ] == []


async def an_image_that_does_not_exist_is_named_in_the_reason(release: Release) -> None:
    await release.deploys(progressDeadlineSeconds=4)
    release.updates_to("missing")
    await release.until(lambda: "ImagePullBackOff" in release.message)
    assert "ImagePullBackOff" in await release.is_rolled_back()


async def without_an_abort_at_the_deadline_it_is_degraded_until_the_next_template(
    release: Release,
) -> None:
    await release.deploys(progressDeadlineSeconds=3, progressDeadlineAbort=False)
    async with release.traffic() as load:
        release.updates_to("2", NEVER_READY="true")
        await release.until(lambda: release.phase == "Degraded")
        assert "abort" not in release.status
        release.updates_to("3")
        await release.is_promoted(3)
    assert set(load.report().versions) == {"1", "3"}
    assert load.report().lost_reasons == {}


async def pods_that_crash_under_traffic_only_are_rolled_back_at_once(release: Release) -> None:
    """Without success criteria: what the pods do is enough."""
    await release.deploys(manifests.UNTIL_PROMOTED, successCriteria=[])
    async with release.traffic() as load:
        release.updates_to("2", CRASH_AFTER_REQUESTS="5")
        reason = await release.is_rolled_back()
        before = load.report()
        await release.serves(load, 60)
    assert "ready" in reason or "crash again and again" in reason
    after = load.report()
    assert after.versions["2"].responses < 20
    assert after.lost == before.lost, "nothing is lost once it is rolled back"
    assert after.versions["1"].failed == 0


async def a_canary_whose_only_pod_is_taken_away_waits_at_0_and_goes_on(release: Release) -> None:
    await release.deploys([{"setWeight": 10}, {"pause": {}}], successCriteria=[])
    async with release.traffic() as load:
        release.updates_to("2")
        await release.until(lambda: release.phase == "Paused")
        weight, revision = release.weight, release.status["currentRevision"]["hash"]
        (pod,) = (each for each in release.pods() if labels_of(each)[HASH_LABEL] == revision)
        release.removes(POD, pod["metadata"]["name"])
        await release.until(lambda: bool(release.events("Disrupted")))
        await release.until(lambda: release.phase == "Paused")
        assert release.weight == weight
        release.commands("promote")
        await release.is_promoted(2)
    told = [each["reason"] for each in release.status["history"]]
    assert [each for each in told if each in ("WeightSet", "Disrupted")] == [
        "WeightSet",
        "Disrupted",
        "WeightSet",
        "WeightSet",
    ]
    assert load.report().lost_reasons == {}


def loses_its_pods(release: Release, hash_: str) -> None:
    """End the pods of a revision, and have those that replace them never be ready."""
    name = f"{manifests.NAME}-{hash_}"
    (replica_set,) = (each for each in release.replica_sets() if each["metadata"]["name"] == name)
    spec = copy.deepcopy(replica_set["spec"]["template"]["spec"])
    spec["containers"][0]["env"].append({"name": "NEVER_READY", "value": "true"})
    release.edits(REPLICA_SET, name, {"spec": {"template": {"spec": spec}}})
    for pod in release.pods():
        if labels_of(pod)[HASH_LABEL] == hash_:
            release.removes(POD, pod["metadata"]["name"])


async def while_stable_has_no_pod_nobody_is_answered_and_it_says_so_and_the_way_out(
    release: Release,
) -> None:
    """An Ingress whose Service has no endpoint is answered with 503, its canary's share included."""
    await release.deploys(manifests.UNTIL_PROMOTED)
    release.updates_to("2")
    await release.is_at(50)
    loses_its_pods(release, release.status["stableRevision"]["hash"])
    await release.until(lambda: "stable has no ready pod" in release.message)
    async with release.traffic(50) as load:
        # An ingress controller takes up endpoints a moment after they are written.
        await release.until(lambda: load.report().lost > 0, "a request that nobody answers")
    async with release.traffic(50) as load:
        await release.serves(load, 50)
    assert load.report().versions == {}
    assert (
        "ingress-nginx fails all requests, the canary's too, until stable has one"
        in release.message
    )
    assert "promote --full gives the new revision everything" in release.message
    release.commands("promote-full")
    await release.is_promoted(2)
    async with release.traffic(50) as load:
        await release.serves(load, 50)
    assert set(load.report().versions) == {"2"}


@pytest.mark.parametrize(
    "scenario",
    [
        an_image_that_never_gets_ready_is_rolled_back_without_any_traffic,
        an_image_that_does_not_exist_is_named_in_the_reason,
        without_an_abort_at_the_deadline_it_is_degraded_until_the_next_template,
        pods_that_crash_under_traffic_only_are_rolled_back_at_once,
        a_canary_whose_only_pod_is_taken_away_waits_at_0_and_goes_on,
        while_stable_has_no_pod_nobody_is_answered_and_it_says_so_and_the_way_out,
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
