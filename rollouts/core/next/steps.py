"""A canary goes from step to step, then to its promotion; or it stays, and says what it waits for."""

from typing import get_args

from rollouts.core.facts import (
    DISRUPTED,
    StepDone,
    StepFailed,
    StepWaits,
    hold_of,
    leaning_since,
    opens_route,
    place_of,
    rise_waits_for,
    step_deadline,
    step_is_settled,
    step_state,
    step_waits_for,
    step_waits_for_evidence,
    waits_for_pods,
)
from rollouts.core.next.attempt import promote, roll_back
from rollouts.core.world import (
    Hold,
    HoldReason,
    StatusUpdate,
    UnderWay,
    World,
    canary_scale_at,
    mechanism_of,
    missing_service,
    pods_needed,
    under_way,
)
from rollouts.model.status import PauseCondition, PauseReason, RolloutStatus
from rollouts.model.step_labels import PROMOTION, entered_steps
from rollouts.model.strategy import Step


def advance(world: World, update: StatusUpdate) -> StatusUpdate:
    """Go as far as the evidence, the clock and the cluster allow, and say what it waits for."""
    release = under_way(update.status)
    if release is None:
        return update
    standing_still = _stands_still(world, update)
    if standing_still is not None:
        return standing_still
    return _go_on(world, _without_hold(world, update), release)


def _stands_still(world: World, update: StatusUpdate) -> StatusUpdate | None:
    """Return the update with what holds it, where an edit, a person or the lack of pods does; else None."""
    hold = hold_of(world, update.status)
    if hold is not None:
        # Nobody waits for evidence meanwhile.
        return _held(world, update.evolve(leaning_since=None), hold)
    waits = waits_for_pods(world, update.status)
    return _stay(world, _wait_for_pods(world, update, waits), StepWaits(waits)) if waits else None


def _without_hold(world: World, update: StatusUpdate) -> StatusUpdate:
    """Return the update without what has held it."""
    update = _with_floor(world, update)
    if update.status.pause is not None and update.status.pause.reason in get_args(HoldReason):
        # The clock of a step stands still during a hold.
        update = update.evolve(pause=None, step_started_at=world.now)
    return update


def _go_on(world: World, update: StatusUpdate, release: UnderWay) -> StatusUpdate:
    """Go through the steps as far as they are done, then to the promotion."""
    steps = world.spec.steps
    index = update.status.current_step_index or 0
    while index < len(steps):
        unseen = step_waits_for_evidence(world, update.status, index)
        if unseen is not None:
            return _stay(world, update, unseen)
        update = _enter(world, update, index)
        found = step_state(world, update.status, steps[index])
        if not isinstance(found, StepDone):
            return _stay(world, update, found)
        index += 1
    unseen = step_waits_for_evidence(world, update.status, index)
    if unseen is not None:
        return _stay(world, update, unseen)
    return _promote(world, _enter(world, update, index), release)


def _enter(world: World, update: StatusUpdate, index: int) -> StatusUpdate:
    """Make step `index` the current one, unless it is already."""
    status = update.status
    steps = world.spec.steps
    same = status.current_step_index == index and status.step_started_at is not None
    step = steps[index] if index < len(steps) else None
    weight = step.set_weight if step is not None else 100
    desired = status.weights.desired if weight is None else weight
    if weight is not None:
        desired = mechanism_of(world.spec).attainable_weight(world.spec, status, weight)
    scale = canary_scale_at(world.spec, status, index) if index < len(steps) else None
    update = update.evolve(entered_steps=entered_steps(world.spec, index))
    if same and desired == status.weights.desired and scale == status.canary_scale:
        return update
    asked = status.evolve(
        weights=status.weights.evolve(desired=desired), canary_scale=scale, current_step_index=index
    )
    return update.evolve(
        current_step_index=index,
        step_started_at=status.step_started_at if same else world.now,
        weights=status.weights.evolve(
            desired=desired,
            routes=status.weights.routes if same else _still_open(status, step),
        ),
        canary_scale=scale,
        settled_pods=_still_settled(world, status, asked, step),
        pause=status.pause if same else None,
        promoted=status.promoted if same else _still_promoted(status, step),
    )


def _still_settled(
    world: World, status: RolloutStatus, asked: RolloutStatus, step: Step | None
) -> int | None:
    """Return the pods that a step before has had, where this one asks for no others."""
    is_gate = step is not None and (step.pause is not None or step.analysis is not None)
    waits = is_gate and asked.current_step_index == status.current_step_index
    if waits or pods_needed(world.spec, asked) == pods_needed(world.spec, status):
        return status.settled_pods
    return None


def _still_promoted(status: RolloutStatus, step: Step | None) -> str:
    """Return what a person took upon themselves, as far as it holds beyond the step that ends."""
    if status.promoted == "Evidence" and (step is None or opens_route(step) or step.set_weight):
        return status.promoted  # it was for the rise that begins now
    return "Full" if status.promoted == "Full" else ""


