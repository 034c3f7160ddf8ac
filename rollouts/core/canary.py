"""The way of a canary: step by step, then promotion."""

from datetime import timedelta

from rollouts.core import closing, idle, plan, replicas, revision, standing
from rollouts.core.adoption import MISSING, is_missing
from rollouts.core.confirm import confirm
from rollouts.core.disrupted import WAITS
from rollouts.core.edited import BY_A_PERSON, stay
from rollouts.core.rest import rest
from rollouts.core.rising import held_back, is_rising, leaning_since, turned
from rollouts.core.rollback import deadline, roll_back, settled, waiting_for
from rollouts.core.steps import state
from rollouts.core.target import retire
from rollouts.core.waiting import Done, Refused, State, Waiting
from rollouts.core.world import Move, World, frozen, under_way, waived
from rollouts.model.status import Pause, RolloutStatus, Weights
from rollouts.model.strategy import Step


def advance(world: World, move: Move) -> Move:
    """Go as far as the evidence, the clock and the cluster allow, and say what it waits for."""
    move = confirm(world, move)
    if move.status.abort is not None:
        return move
    if not under_way(move.status):
        return rest(world, closing.timed(world, move))
    standing_still = _stands_still(world, move)
    return standing_still if standing_still is not None else _go_on(world, _awake(world, move))


def _stands_still(world: World, move: Move) -> Move | None:
    """Return the move with what holds it, where an edit, a person or the lack of pods does; else None."""
    if world.hold is not None and world.spec.paused:
        # Nobody waits for evidence meanwhile.
        move = move.evolve(leaning_since=None)
        return stay(world, world.hold, move, _place(world, move.status))
    if frozen(world.spec, move.status):
        return _held(world, move)
    waits = idle.waits_for(world, move.status)
    return _stay(world, idle.waiting(world, move, waits), Waiting(waits)) if waits else None


def _awake(world: World, move: Move) -> Move:
    """Return the move without what has held it."""
    move = idle.awake(world, move)
    if move.status.pause is not None and move.status.pause.reason in BY_A_PERSON:
        # The clock of a step stands still while a person holds it.
        move = move.evolve(pause=None, step_started_at=world.now)
    return move


def _go_on(world: World, move: Move) -> Move:
    """Go through the steps as far as they are done, then to the promotion."""
    steps = world.spec.steps
    index = move.status.current_step_index or 0
    while index < len(steps):
        unseen = _not_yet(world, move.status, index)
        if unseen is not None:
            return _stay(world, move, unseen)
        move = _enter(world, move, index)
        found = state(world, move.status, steps[index])
        if not isinstance(found, Done):
            return _stay(world, move, found)
        index += 1
    unseen = _not_yet(world, move.status, index)
    if unseen is not None:
        return _stay(world, move, unseen)
    return _promote(world, _enter(world, move, index))


def _not_yet(world: World, status: RolloutStatus, index: int) -> Waiting | None:
    """
    Return what has to be seen before step `index` may go on: nothing, unless it raises the weight.

    A rise that was begun waits as well, for as long as it waits for pods: evidence may turn.
    """
    steps = world.spec.steps
    begun = index == status.current_step_index
    if begun and is_rising(world, status):
        return turned(world, status)
    if index >= len(steps):
        return held_back(world, status) or _unproven(world, status)
    if begun or not _raises(steps[index], status):
        return None
    return held_back(world, status)


def _raises(step: Step, status: RolloutStatus) -> bool:
    """Return whether a step sends more to the canary: by a higher weight, or by a route of its own."""
    higher = step.set_weight is not None and step.set_weight > status.weights.applied
    return higher or _opens(step)


def _opens(step: Step) -> bool:
    """Return whether a step opens a header or mirror route."""
    header, mirror = step.set_header_route, step.set_mirror_route
    return (header is not None and bool(header.match)) or (
        mirror is not None and bool(mirror.match or mirror.percentage)
    )


def _unproven(world: World, status: RolloutStatus) -> Waiting | None:
    """
    Return what nothing at all was measured of, where that means waiting for a person.

    Few requests are no reason not to promote, but none at all are: as a rule the metrics
    are not scraped, or are looked for under another name.
    """
    if waived(status) or status.promoted == "Evidence" or status.weights.applied == 0:
        return None
    if world.spec.blue_green is not None:
        return None  # whether to wait for evidence is what its two analyses say
    known = {criterion.name: criterion for criterion in world.evidence.criteria}
    for spec in world.spec.success_criteria:
        found = known.get(spec.name)
        if spec.on_inconclusive != "proceed" and (found is None or found.value is None):
            why = (
                f"nothing was measured for {spec.name}; see that its metrics are there, or promote"
            )
            return Waiting(why, pause="Inconclusive")
    return None


