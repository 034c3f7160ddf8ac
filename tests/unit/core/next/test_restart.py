"""A restart replaces every pod that was there, never more at once than may be missing."""

from dataclasses import replace
from typing import Any

import pytest

from rollouts.core.plan.actions import Decision, EvictPod, ScaleReplicaSet
from rollouts.core.world import Pod, ReplicaSet, restart_pace
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import Restart, RolloutStatus
from rollouts.model.validation import parse_rollout
from tests.fakes import kubernetes
from tests.unit.core.worlds import (
    NEW,
    OLD,
    STEPS,
    Scene,
    at,
    replica_set,
    rolled_back,
    service,
    settled,
    spec_of,
    told,
    under_way,
)


def restarting(scene: Scene, *going: str) -> Scene:
    """Return the scene two seconds after a restart was asked for."""
    wish = Restart(at=at(0), begun=True, going=list(going))
    return scene.with_(restart=wish, now=at(2))


def fleet(size: int, new: int = 0, *, ready_new: int | None = None, **facts: Any) -> ReplicaSet:
    """Return stable's pods, the first `new` of them made after the restart was asked for."""
    found = replica_set(OLD, size, **facts)
    fresh = [
        Pod(f"new-{number}", ready_new is None or number < ready_new, at(1))
        for number in range(new)
    ]
    ready = sum(pod.ready for pod in (*fresh, *found.pods[new:]))
    return replace(
        found, pods=(*fresh, *found.pods[new:]), ready=ready, available=min(ready, found.available)
    )


def world_of(size: int, found: ReplicaSet | None = None, **spec: Any) -> Scene:
    found = found or fleet(size)
    scene = settled(spec_of(replicas=size, **spec)).evolve(found)
    return scene.serving(stable=service("checkout", OLD, oldhash=found.available))


def evicted(decision: Decision) -> list[str]:
    return [each.name for each in decision.actions if isinstance(each, EvictPod)]


def going(decision: Decision) -> list[str]:
    return decision.status.restart.going if decision.status.restart is not None else []


def tolerant(size: int, max_unavailable: int | str) -> RolloutSpec:
    rollout = kubernetes.rollout(STEPS, replicas=size)
    rollout["spec"]["strategy"]["canary"]["maxUnavailable"] = max_unavailable
    return parse_rollout(rollout)


@pytest.mark.parametrize(
    ("size", "max_unavailable", "keep", "surge"),
    [
        (1, "25%", 1, 1),
        (3, "25%", 3, 1),
        (4, "25%", 3, 0),
        (6, "25%", 5, 0),
        (8, "25%", 6, 0),
        (6, 0, 6, 1),
        (6, 3, 3, 0),
        (6, "100%", 1, 0),
        (1, "100%", 1, 1),
        (2, 5, 1, 0),
        (0, "25%", 0, 0),
    ],
)
def test_enough_pods_are_always_kept(
    size: int, max_unavailable: int | str, keep: int, surge: int
) -> None:
    found = restart_pace(tolerant(size, max_unavailable), RolloutStatus())
    assert (found.keep, found.surge) == (keep, surge)
    assert size == 0 or found.at_once > 0


def test_blue_green_keeps_three_quarters() -> None:
    rollout = kubernetes.rollout(STEPS, replicas=8)
    rollout["spec"]["strategy"] = {"blueGreen": {"activeService": "checkout"}}
    assert restart_pace(parse_rollout(rollout), RolloutStatus()).keep == 6


def test_by_replicas_it_has_one_more_pod_too() -> None:
    rollout = kubernetes.rollout(STEPS, replicas=2)
    rollout["spec"]["strategy"] = {"canary": {"steps": STEPS}}
    spec = parse_rollout(rollout)
    scene = restarting(settled(spec, services={}).evolve(fleet(2)))
    decision = scene.decide()
    assert decision.actions == (ScaleReplicaSet(f"checkout-{OLD}", 3),)
    three = replace(fleet(3), pods=(*fleet(2).pods, Pod("new", ready=True, created_at=at(1))))
    assert going(restarting(scene.evolve(three)).decide()) == [f"{OLD}-0"]


def test_the_command_is_accepted_and_told() -> None:
    decision = world_of(6).commanded("restart", by="ann").decide()
    assert decision.status.restart == Restart(at=at(0), by="ann")
    assert decision.status.last_command is not None
    assert decision.status.last_command.accepted
    assert told(decision) == ["RestartBegan"]
    assert decision.status.phase == "Progressing"
    assert decision.status.message == "restarting: 0 of 6 pods replaced"
    assert evicted(decision) == []


def test_pods_that_are_younger_than_our_clock_thinks_are_replaced_too() -> None:
    young = replace(fleet(4), pods=tuple(Pod(f"p{each}", True, at(9)) for each in range(4)))  # noqa: FBT003
    decision = world_of(4, young).commanded("restart").decide()
    assert decision.status.restart is not None
    assert decision.status.restart.at == at(9)


@pytest.mark.parametrize(
    ("scene", "why"),
    [
        (under_way(), "under way"),
        (settled().without(OLD), "no revision is stable"),
        (settled().evolve(replica_set(OLD, 0)), "no pods"),
    ],
)
def test_it_is_refused_when_it_makes_no_sense(scene: Scene, why: str) -> None:
    decision = scene.commanded("restart").decide()
    assert decision.status.restart is None
    assert decision.status.last_command is not None
    assert not decision.status.last_command.accepted
    assert why in decision.status.last_command.message