def _still_open(status: RolloutStatus, step: Step | None) -> list[str]:
    """Return the routes that stay confirmed when `step` is entered: not the one that it sets anew."""
    route = (step.set_header_route or step.set_mirror_route) if step is not None else None
    return [each for each in status.weights.routes if route is None or each != route.name]


def _stay(world: World, update: StatusUpdate, found: StepWaits | StepFailed) -> StatusUpdate:
    """Stay at this step, and say what it waits for; or go back where that ends the release."""
    if isinstance(found, StepFailed):
        return roll_back(world, update, by="rollouts", reason=found.why)
    status = update.status
    where = f"{place_of(world, status)}: {missing_service(world) or found.why}"
    if found.until is not None:
        update = update.requeue_at(found.until)
    late = step_deadline(world, status)
    stalled = late is not None and world.now >= late
    update = update.evolve(leaning_since=leaning_since(world, status, found))
    if found.pause is None:
        return update.evolve(
            phase="Degraded" if stalled else "Progressing", pause=None, message=where
        )
    if status.pause is not None and status.pause.reason == found.pause:
        return update.evolve(phase="Paused", message=where)
    update = update.evolve(phase="Paused", pause=PauseCondition(reason=found.pause, at=world.now))
    return update.event(world, found.pause if found.pause != "PauseStep" else "Paused", where)


def _held(world: World, update: StatusUpdate, hold: Hold) -> StatusUpdate:
    """Stay where it is, and say who or what holds it."""
    status, where = update.status, place_of(world, update.status)
    if hold is world.edit:
        return _held_by_edit(world, hold, update, where)
    text = f"{where}: the release is held by {hold.why}"
    if status.weights.disrupted_at is not None:
        text += f"; {DISRUPTED}"
    reason: PauseReason = "SpecPaused" if hold.reason == "WorkloadMissing" else hold.reason
    if status.pause is not None and status.pause.reason == reason:
        return update.evolve(phase="Paused", message=text)
    pause = PauseCondition(reason=reason, at=world.now, by=hold.by)
    return update.evolve(phase="Paused", pause=pause).event(world, "Paused", text)


def _promote(world: World, update: StatusUpdate, release: UnderWay) -> StatusUpdate:
    """After the last step: full size and all the traffic, as the evidence allows; then it is stable."""
    status = update.status
    if not step_is_settled(world, status):
        return _stay(
            world,
            update,
            StepWaits(step_waits_for(world, status), until=step_deadline(world, status)),
        )
    unseen = rise_waits_for(world, status)
    if unseen is not None:
        return _stay(world, update, unseen)
    return promote(world, update, release)


def _held_by_edit(world: World, hold: Hold, update: StatusUpdate, where: str) -> StatusUpdate:
    """Stay where it is, `where` in words, until the spec is corrected or a person chooses."""
    status = update.status
    if hold.reason == "InvalidSpec":
        text = f"{where}: the release is held until the spec is valid again"
        pause = status.pause
        if pause is None or pause.reason != "InvalidSpec":
            pause = PauseCondition(reason="InvalidSpec", at=world.now)
        return update.evolve(phase="Paused", pause=pause, message=text)
    if not status.entered_steps:
        text = (
            hold.goes_over
            or f"{where}: the release begins once the spec that is written is in force"
        )
        return update.evolve(phase="Progressing", pause=None, message=text)
    if hold.reason == "StepsChanged" and (
        status.step_started_at is None or status.entered_steps[-1] == PROMOTION
    ):
        return update.evolve(
            phase="Progressing", message=f"the release goes on with {hold.next_step}"
        )
    reason = "StepsChanged" if hold.reason == "StepsChanged" else "StrategyChanged"
    text = f"{where}: {hold.why}"
    if status.pause is not None and status.pause.reason == reason:
        return update.evolve(phase="Paused", message=text)
    update = update.evolve(phase="Paused", pause=PauseCondition(reason=reason, at=world.now))
    return update.event(world, reason, text)


def _wait_for_pods(world: World, update: StatusUpdate, waits: str) -> StatusUpdate:
    """Return the update with the waiting on record, once in an attempt, and no step begun."""
    began = update.status.started_at
    update = update.evolve(step_started_at=None)
    for entry in update.status.history:
        if entry.reason == "WaitsForPods" and (began is None or entry.at >= began):
            return update
    return update.event(world, "WaitsForPods", waits)


def _with_floor(world: World, update: StatusUpdate) -> StatusUpdate:
    """Return the update with the floor of a release that has waited, and may move from now on."""
    status, stable = update.status, world.replica_set(update.status.stable_revision)
    if status.stable_floor > 0 or stable is None or world.spec.replicas == 0:
        return update
    return update.evolve(stable_floor=max(world.spec.replicas, stable.wanted))
