"""The way of a canary: step by step, then promotion."""

from datetime import timedelta

from rollouts.core import replicas, revision
from rollouts.core.rollback import deadline, roll_back, settled, waiting_for
from rollouts.core.steps import Done, Refused, State, Waiting, blind, state
from rollouts.core.target import retire
from rollouts.core.world import (
    Move,
    World,
    frozen,
    put_back_lately,
    quarrel_ends,
    under_way,
    waived,
)
from rollouts.model.status import Pause, RolloutStatus, Weights


def advance(world: World, move: Move) -> Move:
    """Go as far as the evidence, the clock and the cluster allow, and say what it waits for."""
    move = _confirm(world, move)
    if move.status.abort is not None:
        return move
    if not under_way(move.status):
        return _rest(world, move)
    if frozen(world.spec, move.status):
        return _held(world, move)
    if move.status.pause is not None and move.status.pause.reason in ("SpecPaused", "Command"):
        # The clock of a step stands still while a person holds it.
        move = move.having(pause=None, step_started_at=world.now)
    steps = world.spec.steps
    index = move.status.current_step_index or 0
    while index < len(steps):
        unseen = _unseen(world, move.status, index)
        if unseen is not None:
            return _stay(world, move, unseen)
        move = _enter(world, move, index)
        found = state(world, move.status, steps[index], index)
        if not isinstance(found, Done):
            return _stay(world, move, found)
        index += 1
    unseen = _unseen(world, move.status, index) or _unproven(world, move.status)
    if unseen is not None:
        return _stay(world, move, unseen)
    return _promote(world, _enter(world, move, index))


def _unseen(world: World, status: RolloutStatus, index: int) -> Waiting | None:
    """Return what has to be seen before step `index` may be entered: nothing, unless it raises the weight."""
    steps = world.spec.steps
    weight = steps[index].set_weight if index < len(steps) else 100
    if index == status.current_step_index or weight is None or weight <= status.weights.applied:
        return None
    return None if waived(world.spec, status) else blind(world, status)


def _unproven(world: World, status: RolloutStatus) -> Waiting | None:
    """
    Return what nothing at all was measured of, where that means waiting for a person.

    Few requests are no reason not to promote, but none at all are: as a rule the metrics
    are not scraped, or are looked for under another name.
    """
    if waived(world.spec, status) or status.weights.applied == 0:
        return None
    known = {criterion.name: criterion for criterion in world.evidence.criteria}
    for spec in world.spec.success_criteria:
        found = known.get(spec.name)
        if spec.on_inconclusive != "proceed" and (found is None or found.value is None):
            why = (
                f"nothing was measured for {spec.name}; see that its metrics are there, or promote"
            )
            return Waiting(why, pause="Inconclusive")
    return None


def _confirm(world: World, move: Move) -> Move:
    """Take over the weight that all routes agree on, and notice what somebody else changed."""
    route, status = world.observed.route, move.status
    if not under_way(status) and status.abort is None:
        return move
    move = _bound_again(world, move)
    weights = status.weights
    if (
        route.weight is not None
        and route.weight == weights.desired
        and weights.applied != weights.desired
        and (weights.desired < weights.applied or _reaches_canary(world, status))
    ):
        applied = Weights(desired=weights.desired, applied=weights.desired, applied_at=world.now)
        move = move.having(weights=applied)
        if applied.applied > 0:
            move = move.saying(
                world, "WeightSet", f"the canary has {applied.applied} % of the traffic"
            )
        return move
    gone = weights.applied > 0 and not route.exists
    changed = route.weight not in (None, weights.applied, weights.desired)
    calm = quarrel_ends(status, world.now) is None and not may_have_retreated(world, status)
    if calm and not move.retreat and (gone or changed or not route.intact):
        seen = "is gone" if gone else f"says {route.weight} %" if changed else "was changed"
        move = move.saying(
            world,
            "PutBack",
            f"the canary's route {seen}; it is put back to {weights.applied} %",
            "Warning",
        )
    return move


def may_have_retreated(world: World, status: RolloutStatus) -> bool:
    """
    Say whether a predecessor may have taken traffic back, and died before it wrote down why.

    Then the routes send less than status says. It may as well be somebody's change: the
    next look at the success criteria tells, and until then nothing is given back.
    """
    weight = world.observed.route.weight
    less = weight is None or weight < min(status.weights.applied, status.weights.desired)
    return less and blind(world, status) is not None