def test_a_pod_of_the_same_second_as_the_wish_is_not_replaced_twice() -> None:
    wish = Restart(at=at(0.1))
    early = world_of(1).with_(now=at(0.4), restart=wish).decide()
    assert early.requeue_after_seconds == pytest.approx(0.6)
    assert early.status.restart == wish
    assert early.actions == (), "a second pod would be of this second, too"
    due = world_of(1).with_(now=at(1), restart=wish)
    assert due.decide().status.restart == wish.evolve(begun=True)
    assert due.after(due.decide()).decide().actions == (ScaleReplicaSet(f"checkout-{OLD}", 2),)


def test_who_goes_is_written_down_before_it_is_asked_to() -> None:
    scene = restarting(world_of(8))
    first = scene.decide()
    assert going(first) == [f"{OLD}-0", f"{OLD}-1"]
    assert evicted(first) == []
    assert evicted(scene.after(first).decide()) == [f"{OLD}-0", f"{OLD}-1"]


def test_no_others_go_while_these_are_still_seen() -> None:
    scene = restarting(world_of(8), f"{OLD}-0", f"{OLD}-1")
    decision = scene.decide()
    assert going(decision) == [f"{OLD}-0", f"{OLD}-1"]
    assert evicted(decision) == going(decision), "asking again does no harm"


def test_the_next_wait_until_enough_are_available_again() -> None:
    scene = restarting(world_of(4, fleet(4, new=1, ready_new=0)), f"{OLD}-0")
    decision = scene.decide()
    assert going(decision) == []
    assert evicted(decision) == []
    assert decision.status.message == "restarting: 1 of 4 pods replaced; 3 of 4 are available"
    there = restarting(world_of(4, fleet(4, new=1)))
    assert going(there.decide()) == [f"{OLD}-1"]


def test_a_pod_that_no_request_reaches_yet_is_not_available() -> None:
    scene = restarting(world_of(4)).serving(stable=service("checkout", OLD, oldhash=3))
    assert going(scene.decide()) == []


def test_a_pod_that_fails_meanwhile_holds_back_what_was_chosen() -> None:
    scene = restarting(world_of(8, fleet(8, available=7)), f"{OLD}-0", f"{OLD}-1")
    assert evicted(scene.decide()) == [f"{OLD}-0"]


def test_old_pods_that_serve_nobody_go_first_and_whatever_is_missing() -> None:
    crashing = replace(fleet(4, available=2, problem="CrashLoopBackOff"))
    assert going(restarting(world_of(4, crashing)).decide()) == [f"{OLD}-2", f"{OLD}-3"]


def test_new_pods_that_fail_stop_it_and_say_why() -> None:
    failing = fleet(4, new=1, ready_new=0)
    broken = (Pod("new-0", ready=False, created_at=at(1), problem="CrashLoopBackOff"),)
    failing = replace(failing, pods=(*broken, *failing.pods[1:]))
    decision = restarting(world_of(4, failing)).decide()
    assert going(decision) == []
    assert decision.status.message.endswith("3 of 4 are available (CrashLoopBackOff)")


def test_a_single_pod_gets_a_second_before_it_goes() -> None:
    scene = restarting(world_of(1))
    decision = scene.decide()
    assert decision.actions == (ScaleReplicaSet(f"checkout-{OLD}", 2),)
    assert going(decision) == []

    two = replace(fleet(2), pods=(fleet(2).pods[0], Pod("new", ready=True, created_at=at(1))))
    scene = restarting(world_of(1, two))
    assert going(scene.decide()) == [f"{OLD}-0"]

    replaced = fleet(2, new=2)
    done = restarting(world_of(1, replaced)).decide()
    assert done.status.restart is None
    assert told(done) == ["Restarted"]
    after = world_of(1, replaced).decide()
    assert after.actions == (ScaleReplicaSet(f"checkout-{OLD}", 1),)


def test_it_ends_when_no_old_pod_is_left_and_all_are_available() -> None:
    waiting = restarting(world_of(4, fleet(4, new=4, ready_new=3))).decide()
    assert waiting.status.restart is not None
    done = restarting(world_of(4, fleet(4, new=4))).decide()
    assert done.status.restart is None
    assert told(done) == ["Restarted"]
    assert done.status.phase == "Healthy"
    assert "is stable" in done.status.message


def test_a_new_template_ends_it() -> None:
    scene = restarting(world_of(4), f"{OLD}-0")
    decision = scene.with_(template_hash=NEW, images=("shop:new",)).decide()
    assert decision.status.restart is None
    assert told(decision) == ["RolloutStarted", "RestartInterrupted"]
    assert evicted(scene.with_(template_hash=NEW).after(decision).decide()) == []


def test_abort_ends_it() -> None:
    decision = restarting(world_of(4), f"{OLD}-0").commanded("abort").decide()
    assert decision.status.restart is None
    assert told(decision) == ["RestartInterrupted"]
    assert decision.status.last_command is not None
    assert decision.status.last_command.accepted
    assert decision.status.phase == "Healthy"


def test_stable_may_be_restarted_after_a_rollback_which_stays_said() -> None:
    scene = restarting(rolled_back(), f"{OLD}-0")
    before = scene.status.message
    first = scene.decide()
    assert first.status.phase == "Degraded"
    assert first.status.message == f"{before}; restarting: 0 of 4 pods replaced"
    again = scene.after(first).decide()
    assert again.status.message == first.status.message
    done = scene.after(again).evolve(fleet(4, new=4)).decide()
    assert done.status.restart is None
    assert done.status.message == before


def test_nothing_goes_while_something_is_in_the_way() -> None:
    scene = restarting(world_of(4)).with_(services={})
    decision = scene.decide()
    assert decision.status.phase == "Degraded"
    assert going(decision) == []
