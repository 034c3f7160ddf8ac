"""
Promote: a person passes the hold that is current, and no other.

A promote that names its step passes that one only, however often it is sent: a job that is
tried again, or two people who have seen the same, pass one gate.
"""

from rollouts.core.facts import (
    leaning_evidence,
    no_such_step,
    waits_for_pods,
    workload_missing,
)
from rollouts.core.next.attempt import begin
from rollouts.core.world import (
    NO_ROLLOUT,
    Command,
    Hold,
    StatusUpdate,
    World,
    stable_replicas,
    under_way,
)
from rollouts.model.status import PauseCondition, RolloutStatus
from rollouts.model.step_labels import PROMOTION, entered_steps

_NAMES = {"edit": "an edit", "pause": "a pause command", "evidence": "evidence"}
HOLDS = tuple(_NAMES)
"""What a promote may name as the hold that it passes, besides a step."""
_GOES_ON = "the rollout goes on"
Answer = tuple[StatusUpdate, bool, str]


def pause(world: World, update: StatusUpdate, command: Command) -> tuple[StatusUpdate, bool, str]:
    if not under_way(update.status):
        return update, False, NO_ROLLOUT
    if update.status.held_by is not None:
        return update, True, "the rollout is paused already; resume lets it go on"
    held = PauseCondition(reason="Command", at=world.now, by=command.by)
    return (
        update.evolve(held_by=held),
        True,
        "the rollout is held where it is; abort and failing criteria still roll it back",
    )


def resume(world: World, update: StatusUpdate, _command: Command) -> tuple[StatusUpdate, bool, str]:
    if update.status.held_by is None:
        return (
            update,
            False,
            "no pause command holds the rollout; status.message says what it waits for",
        )
    return (
        update.evolve(held_by=None, pause=None, step_started_at=world.now),
        True,
        _GOES_ON,
    )


def promote(world: World, update: StatusUpdate, command: Command) -> Answer:
    """Pass one hold: the one that is named, or else the one that is current; refused when there is none."""
    status, hold = update.status, world.edit
    if not under_way(status) or status.current_step_index is None:
        return update, *_after_the_end(status, command)
    if hold is not None and hold.reason == "InvalidSpec":
        return update, False, hold.invalid_spec
    held = _held_by(world, status)
    meant = _meant(world, status, command, held) if command.step or command.hold else None
    if meant is not None:
        return update, *meant
    if world.spec.paused and hold is None:
        return (
            update,
            False,
            "spec.paused holds the rollout, and no command ends that; set it to false",
        )
    if hold is None and (missing := workload_missing(world, status)):
        return update, False, f"a missing template holds the rollout: {missing}"
    if waits := waits_for_pods(world, status):
        return update, False, waits
    return _pass(world, update, command.hold or ("step" if command.step else held))


def promote_full(world: World, update: StatusUpdate, _command: Command) -> Answer:
    """Skip all steps that remain; evidence still stops it."""
    status, hold = update.status, world.edit
    if not under_way(status) or status.current_step_index is None:
        return update, False, _nothing_to_promote(status)
    if hold is not None and hold.reason != "StepsChanged":
        return update, False, f"nothing is skipped now: {hold.why}"
    steps = len(world.spec.steps)
    update = update.evolve(
        promoted="Full",
        current_step_index=steps,
        entered_steps=entered_steps(world.spec, steps),
        step_started_at=world.now,
        held_by=None,
        pause=None,
        canary_scale=None,
        weights=status.weights.evolve(desired=100),
    )
    if stable_replicas(world.spec, status) == 0:
        return (
            update,
            True,
            "the revision is promoted without pods: spec.replicas is 0, so that nothing was judged",
        )
    return update, True, "all remaining steps are skipped; success criteria are still watched"


def _nothing_to_promote(status: RolloutStatus) -> str:
    return "the rollout was rolled back; use retry" if status.abort is not None else NO_ROLLOUT


def _after_the_end(status: RolloutStatus, command: Command) -> tuple[bool, str]:
    """Return the answer when nothing is under way: to who names a step of what is stable by now, yes."""
    stable, current = status.stable_revision, status.current_revision
    named = command.step and command.revision
    if named and status.abort is None and stable is not None and stable == current:
        return True, f"revision {stable.number} is promoted already"
    return False, _nothing_to_promote(status)


def _held_by(world: World, status: RolloutStatus) -> str:
    """Return what holds it now: an `edit`, a `pause` command, `evidence`, or its own `step`; or nothing."""
    if world.edit is not None:
        return "edit"
    if status.held_by is not None:
        return "pause"
    if status.waits_for_evidence:
        return "evidence"
    return "step" if _is_gate(world, status) and not status.promoted else ""