def _reaches_canary(world: World, status: RolloutStatus) -> bool:
    """Say whether what the routes send arrives at the current revision, not at one before it."""
    service, current = world.canary_service, status.current_revision
    return service is not None and current is not None and service.selected_hash == current.hash


def _bound_again(world: World, move: Move) -> Move:
    """Say which Service somebody pointed at another revision while the canary has traffic."""
    status = move.status
    if move.retreat or not under_way(status) or status.weights.applied == 0:
        return move
    if quarrel_ends(status, world.now) is not None or world.claimed:
        return move
    pairs = (
        (world.stable_service, status.stable_revision),
        (world.canary_service, status.current_revision),
    )
    for service, wanted in pairs:
        if service is None or wanted is None or not world.stands(wanted):
            continue
        if service.selected_hash != wanted.hash:
            seen = f"Service {service.name} selected {service.selected_hash or 'all revisions'}"
            text = f"{seen}; it is put back to {wanted.hash}"
            move = move.saying(world, "PutBack", text, "Warning")
    return move


def _enter(world: World, move: Move, index: int) -> Move:
    """Make step `index` the current one, unless it is already."""
    status = move.status
    steps = world.spec.steps
    same = status.current_step_index == index and status.step_started_at is not None
    weight = steps[index].set_weight if index < len(steps) else 100
    desired = status.weights.desired if weight is None else weight
    scale = replicas.scale_of(world.spec, status, index) if index < len(steps) else None
    if same and desired == status.weights.desired and scale == status.canary_scale:
        return move
    return move.having(
        current_step_index=index,
        step_started_at=status.step_started_at if same else world.now,
        weights=status.weights.having(desired=desired),
        canary_scale=scale,
        pause=status.pause if same else None,
    )


def _stay(world: World, move: Move, found: State) -> Move:
    if isinstance(found, Refused):
        return roll_back(world, move, by="rollouts", reason=found.why)
    assert isinstance(found, Waiting)
    status = move.status
    where = f"{_place(world, status)}: {found.why}"
    if found.until is not None:
        move = move.waking(found.until)
    late = deadline(world, status)
    stalled = late is not None and world.now >= late
    if found.pause is None:
        return move.having(
            phase="Degraded" if stalled else "Progressing", pause=None, message=where
        )
    if status.pause is not None and status.pause.reason == found.pause:
        return move.having(phase="Paused", message=where)
    move = move.having(phase="Paused", pause=Pause(reason=found.pause, at=world.now))
    return move.saying(world, found.pause if found.pause != "PauseStep" else "Paused", where)


def _held(world: World, move: Move) -> Move:
    status = move.status
    by = status.held_by
    reason = "Command" if by is not None else "SpecPaused"
    who = f"a command{f' of {by.by}' if by.by else ''}" if by is not None else "spec.paused"
    where = f"{_place(world, status)}: held by {who}"
    if status.pause is not None and status.pause.reason == reason:
        return move.having(phase="Paused", message=where)
    pause = Pause(
        reason="Command" if by is not None else "SpecPaused", at=world.now, by=by.by if by else ""
    )
    return move.having(phase="Paused", pause=pause).saying(world, "Paused", where)


def _place(world: World, status: RolloutStatus) -> str:
    steps = world.spec.steps
    index = status.current_step_index or 0
    if index >= len(steps):
        return "promotion"
    return f"step {index + 1}/{len(steps)} at {status.weights.applied} %"


def _promote(world: World, move: Move) -> Move:
    """After the last step: full size, all the traffic, then the stable Service's selector."""
    status = move.status
    if not settled(world, status):
        return _stay(
            world, move, Waiting(waiting_for(world, status), until=deadline(world, status))
        )
    unseen = None if waived(world.spec, status) else blind(world, status)
    if unseen is not None:
        return _stay(world, move, unseen)
    old, new = status.stable_revision, status.current_revision
    assert old is not None
    assert new is not None
    seconds = (world.now - (status.started_at or world.now)).total_seconds()
    exposure = status.exposure
    move = move.having(
        stable_revision=new,
        current_step_index=None,
        step_started_at=world.now,
        canary_scale=None,
        pause=None,
        drain_until=world.now + timedelta(seconds=world.observed.quiet_seconds),
        weights=Weights(
            desired=100,
            applied=100,
            applied_at=status.weights.applied_at,
            served=status.weights.served,
        ),
        retiring=retire(status, old.hash, world.spec.way.scale_down_delay_seconds),
        phase="Progressing",
    )
    return move.saying(
        world,
        "Promoted",
        f"{revision.describe(new)} is promoted after {seconds:.0f} s and {exposure.canary_requests} canary requests,"
        f" {exposure.canary_failures} of them failed",
    )


