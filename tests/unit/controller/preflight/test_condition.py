"""What the condition Preflight says, and when it is written."""

import pytest

from rollouts.model.kinds import AUTOSCALER, DISRUPTION_BUDGET, JSON
from tests.fakes.control_loop import ControlLoop
from tests.unit.controller.preflight.namespace import autoscaler
from tests.unit.controller.preflight.test_budgets import budget


@pytest.fixture
async def deployed(loop: ControlLoop) -> ControlLoop:
    return await loop.deployed(replicas=3)


def preflight(loop: ControlLoop) -> JSON:
    (found,) = [each for each in loop.status["conditions"] if each["type"] == "Preflight"]
    return dict(found)


async def test_a_finding_that_is_added_to_others_is_written_at_once(deployed: ControlLoop) -> None:
    before = preflight(deployed)
    assert (before["status"], before["reason"]) == ("False", "NoReadinessProbe")
    deployed.cluster.put(AUTOSCALER, autoscaler(minReplicas=9, maxReplicas=2))
    await deployed.round()
    after = preflight(deployed)
    assert (after["status"], after["reason"]) == ("False", "NoReadinessProbe")
    assert "asks for at least 9 pods and at most 2" in after["message"]
    assert after["lastTransitionTime"] == before["lastTransitionTime"]
    assert deployed.status["phase"] == "Healthy"


async def test_findings_that_stay_cost_no_write(deployed: ControlLoop) -> None:
    deployed.cluster.put(DISRUPTION_BUDGET, budget(maxUnavailable=0))
    deployed.cluster.put(DISRUPTION_BUDGET, budget("another", maxUnavailable=1))
    await deployed.round()
    said, writes = preflight(deployed)["message"], len(deployed.cluster.writes)
    assert "never lets a pod go" in said
    await deployed.run(30)
    assert preflight(deployed)["message"] == said
    assert len(deployed.cluster.writes) == writes


async def test_a_release_goes_on_over_what_does_not_stop_it(deployed: ControlLoop) -> None:
    deployed.cluster.put(DISRUPTION_BUDGET, budget(maxUnavailable=0))
    deployed.release("shop:2")
    await deployed.until(lambda: deployed.reasons()[-1] == "Promoted")
    assert preflight(deployed)["status"] == "False"
