"""Canaries without a router: their share of the pods is their share of the traffic."""

import pytest

from rollouts.model.kinds import JSON, REPLICA_SET
from tests.sandbox.releases import manifests
from tests.sandbox.releases.release import Release
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.sandbox.releases.switching import (
    by_replicas,
    deploys,
    hash_of,
    in_turn,
    pods_of,
    ready,
    updates_to,
)
from tests.sandbox.releases.test_releases import share_of

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

HELD: JSON = {"duration": "4s"}


async def has(release: Release, weight: int) -> None:
    """Wait until the canary has this share of the pods, and status says so."""
    await release.until(lambda: release.status["weights"]["applied"] == weight, f"{weight} %")


def wanted(release: Release, hash_: str) -> int:
    found = release.get(REPLICA_SET, f"{manifests.NAME}-{hash_}") or {"spec": {"replicas": 0}}
    return int(found["spec"]["replicas"])


async def the_share_of_the_pods_is_the_share_of_the_traffic(release: Release) -> None:
    await deploys(release, by_replicas(25, 50, pause=HELD), replicas=4)
    async with release.traffic(50) as load:
        updates_to(release, "2")
        for weight in (25, 50):
            await has(release, weight)
            assert ready(pods_of(release, hash_of(release, "currentRevision"))) == weight // 25
            assert len(release.pods()) <= 5, "maxSurge is 25 % of 4"
            await release.answers(load, "2")
            before = load.report()
            await release.serves(load, 150)
            assert share_of("2", before, load.report()) == pytest.approx(weight, abs=12)
        await release.is_promoted()
    assert load.report().lost_reasons == {}
    assert load.report().failed == 0
    assert len(release.pods()) == 4


async def a_bad_release_gives_its_pods_back(release: Release) -> None:
    await deploys(release, by_replicas(25, pause={}), replicas=4)
    async with release.traffic(50) as load:
        updates_to(release, "2", ERROR_RATE="30%")
        reason = await release.is_rolled_back()
    assert reason.startswith("errors: ")
    assert ready(pods_of(release, hash_of(release, "stableRevision"))) == 4
    assert load.report().lost_reasons == {}
    assert load.report().versions["1"].failed == 0


async def a_weight_that_can_not_be_had_is_rounded_and_said(release: Release) -> None:
    await deploys(release, by_replicas(5, pause={}, maxSurge=1, maxUnavailable=0), replicas=3)
    async with release.traffic() as load:
        updates_to(release, "2")
        await has(release, 33)
        said = "the canary has 33 % of the pods, the nearest to 5 % that whole pods can be"
        assert said in [each["message"] for each in release.status["history"]]
        assert len(pods_of(release, hash_of(release, "currentRevision"))) == 1
        release.commands("promote-full")
        await release.is_promoted()
    assert load.report().lost_reasons == {}


async def a_single_pod_is_replaced_by_a_second(release: Release) -> None:
    await deploys(release, by_replicas(), replicas=1)
    async with release.traffic() as load:
        updates_to(release, "2")
        await release.is_promoted()
    assert load.report().lost_reasons == {}


async def aborted_superseded_and_scaled_by_hand_it_loses_nothing(release: Release) -> None:
    await deploys(release, by_replicas(50, pause={}), replicas=4)
    async with release.traffic() as load:
        updates_to(release, "2")
        await has(release, 50)
        canary = hash_of(release, "currentRevision")
        release.edits(REPLICA_SET, f"{manifests.NAME}-{canary}", {"spec": {"replicas": 4}})
        await release.until(lambda: wanted(release, canary) == 2, "two canary pods again")
        release.commands("abort")
        assert "aborted" in await release.is_rolled_back()
        release.commands("retry")
        await has(release, 50)
        await release.answers(load, "2")
        updates_to(release, "3")
        await release.until(lambda: release.status["currentRevision"]["number"] == 3)
        await has(release, 50)
        await release.until(
            lambda: pods_of(release, canary) == [], "the end of the superseded pods"
        )
        await release.answers(load, "3")
        release.commands("promote")
        await release.is_promoted(3)
        assert in_turn(load, "1", "3") is False, "both share the traffic"
        assert load.report().versions["2"].last_at < load.report().versions["3"].last_at
    assert load.report().lost_reasons == {}


@pytest.mark.parametrize(
    "scenario",
    [
        the_share_of_the_pods_is_the_share_of_the_traffic,
        a_bad_release_gives_its_pods_back,
        a_weight_that_can_not_be_had_is_rounded_and_said,
        a_single_pod_is_replaced_by_a_second,
        aborted_superseded_and_scaled_by_hand_it_loses_nothing,
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