def _rest(world: World, move: Move) -> Move:
    """No rollout is under way: bring the only revision to full size, and call that healthy."""
    status = move.status
    running = world.replica_set(status.current_revision)
    available = running.available if running is not None else 0
    wanted = world.spec.replicas
    if status.stable_revision is None:
        if available < wanted or running is None:
            return _first_deploy_waits(world, move)
        move = move.having(
            stable_revision=status.current_revision, weights=Weights(desired=100, applied=100)
        )
        status = move.status
    service = world.stable_service
    problems = world.observed.route.obstacles
    if service is None:
        message = f"Service {world.spec.stable_service} does not exist; create it, or correct stableService"
        return _calm(world, move, "Degraded", message)
    if problems:
        return _calm(world, move, "Degraded", problems[0].message)
    if available < wanted:
        return _calm(world, move, "Progressing", f"{available} of {wanted} pods are available")
    assert status.stable_revision is not None
    if service.selected_hash != status.stable_revision.hash:
        quarrel = quarrel_ends(status, world.now)
        if quarrel is not None:
            text = f"somebody else keeps changing the selector of Service {service.name}"
            return _calm(world, move.waking(quarrel), "Degraded", text)
        if status.phase == "Healthy" or put_back_lately(status, world.now):
            seen = f"Service {service.name} selected {service.selected_hash or 'all revisions'}"
            text = f"{seen}; it is put back to {status.stable_revision.hash}"
            return move.saying(world, "PutBack", text, "Warning")
        return _calm(world, move, "Progressing", f"Service {service.name} is being switched")
    return _calm(world, move, "Healthy", f"{revision.describe(status.stable_revision)} is stable")


def _calm(world: World, move: Move, phase: str, message: str) -> Move:
    status = move.status
    if phase == "Degraded" and (status.phase != "Degraded" or status.message != message):
        return move.having(phase=phase).saying(world, "Blocked", message, "Warning")
    cleared = {"step_started_at": None} if phase == "Healthy" else {}
    return move.having(phase=phase, message=message, pause=None, **cleared)


def _first_deploy_waits(world: World, move: Move) -> Move:
    status = move.status
    running = world.replica_set(status.current_revision)
    trouble = (
        sorted({pod.problem for pod in running.pods if pod.problem}) if running is not None else []
    )
    available = running.available if running is not None else 0
    text = f"first deploy: {available} of {world.spec.replicas} pods are available"
    text += f" ({', '.join(trouble)})" if trouble else ""
    due = (status.step_started_at or world.now) + timedelta(
        seconds=world.spec.progress_deadline_seconds
    )
    if world.now >= due:
        return _calm(world, move, "Degraded", f"{text}; progressDeadlineSeconds has passed")
    return _calm(world, move.waking(due), "Progressing", text)


def next_weight(world: World, status: RolloutStatus) -> int:
    """
    Return the weight that the routes may say now.

    Size before weight: it rises only onto canary pods that are available and whose
    endpoints are in the canary Service, with the stable Service bound to stable.
    """
    weights = status.weights
    if weights.desired <= weights.applied:
        return weights.desired
    return weights.desired if may_raise(world, status) else weights.applied


def may_raise(world: World, status: RolloutStatus) -> bool:
    """Say whether everything is in place to send the canary its desired weight."""
    if frozen(world.spec, status) or world.observed.route.obstacles:
        return False
    if status.drain_until is not None and world.now < status.drain_until:
        return False
    canary = world.replica_set(status.current_revision)
    stable, service, stable_service = (
        status.stable_revision,
        world.canary_service,
        world.stable_service,
    )
    if canary is None or service is None or stable_service is None or stable is None:
        return False
    wanted = max(1, replicas.needed(world.spec, status))
    return (
        canary.available >= wanted
        and service.selected_hash == canary.hash
        and service.ready_endpoints.get(canary.hash, 0) >= wanted
        and stable_service.selected_hash == stable.hash
    )
