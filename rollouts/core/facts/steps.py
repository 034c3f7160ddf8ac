"""Whether a step is done, and what it still waits for."""

from datetime import datetime, timedelta

from rollouts.core.facts.evidence import (
    StepDone,
    StepFailed,
    StepState,
    StepWaits,
    evidence_turned,
    is_rising,
    leaning_evidence,
    not_all_seen,
    not_measured,
    rise_waits_for,
)
from rollouts.core.facts.progress import step_deadline, step_is_settled, step_waits_for
from rollouts.core.world import World, evidence_is_waived, mechanism_of
from rollouts.model.durations import format_duration
from rollouts.model.status import CriterionStatus, RolloutStatus
from rollouts.model.strategy import Analysis, Pause, Step


def step_waits_for_evidence(world: World, status: RolloutStatus, index: int) -> StepWaits | None:
    """
    Return what has to be seen before step `index` may go on: nothing, unless it raises the weight.

    A rise that was begun waits as well, for as long as it waits for pods: evidence may turn.
    """
    steps = world.spec.steps
    begun = index == status.current_step_index
    if begun and is_rising(world, status):
        return evidence_turned(world, status)
    if index >= len(steps):
        return rise_waits_for(world, status) or _unproven(world, status)
    if begun or not _raises(steps[index], status):
        return None
    return rise_waits_for(world, status)


def _raises(step: Step, status: RolloutStatus) -> bool:
    """Return whether a step sends more to the canary: by a higher weight, or by a route of its own."""
    higher = step.set_weight is not None and step.set_weight > status.weights.applied
    return higher or opens_route(step)


def opens_route(step: Step) -> bool:
    """Return whether a step opens a header or mirror route."""
    header, mirror = step.set_header_route, step.set_mirror_route
    return (header is not None and bool(header.match)) or (
        mirror is not None and bool(mirror.match or mirror.percentage)
    )


def _unproven(world: World, status: RolloutStatus) -> StepWaits | None:
    """
    Return what nothing at all was measured of, where that means waiting for a person.

    Few requests are no reason not to promote, but none at all are: as a rule the metrics
    are not scraped, or are looked for under another name.
    """
    if evidence_is_waived(status) or status.promoted == "Evidence" or status.weights.applied == 0:
        return None
    if mechanism_of(world.spec).is_switched:
        return None  # whether to wait for evidence is what its two analyses say
    known = {criterion.name: criterion for criterion in world.evidence.criteria}
    for spec in world.spec.success_criteria:
        found = known.get(spec.name)
        if spec.on_inconclusive != "proceed" and (found is None or found.value is None):
            why = f"nothing was measured for {spec.name}; see that Prometheus has its metrics, or promote without"
            return StepWaits(why, pause="Inconclusive")
    return None


def place_of(world: World, status: RolloutStatus) -> str:
    steps = world.spec.steps
    index = status.current_step_index or 0
    if index >= len(steps):
        return "promotion"
    where = f"step {index + 1}/{len(steps)}"
    return f"{where} {mechanism_of(world.spec).place(status)}"


def step_state(world: World, status: RolloutStatus, step: Step) -> StepState:
    """Return whether `step`, which is the current one, is done."""
    if step.pause is None and step.analysis is None:
        if not step_is_settled(world, status):
            return StepWaits(step_waits_for(world, status), until=_next_moment(world, status))
        return StepDone()
    if status.promoted:
        return StepDone()
    lowered = status.weights.applied < status.weights.desired  # somebody took the traffic away
    if lowered or status.weights.disrupted_at is not None:
        return StepWaits(step_waits_for(world, status), until=_next_moment(world, status))
    if step.analysis is not None:
        return _analysis(world, status, step.analysis)
    return _pause(world, status, step.pause) if step.pause is not None else StepDone()


def _next_moment(world: World, status: RolloutStatus) -> datetime | None:
    moments = [step_deadline(world, status), status.drain_until]
    return min(
        (moment for moment in moments if moment is not None and moment > world.now), default=None
    )


def _pause(world: World, status: RolloutStatus, pause: Pause) -> StepState:
    if pause.duration is None:
        leans = leaning_evidence(world, status)
        beside = f"; beside that, {leans.why}" if leans is not None else ""
        return StepWaits(f"waits for a person to promote or abort it{beside}", pause="PauseStep")
    end = _step_ends(world, status, pause.duration)
    if world.now < end:
        return StepWaits(f"pauses for {format_duration(pause.duration)}", until=end)
    if not pause.wait_for_evidence:
        return StepDone()
    return not_measured(world, status) or not_all_seen(world, status, end) or StepDone()


def _analysis(world: World, status: RolloutStatus, analysis: Analysis) -> StepState:
    end = _step_ends(world, status, analysis.duration)
    if world.now < end:
        return StepWaits(f"runs its analysis for {format_duration(analysis.duration)}", until=end)
    missing = not_measured(world, status) or not_all_seen(world, status, end)
    if missing is not None:
        return missing
    unsure = _unsure(world)
    if any(policy == "rollback" for _, policy in unsure):
        return StepFailed(f"{_names(unsure)}; onInconclusive is rollback")
    if any(policy == "pause" for _, policy in unsure):
        return StepWaits(f"the criteria can't say yet: {_names(unsure)}", pause="Inconclusive")
    return StepDone()


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


def _step_ends(world: World, status: RolloutStatus, duration_seconds: float) -> datetime:
    return (status.step_started_at or world.now) + timedelta(seconds=duration_seconds)
