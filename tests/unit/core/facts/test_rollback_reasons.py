"""Which pods speak against a release, and from when on; and which only had something happen to them."""

from dataclasses import replace
from typing import Any

import pytest

from rollouts.core.plan.actions import SetWeight
from rollouts.core.world import Pod, ReplicaSet, enough_pods
from rollouts.model.route import Route, Split
from rollouts.model.status import Weights
from tests.unit.core.worlds import (
    NEW,
    OLD,
    Scene,
    at,
    replica_set,
    service,
    spec_of,
    told,
    under_way,
)

LATELY: dict[str, Any] = {"unready_since": at(-3)}
UNREADY: dict[str, Any] = {"ready": False, "was_ready": True, **LATELY}
RESTARTED: dict[str, Any] = {"ready": False, "restarts": 1, **LATELY}
DISRUPTED: dict[str, Any] = {"ready": False, "disrupted": True, "was_ready": True, **LATELY}
STARTING: dict[str, Any] = {"ready": False, "created_at": at(-3), **LATELY}


def fleet(hash_: str, size: int, *unlike: dict[str, Any]) -> ReplicaSet:
    """Return so many ready pods, of which the first are unlike that."""
    found = replica_set(hash_, size)
    pods = [replace(pod, **facts) for pod, facts in zip(found.pods, unlike, strict=False)]
    everyone = (*pods, *found.pods[len(pods) :])
    ready = sum(pod.ready for pod in everyone)
    return replace(found, pods=everyone, ready=ready, available=ready)


def big(*unlike: dict[str, Any], stable: ReplicaSet | None = None, **changes: Any) -> Scene:
    """Return a scene with all of 40 canary pods asked for by 100 % of the traffic."""
    spec = spec_of([{"setWeight": 100}, {"pause": {}}], replicas=40, **changes)
    scene = under_way(100, spec, current_step_index=1, stable_floor=40)
    canary = fleet(NEW, 40, *unlike)
    scene = scene.evolve(canary, stable or fleet(OLD, 40))
    return scene.serving(
        stable=service("checkout", OLD, oldhash=40),
        canary=service("checkout-canary", NEW, newhash=canary.ready),
    )


def single(**facts: Any) -> Scene:
    """Return a scene whose only canary pod is as told."""
    return under_way(25, current_step_index=1).evolve(fleet(NEW, 1, facts))


def reason(scene: Scene) -> str | None:
    abort = scene.decide().status.abort
    return abort.reason if abort is not None else None


@pytest.mark.parametrize("unlike", [UNREADY, RESTARTED, DISRUPTED, STARTING])
@pytest.mark.parametrize("pods", [1, 10])
def test_some_of_many_may_stop_being_ready_for_a_while(unlike: dict[str, Any], pods: int) -> None:
    scene = big(*[unlike] * pods)
    assert reason(scene) is None
    assert scene.decide().actions == (), "the weight stays"


@pytest.mark.parametrize("unlike", [UNREADY, RESTARTED])
def test_more_than_max_unavailable_of_them_end_it_at_once(unlike: dict[str, Any]) -> None:
    assert (reason(big(*[unlike] * 11)) or "").startswith("29 of the 40 canary pods")


@pytest.mark.parametrize("unlike", [DISRUPTED, STARTING])
def test_those_that_are_disrupted_or_start_are_not_counted(unlike: dict[str, Any]) -> None:
    assert reason(big(*[unlike] * 30)) is None


@pytest.mark.parametrize("unlike", [UNREADY, RESTARTED])
def test_one_that_stays_unready_ends_it_when_its_time_is_over(unlike: dict[str, Any]) -> None:
    scene = big({**unlike, "unready_since": at(-5)})
    waiting = scene.decide()
    assert waiting.requeue_after_seconds == 55
    later = scene.after(waiting, 54)
    assert reason(later) is None
    assert (reason(later.with_(now=at(55))) or "").endswith("is not ready again after 1m")


def test_how_long_that_may_be_is_the_strategy_s_to_say() -> None:
    canary = {**under_way().spec.strategy.model_dump(by_alias=True, exclude_none=True)["canary"]}
    scene = big(UNREADY, strategy={"canary": {**canary, "unreadySeconds": 2}})
    assert (reason(scene) or "").endswith("is not ready again after 2s")


def test_one_that_never_was_ready_at_this_weight_is_no_failure() -> None:
    """It was there before the weight, which went up without it."""
    early = {"ready": False, "unready_since": at(-500)}
    assert reason(big(early, *[early] * 11)) is None


def test_a_crash_loop_ends_it_whatever_stable_does() -> None:
    loop = {"ready": False, "problem": "CrashLoopBackOff", "restarts": 3}
    stable = fleet(OLD, 40, *[UNREADY] * 40)
    assert "crash again and again" in (reason(big(loop, stable=stable)) or "")


@pytest.mark.parametrize(("theirs", "ends"), [(11, True), (12, False), (40, False)])
def test_what_takes_as_large_a_share_of_stable_s_pods_is_not_the_release_s_fault(
    theirs: int, ends: bool
) -> None:
    scene = big(*[UNREADY] * 12, stable=fleet(OLD, 40, *[UNREADY] * theirs))
    assert (reason(scene) is not None) == ends


def test_no_ready_pod_ends_it_at_once_when_one_has_failed_by_itself() -> None:
    assert reason(single(**UNREADY)) == "the canary has traffic, and none of its pods is ready"
    assert reason(single(**RESTARTED)) == "the canary has traffic, and none of its pods is ready"
    stuck = {**STARTING, "problem": "ImagePullBackOff"}
    assert reason(single(**stuck)) == "the canary has traffic, and none of its pods is ready"


