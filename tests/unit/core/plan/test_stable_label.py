"""When the pods of the others lose the label of stable, by which a Service selects that Git owns."""

from dataclasses import replace
from typing import Any

import pytest

from rollouts.core.plan.actions import SetStableLabel
from rollouts.core.world import ReplicaSet, Service
from rollouts.model.route import Route
from tests.unit.core.worlds import (
    BAKED,
    NEW,
    OLD,
    Scene,
    evidence,
    replica_set,
    revision,
    service,
    settled,
    under_way,
)


def labelled(hash_: str, pods: int = 4, ready: int | None = None) -> ReplicaSet:
    found = replica_set(hash_, pods, ready)
    return replace(found, leads=True, pods=tuple(replace(pod, leads=True) for pod in found.pods))


def by_label(name: str = "checkout", **facts: Any) -> Service:
    return replace(service(name, "", **facts), by_label=True)


def switching(**services: Service) -> Scene:
    """Return a scene in which both have the label: it is on its way to the new revision."""
    scene = under_way(100, BAKED, current_step_index=1).evolve(labelled(OLD), labelled(NEW))
    named = {"checkout": by_label(oldhash=4, newhash=4), **services}
    remembered = scene.status.evolve(
        services=sorted(named),
        weights=scene.status.weights.model_copy(update={"applied": 0}),
    )
    return scene.with_(services=named, evidence=evidence(), route=Route(), status=remembered)


def going_back(**services: Service) -> Scene:
    """Return it on its way back to stable, after an automatic rollback."""
    scene = switching(**services)
    decision = scene.commanded("abort").decide()
    abort = decision.status.abort
    assert abort is not None
    status = decision.status.evolve(abort=abort.evolve(forced=False))
    return scene.after(decision).with_(status=status, command=None)


def losing(scene: Scene) -> list[str]:
    """Return the revisions whose pods lose it."""
    actions = scene.decide().actions
    lose = (each for each in actions if isinstance(each, SetStableLabel) and not each.leads)
    return [each.replica_set.rpartition("-")[2] for each in lose]


def test_the_others_lose_it_when_all_that_are_ready_are_endpoints() -> None:
    assert losing(switching()) == [OLD]
    assert losing(switching(checkout=by_label(oldhash=4, newhash=3))) == []


def test_a_pod_that_the_service_can_not_select_is_not_waited_for() -> None:
    active = by_label(oldhash=4, newhash=3)
    assert losing(switching(checkout=replace(active, selectable={NEW: 3}))) == [OLD]
    assert losing(switching(checkout=replace(active, selectable={NEW: 4}))) == []


def test_beside_routes_the_new_ones_need_not_be_as_many_as_those_that_go() -> None:
    """One that was lost since the promotion may be waiting for the room of those that go."""
    scene = settled().with_(template_hash=NEW, stable_revision=revision(NEW))
    scene = scene.with_(current_revision=revision(NEW)).evolve(labelled(OLD), labelled(NEW, 4, 3))
    assert losing(scene.serving(stable=by_label(oldhash=4, newhash=3))) == [OLD]
    assert losing(scene.serving(stable=by_label(oldhash=4, newhash=2))) == []


@pytest.mark.parametrize(("there", "lose"), [(0, []), (1, [NEW]), (3, [NEW])])
def test_on_the_way_back_one_endpoint_is_enough(there: int, lose: list[str]) -> None:
    assert losing(going_back(checkout=by_label(oldhash=there, newhash=4))) == lose


def test_a_service_that_leads_to_none_of_ours_is_not_waited_for() -> None:
    left = by_label("left")
    assert losing(switching(left=left)) == [OLD]
    assert losing(going_back(left=left)) == [NEW]
    assert losing(switching(left=by_label("left", oldhash=1))) == []


def test_nobody_is_told_that_the_traffic_is_back_while_both_answer() -> None:
    scene = going_back(checkout=by_label(newhash=4))
    moves = "the label rollouts.dev/stable is on its way to the pods of revision 1"
    assert moves in scene.decide().status.message
    for id_ in ("id-2", "id-3"):
        decision = scene.commanded("rollback", id_).decide()
        command = decision.status.last_command
        assert command is not None
        assert command.message.startswith("traffic goes back to stable")
        scene = scene.after(decision)
    there = replace(by_label(oldhash=4), selected_hash=OLD)
    scene = scene.with_(services={"checkout": there}).evolve(labelled(OLD), replica_set(NEW, 4))
    decision = scene.commanded("rollback", "id-4").decide()
    assert decision.status.last_command is not None
    assert decision.status.last_command.message == "all traffic is at stable already"
    assert moves not in decision.status.message