def _enter(world: World, move: Move, index: int) -> Move:
    """Make step `index` the current one, unless it is already."""
    status = move.status
    steps = world.spec.steps
    same = status.current_step_index == index and status.step_started_at is not None
    step = steps[index] if index < len(steps) else None
    weight = step.set_weight if step is not None else 100
    desired = status.weights.desired if weight is None else weight
    if weight is not None:
        desired = replicas.attainable(world.spec, status, weight)
    scale = replicas.scale_of(world.spec, status, index) if index < len(steps) else None
    move = move.evolve(entered_steps=plan.entered(world.spec, index))
    if same and desired == status.weights.desired and scale == status.canary_scale:
        return move
    asked = status.evolve(
        weights=status.weights.evolve(desired=desired), canary_scale=scale, current_step_index=index
    )
    return move.evolve(
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
    if waits or replicas.needed(world.spec, asked) == replicas.needed(world.spec, status):
        return status.settled_pods
    return None


def _still_promoted(status: RolloutStatus, step: Step | None) -> str:
    """Return what a person took upon themselves, as far as it holds beyond the step that ends."""
    if status.promoted == "Evidence" and (step is None or _opens(step) or step.set_weight):
        return status.promoted  # it was for the rise that begins now
    return "Full" if status.promoted == "Full" else ""


def _still_open(status: RolloutStatus, step: Step | None) -> list[str]:
    """Return the routes that stay confirmed when `step` is entered: not the one that it sets anew."""
    route = (step.set_header_route or step.set_mirror_route) if step is not None else None
    return [each for each in status.weights.routes if route is None or each != route.name]


def _stay(world: World, move: Move, found: State) -> Move:
    if isinstance(found, Refused):
        return roll_back(world, move, by="rollouts", reason=found.why)
    assert isinstance(found, Waiting)
    status = move.status
    where = f"{_place(world, status)}: {world.lacking or found.why}"
    if found.until is not None:
        move = move.requeue_at(found.until)
    late = deadline(world, status)
    stalled = late is not None and world.now >= late
    move = move.evolve(leaning_since=leaning_since(world, status, found))
    if found.pause is None:
        return move.evolve(
            phase="Degraded" if stalled else "Progressing", pause=None, message=where
        )
    if status.pause is not None and status.pause.reason == found.pause:
        return move.evolve(phase="Paused", message=where)
    move = move.evolve(phase="Paused", pause=Pause(reason=found.pause, at=world.now))
    return move.event(world, found.pause if found.pause != "PauseStep" else "Paused", where)


def _held(world: World, move: Move) -> Move:
    move = move.evolve(leaning_since=None)  # while a person holds it, nobody waits for evidence
    status = move.status
    by = status.held_by
    reason = "Command" if by is not None else "SpecPaused"
    who = f"a command{f' of {by.by}' if by.by else ''}" if by is not None else "spec.paused"
    if by is None and is_missing(world):
        found = (each for each in world.observed.route.blockers if each.reason == MISSING)
        who = f"the lack of a template: {next(found).message}"
    where = f"{_place(world, status)}: held by {who}"
    if status.weights.disrupted_at is not None:
        where += f"; {WAITS}"
    if status.pause is not None and status.pause.reason == reason:
        return move.evolve(phase="Paused", message=where)
    pause = Pause(
        reason="Command" if by is not None else "SpecPaused", at=world.now, by=by.by if by else ""
    )
    return move.evolve(phase="Paused", pause=pause).event(world, "Paused", where)


def _place(world: World, status: RolloutStatus) -> str:
    steps = world.spec.steps
    index = status.current_step_index or 0
    if index >= len(steps):
        return "promotion"
    where = f"step {index + 1}/{len(steps)}"
    if world.spec.blue_green is not None:
        return f"{where} {'after' if status.weights.applied else 'before'} the switch"
    return f"{where} at {status.weights.applied} %"


def _promote(world: World, move: Move) -> Move:
    """After the last step: full size, all the traffic, then the stable Service's selector."""
    status = move.status
    if not settled(world, status):
        return _stay(
            world, move, Waiting(waiting_for(world, status), until=deadline(world, status))
        )
    unseen = held_back(world, status)
    if unseen is not None:
        return _stay(world, move, unseen)
    old = status.stable_revision
    assert old is not None
    new, past = standing.promoted(status)
    is_switch = world.spec.blue_green is not None
    seconds = (world.now - (status.started_at or world.now)).total_seconds()
    exposure = status.exposure
    move = move.evolve(
        stable_revision=new,
        current_revision=new,
        promoted="",
        leaning_since=None,
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
        previous_revision=old if is_switch else None,
        past=past,
        retiring=retire(status, old.hash, world.spec.way.scale_down_delay_seconds),
        phase="Progressing",
    )
    return move.event(
        world,
        "Promoted",
        f"{revision.describe(new)} is promoted after {seconds:.0f} s and {exposure.canary_requests} canary requests,"
        f" {exposure.canary_failures} of them failed",
    )
