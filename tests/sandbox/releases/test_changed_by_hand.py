"""Somebody changes or removes what a release rests on: it is put back, or the release ends safely."""

import pytest

from rollouts.model.kinds import HASH_LABEL, JSON, ROLLOUT, SERVICE
from rollouts.model.routers.nginx import INGRESS
from tests.sandbox.releases import manifests
from tests.sandbox.releases.release import Release
from tests.sandbox.releases.scenarios import Running, Scenario, name_of

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

WEIGHT = f"{manifests.ANNOTATION}/canary-weight"


async def a_rollout_deleted_in_the_middle_takes_with_it_what_it_made(release: Release) -> None:
    await release.deploys(manifests.UNTIL_PROMOTED)
    release.updates_to("2")
    await release.is_at(50)
    mine = release.get(INGRESS, manifests.NAME)
    assert mine is not None

    release.removes(ROLLOUT, manifests.NAME)
    await release.until(lambda: not release.pods())
    assert release.get(INGRESS, manifests.CANARY_INGRESS) is None
    assert release.get(SERVICE, manifests.CANARY) is None
    assert release.replica_sets() == []
    assert release.get(SERVICE, manifests.STABLE) is not None
    left = release.get(INGRESS, manifests.NAME)
    assert left is not None
    assert left["metadata"]["generation"] == mine["metadata"]["generation"]


async def a_rollout_deleted_alone_in_the_middle_goes_on_when_it_is_there_again(
    release: Release,
) -> None:
    await release.deploys(manifests.UNTIL_PROMOTED)
    async with release.traffic() as load:
        release.updates_to("2")
        await release.is_at(50)
        again = release.rollout_body(manifests.UNTIL_PROMOTED)
        again["spec"]["template"] = release.rollout["spec"]["template"]
        release.objects.delete(ROLLOUT, release.namespace, manifests.NAME, propagation="Orphan")
        await release.until(lambda: not release.rollout and not any(owners(release)))

        release.create(ROLLOUT, again)
        await release.until(lambda: "weights" in release.status)
        await release.is_at(50)
        uid = release.rollout["metadata"]["uid"]
        if release.sandbox.is_real:
            # Owners are changed there by those only who may delete, as the controller may no Service.
            await release.until(lambda: "Service web-canary stays without" in release.message)
            assert owners(release) == [uid, uid, uid, ""]
        else:
            assert owners(release) == [uid] * 4
        release.commands("promote")
        await release.is_promoted(3)

        release.removes(SERVICE, manifests.CANARY)
        release.updates_to("3")
        await release.is_at(50)
        assert owners(release) == [uid] * 5
        assert "stays without" not in release.message
    assert load.report().lost_reasons == {}


def owners(release: Release) -> list[str]:
    """Return the uid of the owner of each object that was made, or an empty one."""
    made = [release.get(INGRESS, manifests.CANARY_INGRESS), release.get(SERVICE, manifests.CANARY)]
    found = [each["metadata"] for each in (*release.replica_sets(), *made) if each is not None]
    return [str((each.get("ownerReferences") or [{}])[0].get("uid", "")) for each in found]


async def a_stable_service_that_was_deleted_and_made_again_is_bound_again(release: Release) -> None:
    await release.deploys(manifests.FOUR_STEPS, successCriteria=[])
    release.updates_to("2")
    await release.is_at(25)
    release.removes(SERVICE, manifests.STABLE)
    await release.until(lambda: "Service web does not exist" in release.message)
    assert release.weight == 25, "the weight does not rise without a way back"
    release.create(SERVICE, manifests.service(release.namespace))
    await release.is_promoted()
    assert release.selects(manifests.STABLE)[HASH_LABEL] == release.status["stableRevision"]["hash"]


async def a_deleted_canary_service_means_rollback(release: Release) -> None:
    await release.deploys(manifests.UNTIL_PROMOTED)
    release.updates_to("2")
    await release.is_at(50)
    release.removes(SERVICE, manifests.CANARY)
    assert await release.is_rolled_back() == "Service web-canary was deleted while it had traffic"
    async with release.traffic() as load:
        await release.serves(load, 30)
    assert set(load.report().versions) == {"1"}
    assert load.report().lost_reasons == {}


async def an_edited_canary_ingress_is_put_back(release: Release) -> None:
    await release.deploys(manifests.UNTIL_PROMOTED)
    async with release.traffic() as load:
        release.updates_to("2")
        await release.is_at(50)
        release.edits(
            INGRESS, manifests.CANARY_INGRESS, {"metadata": {"annotations": {WEIGHT: "90"}}}
        )
        await release.until(lambda: release.weight == 50)
        await release.until(lambda: release.events("DriftCorrected"))
        assert release.events("DriftCorrected") == [
            "the canary's route says 90 %; the controller puts it back to 50 %"
        ]

        rule: JSON = {"host": f"else.{release.host}", "http": {"paths": [manifests.path()]}}
        release.edits(INGRESS, manifests.CANARY_INGRESS, {"spec": {"rules": [rule]}})
        await release.until(
            lambda: "the canary's route was changed" in str(release.events("DriftCorrected"))
        )
        await release.until(lambda: hosts(release) == [release.host])
        assert release.status["weights"]["applied"] == 50
        release.commands("promote")
        await release.is_promoted()
    assert load.report().lost_reasons == {}


def hosts(release: Release) -> list[str]:
    canary = release.get(INGRESS, manifests.CANARY_INGRESS) or {"spec": {"rules": []}}
    return [rule["host"] for rule in canary["spec"]["rules"]]


async def a_deleted_canary_ingress_is_put_back(release: Release) -> None:
    await release.deploys(manifests.UNTIL_PROMOTED)
    async with release.traffic() as load:
        release.updates_to("2")
        await release.is_at(50)
        release.removes(INGRESS, manifests.CANARY_INGRESS)
        await release.until(lambda: release.weight == 50)
        await release.until(lambda: release.events("DriftCorrected"))
        assert release.events("DriftCorrected") == [
            "the canary's route is gone; the controller puts it back to 50 %"
        ]
        release.commands("promote")
        await release.is_promoted()
    assert load.report().lost_reasons == {}


async def an_edited_selector_of_the_stable_service_is_put_back(release: Release) -> None:
    await release.deploys(manifests.UNTIL_PROMOTED)
    async with release.traffic() as load:
        bound = release.selects(manifests.STABLE)
        release.edits(SERVICE, manifests.STABLE, {"spec": {"selector": {HASH_LABEL: None}}})
        await release.until(lambda: release.selects(manifests.STABLE) == bound)
        await release.until(lambda: len(release.events("DriftCorrected")) == 1)
        await release.is_healthy()

        release.updates_to("2")
        await release.is_at(50)
        canary = release.status["currentRevision"]["hash"]
        release.edits(SERVICE, manifests.STABLE, {"spec": {"selector": {HASH_LABEL: canary}}})
        await release.until(lambda: release.selects(manifests.STABLE) == bound)
        await release.until(lambda: len(release.events("DriftCorrected")) == 2)
        release.commands("promote")
        await release.is_promoted()
    assert load.report().lost_reasons == {}


@pytest.mark.parametrize(
    "scenario",
    [
        a_rollout_deleted_in_the_middle_takes_with_it_what_it_made,
        a_rollout_deleted_alone_in_the_middle_goes_on_when_it_is_there_again,
        a_stable_service_that_was_deleted_and_made_again_is_bound_again,
        a_deleted_canary_service_means_rollback,
        an_edited_canary_ingress_is_put_back,
        a_deleted_canary_ingress_is_put_back,
        an_edited_selector_of_the_stable_service_is_put_back,
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
