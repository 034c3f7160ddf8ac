"""A Rollout that comes back from a backup or from Git, in the middle of a release."""

import pytest

from tests.simulation.cluster_faults import BY_PODS, come_back
from tests.simulation.kubelets import Behaviour
from tests.simulation.setups import SETUPS
from tests.simulation.starting_points import deployed

ROUTED = [name for name, each in SETUPS.items() if name != "replicas" and not each.adopts]


@pytest.mark.parametrize("dangling", [True, False], ids=["owner-that-is-gone", "no-owner"])
@pytest.mark.parametrize("setup", ROUTED)
def test_git_has_taken_the_router_out_and_nobodys_request_is_lost(
    setup: str, dangling: bool
) -> None:
    """What routes and Services were there of the release leads to its pods still, and no status says so."""
    story = deployed(setup, 4)
    new = story.release("shop:2", Behaviour(ready_after=0.5))
    story.run_until(lambda it: it.percent(new) >= 5)
    lost = story.users.lost
    come_back(
        story, {**story.rollout["spec"], "strategy": BY_PODS}, with_status=False, dangling=dangling
    )
    assert story.settle().phase == "Healthy"
    assert story.users.lost == lost
    assert not story.selects("checkout")


def test_a_promote_that_was_read_before_a_release_does_not_promote_it() -> None:
    """The controller gives a bare verb an id first; the next template comes before it obeys."""
    story = deployed("router", 5)
    story.release("shop:2")
    story.run_until(lambda it: it.status.weights.applied == 5)
    story.command("promote-full")
    story.reconcile()
    new = story.release("shop:3", Behaviour(error_rate=0.3))
    assert story.settle().phase == "Degraded"
    assert story.status.last_command is not None
    assert not story.status.last_command.accepted
    assert not story.is_stable(new)
