"""Blue-green: the Service switches to a revision that is ready, bakes it, and goes back in one write."""

import pytest

from rollouts.model.kinds import (
    DEPLOYMENT,
    HASH_LABEL,
    JSON,
    MANAGED_BY_LABEL,
    REPLICA_SET,
    ROLLOUT,
    SERVICE,
)
from rollouts.model.routers.nginx import INGRESS
from tests.sandbox.releases import manifests
from tests.sandbox.releases.release import Release
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.sandbox.releases.switching import (
    PREVIEW,
    blue_green,
    deploys,
    has_switched,
    hash_of,
    in_turn,
    pods_of,
    ready,
    selected,
    switches,
    template,
    updates_to,
)

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

LONG: JSON = {"postPromotionAnalysis": {"duration": "60s"}}


async def a_preview_is_looked_at_and_the_switch_is_one_write(release: Release) -> None:
    await deploys(release, blue_green(autoPromotionEnabled=False))
    old, begin = selected(release, manifests.STABLE), len(release.sandbox.audit)
    async with release.traffic() as load:
        updates_to(release, "2")
        await release.until(lambda: release.paused_for == "PauseStep", "the preview")
        new = hash_of(release, "currentRevision")
        preview = release.get(SERVICE, PREVIEW)
        assert preview is not None
        assert preview["metadata"]["labels"][MANAGED_BY_LABEL] == manifests.NAME
        assert (selected(release, PREVIEW), selected(release, manifests.STABLE)) == (new, old)
        assert ready(pods_of(release, new)) == 2
        assert (
            release.message
            == "step 2/3 before the switch: waits for a person to promote or abort it"
        )
        assert set(load.report().versions) == {"1"}

        release.commands("promote")
        await release.is_promoted()
        assert switches(release, begin) == 1
        assert in_turn(load, "1", "2")
    assert load.report().lost_reasons == {}
    assert {selected(release, each) for each in (manifests.STABLE, PREVIEW)} == {new}


async def the_preview_is_switched_only_onto_pods_that_are_ready(release: Release) -> None:
    release.create(SERVICE, manifests.service(release.namespace, PREVIEW))
    await deploys(
        release, blue_green(previewReplicaCount=1, autoPromotionEnabled=False), replicas=3
    )
    await release.until(lambda: selected(release, PREVIEW) == hash_of(release, "stableRevision"))
    async with release.traffic() as load:
        updates_to(release, "2", START_DELAY="1s")
        await release.until(
            lambda: (
                selected(release, PREVIEW)
                == hash_of(release, "currentRevision")
                != selected(release, manifests.STABLE)
            )
        )
        pods = pods_of(release, hash_of(release, "currentRevision"))
        assert (len(pods), ready(pods)) == (1, 1)
        await release.until(lambda: release.paused_for == "PauseStep", "the preview")
        release.commands("promote")
        await has_switched(release)
        assert ready(pods_of(release, hash_of(release, "currentRevision"))) == 3
        await release.is_promoted()
    assert load.report().lost_reasons == {}
    assert "abort" not in release.status


async def a_bake_that_fails_is_switched_back(release: Release) -> None:
    await deploys(release, blue_green(**LONG))
    old, begin = selected(release, manifests.STABLE), len(release.sandbox.audit)
    async with release.traffic(40) as load:
        updates_to(release, "2", ERROR_RATE="30%")
        reason = await release.is_rolled_back()
    assert reason.startswith("errors: ")
    assert selected(release, manifests.STABLE) == old
    assert switches(release, begin) == 2
    assert load.report().lost_reasons == {}
    assert load.report().versions["1"].failed == 0


async def until_the_old_pods_go_the_way_back_is_one_write(release: Release) -> None:
    await deploys(release, blue_green(**LONG, scaleDownDelaySeconds=60))
    old, begin = selected(release, manifests.STABLE), len(release.sandbox.audit)
    async with release.traffic() as load:
        updates_to(release, "2")
        await has_switched(release)
        assert ready(pods_of(release, old)) == 2
        release.commands("abort")
        await release.until(lambda: selected(release, manifests.STABLE) == old)
        assert "aborted" in await release.is_rolled_back()
        assert switches(release, begin) == 2

        release.commands("retry")
        await has_switched(release)
        release.commands("promote")
        await release.until(lambda: release.phase == "Healthy" and release.stable > 1, "promotion")
        assert ready(pods_of(release, old)) == 2
        release.commands("rollback")
        await release.until(lambda: selected(release, manifests.STABLE) == old)
        assert "rolled back" in await release.is_rolled_back()
        assert switches(release, begin) == 4
    assert load.report().lost_reasons == {}
    assert release.stable == 1


