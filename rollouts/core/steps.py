"""Whether a step is done, and what it still waits for."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from rollouts.core.rollback import deadline, settled, waiting_for
from rollouts.core.world import World
from rollouts.model.status import CriterionStatus, PauseReason, RolloutStatus
from rollouts.model.strategy import Analysis, Step
from rollouts.model.units import format_duration


@dataclass(frozen=True, slots=True)
class Done:
    """The step is over."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """
    The step goes on: why, and when time alone may end it.

    `pause` is set when only a person, or better evidence, can end it.
    """

    why: str
    until: datetime | None = None
    pause: PauseReason | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The step ends the release: an analysis could not say, and that means rollback here."""

    why: str


State = Done | Waiting | Refused


def state(world: World, status: RolloutStatus, step: Step, index: int) -> State:
    """Return whether `step`, which is the current one, is done."""
    skipped = index < status.promoted_through
    if step.pause is None and step.analysis is None:
        if not settled(world, status):
            return Waiting(waiting_for(world, status), until=_next_moment(world, status))
        return Done()
    if skipped:
        return Done()
    if status.weights.applied < status.weights.desired:  # somebody took the traffic away
        return Waiting(waiting_for(world, status), until=_next_moment(world, status))
    if step.pause is not None:
        return _pause(world, status, step.pause.duration)
    assert step.analysis is not None
    return _analysis(world, status, step.analysis)


def blind(world: World, status: RolloutStatus) -> Waiting | None:
    """
    Return what is missing to see how the canary does, or None.

    The weight is never raised without eyes: not before the first look at the weight
    that is applied now, and not while a metrics provider does not answer. Users who are
    chosen by a header count like a weight.
    """
    exposed = status.weights.applied > 0 or status.weights.routes
    if not exposed or not world.spec.success_criteria:
        return None
    for spec, criterion in zip(world.spec.success_criteria, world.evidence.criteria, strict=False):
        if criterion.verdict == "error":
            pause: PauseReason | None = (
                "MetricsUnavailable" if criterion.errors > spec.error_limit else None
            )
            return Waiting(f"{criterion.name} can't be measured: {criterion.message}", pause=pause)
    applied_at, looked_at = status.weights.applied_at, world.evidence.at
    if looked_at is None or (applied_at is not None and looked_at < applied_at):
        return Waiting(f"first look at the success criteria at {status.weights.applied} %")
    return None


def _next_moment(world: World, status: RolloutStatus) -> datetime | None:
    moments = [deadline(world, status), status.drain_until]
    return min(
        (moment for moment in moments if moment is not None and moment > world.now), default=None
    )


def _pause(world: World, status: RolloutStatus, duration_seconds: float | None) -> State:
    if duration_seconds is None:
        return Waiting("waits for promotion", pause="PauseStep")
    end = _end(world, status, duration_seconds)
    if world.now < end:
        return Waiting(f"holds for {format_duration(duration_seconds)}", until=end)
    return Done()


def _analysis(world: World, status: RolloutStatus, analysis: Analysis) -> State:
    end = _end(world, status, analysis.duration)
    if world.now < end:
        return Waiting(f"is analysed for {format_duration(analysis.duration)}", until=end)
    missing = blind(world, status)
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
