"""Edits in the middle of a release, with users: they promote nobody, and lose nothing."""

import pytest

from rollouts.model.kinds import JSON, ROLLOUT
from rollouts.model.routers.nginx import INGRESS
from tests.sandbox.releases import manifests
from tests.sandbox.releases.release import Release
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.sandbox.releases.switching import has_switched, hash_of, selected
from tests.sandbox.releases.test_releases import TWO_WEIGHTS, share_of

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

TO_BLUE_GREEN: JSON = {
    "canary": None,
    "blueGreen": {
        "activeService": manifests.STABLE,
        "postPromotionAnalysis": {"duration": "1h"},
        "abortScaleDownDelaySeconds": 1,
    },
}


async def another_strategy_waits_for_a_person_and_then_begins_anew(release: Release) -> None:
    await release.deploys(TWO_WEIGHTS)
    async with release.traffic(50) as load:
        release.updates_to("2")
        await release.is_at(20)
        release.edits(ROLLOUT, manifests.NAME, {"spec": {"strategy": TO_BLUE_GREEN}})
        await release.until(lambda: release.paused_for == "StrategyChanged", "the hold")
        assert "from canary (nginx) to blueGreen" in release.message
        before = load.report()
        await release.serves(load, 260)
        assert share_of("2", before, load.report()) == pytest.approx(20, abs=12)
        assert release.weight == 20

        release.commands("promote")
        await has_switched(release)
        await release.until(
            lambda: release.get(INGRESS, manifests.CANARY_INGRESS) is None, "its end"
        )
        release.commands("promote")
        await release.is_promoted()
        assert selected(release, manifests.STABLE) == hash_of(release, "stableRevision")
    assert load.report().lost_reasons == {}


async def a_gate_that_is_taken_out_is_not_passed(release: Release) -> None:
    await release.deploys(TWO_WEIGHTS)
    async with release.traffic(50) as load:
        release.updates_to("2")
        await release.is_at(20)
        release.has_steps([{"setWeight": 20}, {"setWeight": 60}])
        await release.until(lambda: release.paused_for == "StepsChanged", "the hold")
        assert "promote goes on with step 2/2 (setWeight 60)" in release.message
        await release.serves(load, 100)
        assert release.weight == 20

        release.has_steps(TWO_WEIGHTS)
        await release.until(lambda: release.paused_for == "PauseStep", "as before")
        release.has_steps([{"setWeight": 20}, {"setWeight": 60}, {"setWeight": 61}])
        await release.until(lambda: release.paused_for == "StepsChanged", "the hold again")
        release.commands("promote")
        await release.is_promoted()
    assert load.report().lost_reasons == {}


@pytest.mark.parametrize(
    "scenario",
    [
        another_strategy_waits_for_a_person_and_then_begins_anew,
        a_gate_that_is_taken_out_is_not_passed,
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