def _is_gate(world: World, status: RolloutStatus) -> bool:
    steps, index = world.spec.steps, status.current_step_index or 0
    step = steps[index] if index < len(steps) else None
    return step is not None and (step.pause is not None or step.analysis is not None)


def _meant(
    world: World, status: RolloutStatus, command: Command, held: str
) -> tuple[bool, str] | None:
    """
    Return the answer to a promote that does not mean what holds it now; None when it does.

    A step's gate, and evidence that holds the rise behind it, are two: who passed the one
    has not seen the other.
    """
    if command.hold and command.hold not in HOLDS:
        return False, f"the command names the hold {command.hold!r}; known are {', '.join(HOLDS)}"
    if world.edit is not None and command.hold != "edit":
        return False, f"{world.edit.why}; name no step to promote it"
    other = _another_step(world, status, command.step) if command.step else None
    if other is not None:
        return other
    here = _current(world, status)
    if held == "pause" and command.hold != "pause":
        by = status.held_by.by if status.held_by is not None else ""
        return False, f"{here} is held by a pause command{f' of {by}' if by else ''}: resume it"
    if command.hold:
        if held == command.hold:
            return None
        return True, f"{here} is no longer held by {_NAMES[command.hold]}"
    evidence = f"; now {status.message}" if held == "evidence" else ""
    if status.promoted:
        return True, f"{here.partition('/')[0]} is passed already{evidence}"
    if not _is_gate(world, status):
        return False, f"{here} is no pause and no analysis{evidence or f': {status.message}'}"
    return None


def _another_step(world: World, status: RolloutStatus, name: str) -> tuple[bool, str] | None:
    """Return the answer to a promote that names another step than the current one."""
    steps, index = len(world.spec.steps), status.current_step_index or 0
    if name != PROMOTION and not name.isdecimal():
        return False, no_such_step(repr(name))
    number = steps + 1 if name == PROMOTION else int(name)
    if number <= index:
        return True, f"step {number} is passed already"
    if number > index + 1:
        meant = f"the {PROMOTION}" if name == PROMOTION else f"step {name}"
        return (
            False,
            f"the command names {meant}, and {_current(world, status)} is the current one; name that, or no step",
        )
    return None


def _pass(world: World, update: StatusUpdate, what: str) -> Answer:
    """Pass what holds it: an edit, a person's pause, evidence, or the step's own gate."""
    status, hold = update.status, world.edit
    here = _current(world, status)
    if what == "edit" and hold is not None:
        return (
            _begin_anew(world, update, hold)
            if hold.reason == "StrategyChanged"
            else _resume_steps(update, hold)
        )
    if what == "pause":
        return (
            update.evolve(held_by=None, pause=None, step_started_at=world.now),
            True,
            _GOES_ON,
        )
    if what == "evidence":
        update = update.evolve(promoted="Evidence", pause=None)
        return update, True, f"{here} goes on without more evidence"
    if what == "step":
        leans = leaning_evidence(world, status)
        then = f"; what holds it next is evidence: {leans.why}" if leans is not None else ""
        update = update.evolve(promoted="Step", pause=None)
        return update, True, f"step {(status.current_step_index or 0) + 1} is passed{then}"
    return update, False, f"{status.message or here}; there is no hold to pass"


def _resume_steps(update: StatusUpdate, hold: Hold) -> Answer:
    """Go on with steps among which the current one is not any more."""
    update = update.evolve(
        current_step_index=hold.resumes_at,
        entered_steps=[*hold.steps, PROMOTION][: hold.resumes_at + 1],
        step_started_at=None,
        promoted="",
        pause=None,
        held_by=None,
    )
    return update, True, f"the release is taken up again at {hold.next_step}"


def _begin_anew(world: World, update: StatusUpdate, hold: Hold) -> Answer:
    """Begin again by another strategy; what the old one has done is taken back first."""
    current = update.status.current_revision
    if not update.status.entered_steps or current is None:
        return update, False, f"{hold.goes_over}; there is no hold to pass"
    moved = begin(world, update, current)
    return moved, True, "traffic goes back to stable, then it begins anew by the new strategy"


def _current(world: World, status: RolloutStatus) -> str:
    steps, index = len(world.spec.steps), status.current_step_index or 0
    return f"step {index + 1}/{steps}" if index < steps else f"the {PROMOTION}"