async def a_newer_template_in_the_bake_goes_back_first(release: Release) -> None:
    await deploys(release, blue_green(**LONG))
    async with release.traffic() as load:
        updates_to(release, "2")
        await has_switched(release)
        await release.answers(load, "2")
        superseded = hash_of(release, "currentRevision")
        updates_to(release, "3")
        await release.until(
            lambda: selected(release, manifests.STABLE) == hash_of(release, "stableRevision")
        )
        await has_switched(release)
        release.commands("promote")
        await release.is_promoted(3)
        assert in_turn(load, "2", "3")
    assert load.report().lost_reasons == {}
    assert pods_of(release, superseded) == []


async def a_service_in_use_without_the_label_is_taken_over(release: Release) -> None:
    release.create(SERVICE, manifests.service(release.namespace))
    release.create(INGRESS, manifests.ingress(release.namespace))
    deployment = {
        "replicas": 2,
        "selector": {"matchLabels": manifests.LABELS},
        "template": template("0"),
    }
    release.create(
        DEPLOYMENT, {"metadata": manifests.metadata(release.namespace), "spec": deployment}
    )
    await release.until(lambda: ready(release.pods()) == 2)
    async with release.traffic() as load:
        await release.until(lambda: "0" in load.report().versions, "nginx knows the pods")
        before = load.report().lost
        body = release.rollout_body([], strategy=blue_green(), template=template("1"))
        release.create(ROLLOUT, body)
        await release.is_healthy()
        await release.until(
            lambda: selected(release, manifests.STABLE) == hash_of(release, "stableRevision"),
            "the selector, which follows status",
        )
        release.removes(DEPLOYMENT, manifests.NAME)
        await release.is_over()
        await release.answers(load, "1")
    assert load.report().lost == before


async def what_is_changed_by_hand_is_put_back(release: Release) -> None:
    await deploys(release, blue_green(**LONG))
    async with release.traffic() as load:
        updates_to(release, "2")
        await has_switched(release)
        old, new = hash_of(release, "stableRevision"), hash_of(release, "currentRevision")
        release.edits(SERVICE, manifests.STABLE, {"spec": {"selector": {HASH_LABEL: None}}})
        await release.until(lambda: selected(release, manifests.STABLE) == new)
        await release.until(lambda: len(release.events("DriftCorrected")) == 1)
        release.edits(REPLICA_SET, f"{manifests.NAME}-{old}", {"spec": {"replicas": 1}})
        await release.until(lambda: ready(pods_of(release, old)) == 2 == len(pods_of(release, old)))
        release.edits(REPLICA_SET, f"{manifests.NAME}-{new}", {"spec": {"replicas": 3}})
        await release.until(lambda: len(pods_of(release, new)) == 2)
        release.edits(ROLLOUT, manifests.NAME, {"spec": {"replicas": 3}})
        await release.until(
            lambda: ready(pods_of(release, old)) == ready(pods_of(release, new)) == 3
        )
        assert selected(release, manifests.STABLE) == new
        release.commands("promote")
        await release.is_promoted()
    assert load.report().lost_reasons == {}


async def a_missing_active_service_is_waited_for(release: Release) -> None:
    release.create(INGRESS, manifests.ingress(release.namespace))
    release.create(ROLLOUT, release.rollout_body([], strategy=blue_green(), successCriteria=[]))
    says = "Service web does not exist; create it, or correct activeService"
    await release.until(lambda: release.phase == "Degraded" and release.message == says)
    assert release.condition("Ready")["message"] == says
    release.create(SERVICE, manifests.service(release.namespace))
    await release.is_healthy()

    release.removes(SERVICE, manifests.STABLE)
    updates_to(release, "2")
    await release.until(
        lambda: says in release.message and release.status["currentRevision"]["number"] == 2
    )
    release.create(SERVICE, manifests.service(release.namespace))
    await release.is_promoted()
    assert selected(release, manifests.STABLE) == hash_of(release, "stableRevision")


@pytest.mark.parametrize(
    "scenario",
    [
        a_preview_is_looked_at_and_the_switch_is_one_write,
        the_preview_is_switched_only_onto_pods_that_are_ready,
        a_bake_that_fails_is_switched_back,
        until_the_old_pods_go_the_way_back_is_one_write,
        a_newer_template_in_the_bake_goes_back_first,
        a_service_in_use_without_the_label_is_taken_over,
        what_is_changed_by_hand_is_put_back,
        a_missing_active_service_is_waited_for,
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
