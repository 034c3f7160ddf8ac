"""Whether a step is done, and what it still waits for."""

from datetime import datetime, timedelta

from rollouts.core.rising import blind, leaning, uncovered
from rollouts.core.rollback import deadline, settled, waiting_for
from rollouts.core.waiting import Done, Refused, State, Waiting
from rollouts.core.world import World
from rollouts.model.status import CriterionStatus, RolloutStatus
from rollouts.model.strategy import Analysis, Pause, Step
from rollouts.model.units import format_duration


def state(world: World, status: RolloutStatus, step: Step) -> State:
    """Return whether `step`, which is the current one, is done."""
    if step.pause is None and step.analysis is None:
        if not settled(world, status):
            return Waiting(waiting_for(world, status), until=_next_moment(world, status))
        return Done()
    if status.promoted:
        return Done()
    lowered = status.weights.applied < status.weights.desired  # somebody took the traffic away
    if lowered or status.weights.disrupted_at is not None:
        return Waiting(waiting_for(world, status), until=_next_moment(world, status))
    if step.pause is not None:
        return _pause(world, status, step.pause)
    assert step.analysis is not None
    return _analysis(world, status, step.analysis)


def _next_moment(world: World, status: RolloutStatus) -> datetime | None:
    moments = [deadline(world, status), status.drain_until]
    return min(
        (moment for moment in moments if moment is not None and moment > world.now), default=None
    )


def _pause(world: World, status: RolloutStatus, pause: Pause) -> State:
    if pause.duration is None:
        leans = leaning(world, status)
        beside = f"; beside that, {leans.why}" if leans is not None else ""
        return Waiting(f"waits for promotion{beside}", pause="PauseStep")
    end = _end(world, status, pause.duration)
    if world.now < end:
        return Waiting(f"holds for {format_duration(pause.duration)}", until=end)
    if not pause.wait_for_evidence:
        return Done()
    return blind(world, status) or uncovered(world, status, end) or Done()


def _analysis(world: World, status: RolloutStatus, analysis: Analysis) -> State:
    end = _end(world, status, analysis.duration)
    if world.now < end:
        return Waiting(f"is analysed for {format_duration(analysis.duration)}", until=end)
    missing = blind(world, status) or uncovered(world, status, end)
    if missing is not None:
        return missing
    unsure = _unsure(world)
    if any(policy == "rollback" for _, policy in unsure):
        return Refused(f"{_names(unsure)}; onInconclusive is rollback")
    if any(policy == "pause" for _, policy in unsure):
        return Waiting(f"can't say yet: {_names(unsure)}", pause="Inconclusive")
    return Done()


def _unsure(world: World) -> list[tuple[CriterionStatus | None, str]]:
    known = {criterion.name: criterion for criterion in world.evidence.criteria}
    return [
        (known.get(spec.name), spec.on_inconclusive)
        for spec in world.spec.success_criteria
        if spec.name not in known or known[spec.name].verdict != "pass"
    ]


def _names(unsure: list[tuple[CriterionStatus | None, str]]) -> str:
    said = [
        f"{criterion.name}: {criterion.message}" for criterion, _ in unsure if criterion is not None
    ]
    return "; ".join(said) or "there is no measurement yet"


def _end(world: World, status: RolloutStatus, duration_seconds: float) -> datetime:
    return (status.step_started_at or world.now) + timedelta(seconds=duration_seconds)
