"""Decisions about an active Service that does not select what it should."""

import pytest

from rollouts.core.plan.actions import CreateReplicaSet, RemoveRoute, SelectRevision
from rollouts.model.route import Route
from tests.unit.core.worlds import (
    BAKED,
    NEW,
    OLD,
    Scene,
    evidence,
    replica_set,
    service,
    told,
    under_way,
)


def baking(selected: str = NEW) -> Scene:
    """Return a scene after the switch, with an active Service that selects this."""
    active = service("checkout", selected, newhash=4)
    scene = under_way(100, BAKED, current_step_index=2).evolve(replica_set(NEW, 4))
    return scene.with_(services={"checkout": active}, evidence=evidence(), route=Route())


def before_the_switch(selected: str) -> Scene:
    """Return a scene in which the new revision has no pods, and not even a ReplicaSet."""
    scene = under_way(0, BAKED, route=Route()).without(NEW)
    scene = scene.with_(status=scene.status.evolve(services=["checkout"]))
    return scene.with_(services={"checkout": service("checkout", selected, oldhash=4)})


def test_the_routes_of_a_canary_that_was_under_way_before_go() -> None:
    left = Route(exists=True, weight=None, highest=100)
    assert RemoveRoute() in baking().with_(route=left).decide().actions


@pytest.mark.parametrize(("selected", "said"), [("", "all revisions"), ("another", "another")])
def test_after_the_switch_it_is_put_back_and_said(selected: str, said: str) -> None:
    decision = baking(selected).decide()
    assert list(decision.actions) == [SelectRevision("checkout", NEW)]
    assert told(decision) == ["DriftCorrected"]
    assert decision.status.history[-1].message == (
        f"Service checkout selected {said}; the controller puts it back to {NEW}"
    )
    assert decision.status.abort is None


@pytest.mark.parametrize("selected", ["", "another"])
def test_before_there_are_new_pods_nobody_has_their_traffic(selected: str) -> None:
    decision = before_the_switch(selected).decide()
    assert decision.status.abort is None
    assert SelectRevision("checkout", OLD) in decision.actions
    assert not any(isinstance(each, CreateReplicaSet) for each in decision.actions)


def test_what_nobody_would_answer_is_not_put_back_and_not_said_to_be() -> None:
    """It would be said again every quarter of a minute, until nothing else is in the history."""
    scene = before_the_switch("another").evolve(replica_set(OLD, 4, available=0))
    decision = scene.decide()
    assert not any(isinstance(each, SelectRevision) for each in decision.actions)
    assert "DriftCorrected" not in told(decision)


def test_a_service_that_is_gone_is_waited_for_and_not_put_back() -> None:
    decision = baking().with_(services={}).decide()
    assert told(decision) == []
    assert decision.status.abort is None
    assert "Service checkout does not exist" in decision.status.message


def test_what_is_as_it_should_be_is_left_alone() -> None:
    decision = baking().decide()
    assert (list(decision.actions), told(decision)) == ([], [])
