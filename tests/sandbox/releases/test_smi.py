"""Releases by a TrafficSplit of SMI, seen in real traffic; and what becomes of one that somebody touches."""

import pytest

from rollouts.model.kinds import JSON, ROLLOUT, SERVICE
from rollouts.model.routers.smi import TRAFFIC_SPLIT
from tests.sandbox.releases import manifests
from tests.sandbox.releases.release import Release
from tests.sandbox.releases.routed import (
    QUICK_STEPS,
    SMI,
    deploys,
    gets,
    has,
    ingress,
    rollout,
    split,
    strategy,
    traffic,
)
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.sandbox.releases.switching import updates_to
from tests.sandbox.releases.test_releases import TWO_WEIGHTS

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

ROOT = f"{manifests.NAME}-root"
BY_ROOT: JSON = {"smi": {"rootService": ROOT, "trafficSplitName": "shares"}}


def foreign(release: Release, name: str, *, service: str = manifests.STABLE) -> JSON:
    """Return a TrafficSplit that is nobody's."""
    backends = [{"service": manifests.STABLE, "weight": 1}]
    return {
        "metadata": manifests.metadata(release.namespace, name),
        "spec": {"service": service, "backends": backends},
    }


async def a_split_sends_the_share_that_is_configured_and_goes(release: Release) -> None:
    await deploys(release, rollout(release, SMI, TWO_WEIGHTS), ingress(release))
    assert split(release) == []
    async with traffic(release, 30) as load:
        updates_to(release, "2")
        for weight in (20, 60):
            await has(release, weight)
            assert split(release) == [100 - weight, weight]
            await gets(release, weight, load)
            release.commands("promote")
        await release.is_promoted()
        await release.until(lambda: split(release) == [], "no split once it is settled")
    assert load.report().failed == 0


async def over_a_root_of_its_own_a_split_rests_at_stable(release: Release) -> None:
    release.create(SERVICE, manifests.service(release.namespace, ROOT))
    body = rollout(release, BY_ROOT, manifests.UNTIL_PROMOTED)
    await deploys(release, body, ingress(release, service=ROOT))
    await release.until(lambda: split(release, "shares") == [100, 0], "a split once it is settled")
    async with traffic(release, 30) as load:
        updates_to(release, "2", ERROR_RATE="30%")
        reason = await release.is_rolled_back()
        assert reason.startswith("errors: ")
        assert split(release, "shares") == [100, 0]
        assert load.report().versions["1"].failed == 0
        updates_to(release, "3")
        await has(release, 50)
        assert split(release, "shares") == [50, 50]
        release.commands("promote")
        await release.is_promoted(3)
        assert split(release, "shares") == [100, 0]
    release.removes(ROLLOUT, manifests.NAME)
    await release.until(lambda: split(release, "shares") == [], "gone with the Rollout")


async def aborted_and_superseded_a_split_goes_back_first(release: Release) -> None:
    await deploys(release, rollout(release, SMI, manifests.UNTIL_PROMOTED), ingress(release))
    async with traffic(release) as load:
        updates_to(release, "2")
        await has(release, 50)
        release.commands("abort")
        assert "aborted" in await release.is_rolled_back()
        assert split(release) == []
        release.commands("retry")
        await has(release, 50)
        await release.answers(load, "2")
        superseded = release.status["currentRevision"]["hash"]
        release.edits(ROLLOUT, manifests.NAME, {"spec": {"strategy": strategy(SMI, QUICK_STEPS)}})
        updates_to(release, "3")
        await release.until(lambda: release.stable > 1, "promotion")
        await release.is_over()
        assert not any(superseded in pod["metadata"]["name"] for pod in release.pods())
        assert load.report().versions["2"].last_sent_at < load.report().versions["3"].first_at
    assert split(release) == []


async def a_split_that_somebody_touches_is_put_back(release: Release) -> None:
    await deploys(release, rollout(release, SMI, manifests.UNTIL_PROMOTED), ingress(release))
    async with traffic(release):
        updates_to(release, "2")
        await has(release, 50)
        release.edits(TRAFFIC_SPLIT, manifests.NAME, {"spec": {"backends": foreign_backends(10)}})
        await release.until(lambda: split(release) == [50, 50], "put back")
        await release.until(lambda: release.events("DriftCorrected"), "the event")
        assert release.events("DriftCorrected") == [
            "the canary's route says 10 %; the controller puts it back to 50 %"
        ]

        release.edits(TRAFFIC_SPLIT, manifests.NAME, {"spec": {"matches": [{"name": "x"}]}})
        await release.until(
            lambda: "was changed" in str(release.events("DriftCorrected")), "the event"
        )
        await release.until(
            lambda: "matches" not in (release.get(TRAFFIC_SPLIT, manifests.NAME) or {})["spec"],
            "without matches",
        )

        release.removes(TRAFFIC_SPLIT, manifests.NAME)
        await release.until(lambda: split(release) == [50, 50], "made again")
        await release.until(lambda: "is gone" in str(release.events("DriftCorrected")), "the event")
        assert release.status["weights"]["applied"] == 50
        release.commands("promote")
        await release.is_promoted()
    assert split(release) == []


def foreign_backends(weight: int) -> list[JSON]:
    return [
        {"service": manifests.STABLE, "weight": 100 - weight},
        {"service": manifests.CANARY, "weight": weight},
    ]


async def a_split_that_is_not_ours_is_never_written(release: Release) -> None:
    await deploys(release, rollout(release, SMI, manifests.UNTIL_PROMOTED), ingress(release))
    theirs = release.create(TRAFFIC_SPLIT, foreign(release, manifests.NAME, service="else"))
    second = release.create(TRAFFIC_SPLIT, foreign(release, "second"))
    updates_to(release, "2")
    says = f"TrafficSplit {manifests.NAME} exists and is not this Rollout's"
    await release.until(
        lambda: says in release.condition("Preflight").get("message", ""), "the finding"
    )
    await release.until(lambda: says in release.message, "words")
    also = "TrafficSplit second splits Service web already"  # which may be heard of a moment later
    await release.until(
        lambda: also in release.condition("Preflight").get("message", ""), "the second finding"
    )
    assert release.condition("Preflight")["reason"] == "TrafficSplitNotOurs"
    assert release.status["weights"]["applied"] == 0
    release.removes(TRAFFIC_SPLIT, manifests.NAME)
    await release.until(
        lambda: release.condition("Preflight").get("reason") == "SecondTrafficSplit",
        "the other finding",
    )
    assert split(release) == []
    assert release.get(TRAFFIC_SPLIT, "second") == second
    assert theirs["metadata"]["generation"] == 1
    release.removes(TRAFFIC_SPLIT, "second")
    await has(release, 50)
    release.commands("promote-full")
    await release.is_promoted()


@pytest.mark.parametrize(
    "scenario",
    [
        a_split_sends_the_share_that_is_configured_and_goes,
        over_a_root_of_its_own_a_split_rests_at_stable,
        aborted_and_superseded_a_split_goes_back_first,
        a_split_that_somebody_touches_is_put_back,
        a_split_that_is_not_ours_is_never_written,
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
