"""
Promote: a person passes the hold that is current, and no other.

A promote that names its step passes that one only, however often it is sent: a job that is
tried again, or two people who have seen the same, pass one gate.
"""

from rollouts.core import idle, replicas
from rollouts.core.observed import Command
from rollouts.core.plan import PROMOTION, entered
from rollouts.core.target import begin
from rollouts.core.world import Hold, Move, World, under_way
from rollouts.model.status import RolloutStatus

WANTS_EVIDENCE = ("Inconclusive", "MetricsUnavailable")

Answer = tuple[Move, bool, str]


def promote(world: World, move: Move, command: Command) -> Answer:
    """Pass the current hold, whatever holds it; refused when nothing does."""
    status, hold = move.status, world.hold
    if not under_way(status) or status.current_step_index is None:
        return move, False, nothing_to_promote(status)
    if hold is not None and hold.reason == "InvalidSpec":
        return move, False, f"nothing goes forward while the spec is invalid: {hold.why}"
    meant = _meant(world, status, command.step)
    if meant is not None:
        return move, *meant
    if hold is not None and hold.reason == "StrategyChanged":
        return _anew(world, move, hold)
    if hold is not None:
        return _go_on(move, hold)
    if waits := idle.waits_for(world, status):
        return move, False, waits
    return _pass(world, move)


def promote_full(world: World, move: Move, _command: Command) -> Answer:
    """Skip all steps that remain; evidence still stops it."""
    status, hold = move.status, world.hold
    if not under_way(status) or status.current_step_index is None:
        return move, False, nothing_to_promote(status)
    if hold is not None and hold.reason != "StepsChanged":
        return move, False, f"nothing is skipped now: {hold.why}"
    steps = len(world.spec.steps)
    move = move.having(
        promoted="Full",
        current_step_index=steps,
        entered_steps=entered(world.spec, steps),
        step_started_at=world.now,
        held_by=None,
        pause=None,
        canary_scale=None,
        weights=status.weights.having(desired=100),
    )
    if replicas.stable_replicas(world.spec, status) == 0:
        return move, True, "promoted without pods: spec.replicas is 0, so that nothing was judged"
    return move, True, "all remaining steps are skipped; success criteria are still watched"


def nothing_to_promote(status: RolloutStatus) -> str:
    """Say why there is nothing to promote."""
    return (
        "it was rolled back; use retry" if status.abort is not None else "no rollout is under way"
    )


def _meant(world: World, status: RolloutStatus, name: str) -> tuple[bool, str] | None:
    """Return the answer to a promote that names another step than the current one, or a passed one."""
    if not name:
        return None
    steps, index = len(world.spec.steps), status.current_step_index or 0
    if name != PROMOTION and not name.isdecimal():
        return False, f"it names step {name!r}: give its number, as messages count, or {PROMOTION}"
    number = steps + 1 if name == PROMOTION else int(name)
    if number <= index:
        return True, f"step {number} is passed already"
    if number > index + 1:
        meant = f"the {PROMOTION}" if name == PROMOTION else f"step {name}"
        return False, f"it names {meant}, but {_current(world, status)} is the current one"
    waits = _waits_for_evidence(status)
    held = world.hold is not None or status.held_by is not None
    if status.promoted and not held and not (waits and status.promoted == "Step"):
        return True, f"step {number} is passed already"
    return None


def _pass(world: World, move: Move) -> Answer:
    """Pass what holds the current step: a person, a clock, or evidence that is missing."""
    status, steps = move.status, world.spec.steps
    index = status.current_step_index or 0
    step = steps[index] if index < len(steps) else None
    is_hold = step is not None and (step.pause is not None or step.analysis is not None)
    if _waits_for_evidence(status):
        move = move.having(promoted="Evidence", pause=None, held_by=None)
        return move, True, f"{_current(world, status)} goes on without more evidence"
    if is_hold:
        move = move.having(promoted="Step", pause=None, held_by=None)
        return move, True, f"step {index + 1} is passed"
    if status.held_by is not None:
        return move.having(held_by=None, pause=None), True, "resumed"
    return move, False, f"{status.message or _current(world, status)}; there is no hold to pass"


def _waits_for_evidence(status: RolloutStatus) -> bool:
    """Say whether evidence is what holds it: evidence that leans, can't say, or is not to be had."""
    paused = status.pause is not None and status.pause.reason in WANTS_EVIDENCE
    return paused or status.leaning_since is not None


def _go_on(move: Move, hold: Hold) -> Answer:
    """Go on with steps among which the current one is not any more."""
    move = move.having(
        current_step_index=hold.resumes_at,
        entered_steps=[*hold.steps, PROMOTION][: hold.resumes_at + 1],
        step_started_at=None,
        promoted="",
        pause=None,
        held_by=None,
    )
    return move, True, f"goes on with {hold.next_step}"


def _anew(world: World, move: Move, hold: Hold) -> Answer:
    """Begin again by another strategy; what the old one has done is taken back first."""
    if not move.status.entered_steps:
        return move, False, f"{hold.goes_over}; there is no hold to pass"
    assert move.status.current_revision is not None
    moved = begin(world, move, move.status.current_revision)
    return moved, True, "traffic goes back to stable, then it begins anew by the new strategy"


def _current(world: World, status: RolloutStatus) -> str:
    steps, index = len(world.spec.steps), status.current_step_index or 0
    return f"step {index + 1}/{steps}" if index < steps else f"the {PROMOTION}"