@pytest.mark.parametrize("facts", [DISRUPTED, STARTING])
def test_no_ready_pod_by_no_fault_of_theirs_is_a_hold_at_0(facts: dict[str, Any]) -> None:
    decision = single(**facts).decide()
    assert decision.actions == (SetWeight(Split(0, cut_off=True)),)
    status = decision.status
    assert (status.abort, status.current_step_index, status.phase) == (None, 1, "Progressing")
    assert (status.weights.desired, status.weights.applied) == (25, 0)
    assert told(decision) == ["Disrupted"]


def test_the_hold_is_kept_although_a_cache_says_the_old_weight() -> None:
    """The write is made, and its watch has not come yet."""
    scene = single(**STARTING)
    held = scene.after(scene.decide())
    again = held.decide()
    assert again.status.weights.applied == 0
    assert told(again) == []
    assert again.actions == (SetWeight(Split(0, cut_off=True)),)


@pytest.mark.parametrize("ends", ["a newer template", "an abort and a retry"])
def test_what_the_lost_pods_counted_last_is_not_counted_against_the_next(ends: str) -> None:
    """The routes are cut when that begins, and counters move for a while after their last request."""
    scene = single(**STARTING)
    held = scene.after(scene.decide()).with_(route=Route(exists=True, weight=0, highest=0))
    if ends == "a newer template":
        begun = held.with_(template_hash="thirdhash").decide()
    else:
        begun = held.after(held.commanded("abort").decide()).commanded("retry", "id-2").decide()
    assert told(begun) == ["RolloutStarted"]
    assert begun.status.exposed_at == begun.status.drain_until == at(3)


def test_without_a_stable_pod_nothing_is_moved() -> None:
    scene = single(**STARTING).evolve(replica_set(OLD, 4, 0))
    decision = scene.decide()
    assert decision.actions == ()
    assert decision.status.abort is None


def test_a_revision_that_somebody_scaled_to_nothing_is_rolled_back() -> None:
    scene = under_way(25, current_step_index=1).evolve(replica_set(NEW, 0))
    assert reason(scene) == "the canary has traffic, and none of its pods is ready"


@pytest.mark.parametrize(
    ("wanted", "available", "broken", "goes_on"),
    [
        (19, 18, 0, False),
        (20, 19, 0, True),
        (20, 18, 0, False),
        (200, 190, 0, True),
        (200, 189, 0, False),
        (200, 197, 3, False),
        (1, 0, 0, False),
    ],
)
def test_by_default_some_of_many_may_be_starting_still(
    wanted: int, available: int, broken: int, goes_on: bool
) -> None:
    pods = [
        Pod(f"pod-{each}", ready=False, created_at=at(-9), restarts=1) for each in range(broken)
    ]
    found = replace(replica_set(NEW, wanted, available), pods=tuple(pods))
    assert (available >= enough_pods(spec_of(), wanted, found)) == goes_on


@pytest.mark.parametrize(
    ("threshold", "least"),
    [
        ({"type": "Percent", "value": 90}, 9),
        ({"type": "Percent", "value": 100}, 10),
        ({"type": "Percent", "value": 1}, 1),
        ({"type": "Pod", "value": 7}, 7),
        ({"type": "Pod", "value": 70}, 10),
    ],
)
def test_a_threshold_says_how_many_are_enough(threshold: dict[str, Any], least: int) -> None:
    strategy = {"canary": {"steps": [], "replicaProgressThreshold": threshold}}
    assert enough_pods(spec_of(strategy=strategy), 10, replica_set(NEW, 10)) == least


def test_what_a_threshold_calls_enough_for_a_weight_is_enough_at_that_weight() -> None:
    """Else the weight would rise onto 20 of 40, and be taken back in the next decision."""
    strategy = spec_of().model_dump(by_alias=True, exclude_none=True)["strategy"]
    threshold = {"replicaProgressThreshold": {"type": "Percent", "value": 50}}
    scene = big(*[RESTARTED] * 20, strategy={"canary": {**strategy["canary"], **threshold}})
    assert reason(scene) is None
    assert reason(big(*[RESTARTED] * 20)) is not None
    scene = big(*[RESTARTED] * 21, strategy={"canary": {**strategy["canary"], **threshold}})
    assert reason(scene) is not None


def test_a_step_goes_on_by_its_threshold() -> None:
    scene = under_way(50, weights=Weights(desired=50), current_step_index=2, route=Route())
    scene = scene.evolve(fleet(NEW, 2, STARTING)).serving(
        canary=service("checkout-canary", NEW, newhash=1)
    )
    assert scene.decide().actions == ()
    canary = scene.spec.strategy.model_dump(by_alias=True, exclude_none=True)["canary"]
    half = {"canary": {**canary, "replicaProgressThreshold": {"type": "Percent", "value": 50}}}
    assert SetWeight(Split(50)) in scene.with_(spec=spec_of(strategy=half)).decide().actions


@pytest.mark.parametrize(
    ("settled_pods", "created_at", "ends"),
    [
        pytest.param(2, at(-5), False, id="each time another pod is missing"),
        pytest.param(2, at(-700), True, id="it is the same all the time"),
        pytest.param(None, at(-5), True, id="the step never had its pods"),
    ],
)
def test_a_replacement_has_a_deadline_of_its_own(
    settled_pods: int | None, created_at: Any, ends: bool
) -> None:
    scene = under_way(50, current_step_index=1, unsettled_since=at(-599), settled_pods=settled_pods)
    missing = {**STARTING, "created_at": created_at, "unready_since": at(-600)}
    scene = scene.evolve(fleet(NEW, 2, missing))
    later = scene.after(scene.decide(), 2)
    assert (reason(later) is not None) == ends
