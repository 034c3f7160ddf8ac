"""
By which spec a Rollout is run: the one that is written, unless an edit would promote.

A release goes on with the strategy that it began with, and with steps among which its current
one can be found; of an invalid spec the last valid one stays effective. Pure: the effective spec
is in status, where a restart finds it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from rollouts.core.facts import (
    changed_strategy_fields,
    found_step,
    named_step,
    resumes_at,
    strategies_differ,
    strategy_words,
)
from rollouts.core.world import Hold, under_way
from rollouts.errors import InvalidSpec
from rollouts.model.kinds import JSON, FrozenJSON
from rollouts.model.merge_patch import without_nulls
from rollouts.model.spec import MOST_REPLICAS, RolloutSpec
from rollouts.model.status import RolloutStatus
from rollouts.model.step_labels import entered_steps, step_labels
from rollouts.model.strategy import BlueGreenStrategy, CanaryStrategy
from rollouts.model.validation import parse_remembered

Strategy = CanaryStrategy | BlueGreenStrategy
_OF_STEPS = (
    "steps",
    "preview_replica_count",
    "auto_promotion_enabled",
    "auto_promotion_seconds",
    "pre_promotion_analysis",
    "post_promotion_analysis",
)
"""The fields that say what the steps are: a canary's, and those that blue-green's are made from."""
_DELAYS = ("scale_down_delay_seconds", "abort_scale_down_delay_seconds")
_ADVICE = "abort goes back to stable"


@dataclass(frozen=True, slots=True)
class EffectiveSpec:
    """By what a Rollout is run now: a spec, the status with its step found again, and why it is held."""

    spec: RolloutSpec
    status: RolloutStatus
    hold: Hold | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """A Rollout whose spec may have been edited: `written` is that spec, or what is wrong with it."""

    spec_json: JSON
    """The spec as it is kept in status."""
    written: RolloutSpec | InvalidSpec
    status: RolloutStatus
    now: datetime


def effective_spec(edit: Edit, is_over: Callable[[RolloutSpec], bool]) -> EffectiveSpec | None:
    """
    Return the effective spec; None when the spec is invalid, and no valid one is known.

    `is_over` says of the spec that was effective whether nothing of its release is left
    (`release_has_ended`). A spec that is new to a settled Rollout, or before an attempt has entered a step, simply
    comes into force.
    """
    status, spec_json = edit.status, edit.spec_json
    unchanged = spec_json == status.effective_spec
    if isinstance(edit.written, InvalidSpec):
        return _invalid(edit, edit.written)
    known = edit.written if unchanged else parse_remembered(status.effective_spec)
    if known is not None and strategies_differ(known, edit.written):
        if not is_over(known):
            return _held_by_old_strategy(known, edit.written, status)
        status = _from_the_start(edit.written, status)
    found = with_step_found(edit.written, status, edit.now)
    if found is not None:
        return EffectiveSpec(edit.written, found.evolve(effective_spec=spec_json))
    return _held_by_old_steps(known or edit.written, edit.written, edit.status, spec_json)


def with_step_found(
    spec: RolloutSpec, status: RolloutStatus, now: datetime
) -> RolloutStatus | None:
    """
    Return the status with its current step where it is in `spec`; None when that can't be known.

    That moves nothing. A status of before the steps were remembered is trusted by its index.
    """
    index, past, steps = status.current_step_index, status.entered_steps, step_labels(spec)
    if not under_way(status) or index is None:
        return status
    if not past and status.promoted != "Full":
        begun = index > 0 or status.weights.desired > 0
        return status.evolve(entered_steps=entered_steps(spec, index)) if begun else status
    found = found_step(past, steps)
    if found is None:
        return None
    moved = status.evolve(current_step_index=found, entered_steps=entered_steps(spec, found))
    if status.promoted != "Full" and moved.entered_steps[-1] != past[-1]:
        moved = moved.evolve(promoted="")  # a person passed that step, and not what it is now
    if found < len(steps) and past[-1] == "pause" and steps[found] != "pause":
        # It had no clock until now; the time before the edit is not a part of it.
        return moved.evolve(step_started_at=now)
    return moved


def without_template(raw: FrozenJSON) -> JSON:
    """Return a spec as it is kept in status: without its template, and without nulls."""
    return {key: without_nulls(value) for key, value in raw.items() if key != "template"}


def _invalid(edit: Edit, error: InvalidSpec) -> EffectiveSpec | None:
    """Run by the last valid spec: what runs goes on and may go back, and nothing begins."""
    known = parse_remembered(edit.status.effective_spec)
    if known is None:
        return None
    replicas = _number(edit.spec_json.get("replicas"), known.replicas)
    spec = known.model_copy(update={"replicas": replicas})
    return EffectiveSpec(spec, _sized(edit.status, replicas), Hold("InvalidSpec", str(error)))


def _sized(status: RolloutStatus, replicas: int) -> RolloutStatus:
    """Return the status with this number of pods in the effective spec: it is followed in any case."""
    return status.evolve(effective_spec={**(status.effective_spec or {}), "replicas": replicas})


def _number(given: object, else_: int) -> int:
    """Return a number of pods, if it is one."""
    if not isinstance(given, int) or isinstance(given, bool):
        return else_
    return given if 0 <= given <= MOST_REPLICAS else else_


def _held_by_old_strategy(
    known: RolloutSpec, written: RolloutSpec, status: RolloutStatus
) -> EffectiveSpec:
    before, after = strategy_words(known), strategy_words(written)
    change = (
        f"from {before} to {after}"
        if before != after
        else f"({changed_strategy_fields(known, written)})"
    )
    hold = Hold(
        "StrategyChanged",
        f"the strategy was changed {change} in the middle of a release, which is held: promote begins it"
        f" anew by the new strategy, {_ADVICE}",
        steps=tuple(step_labels(written)),
        goes_over=f"traffic goes back to stable by {before}; then it begins by {after}",
    )
    followed = {
        name: getattr(written, name)
        for name in ("replicas", "selector", "template", "workload_ref")
    }
    spec = _with_strategy(known, _with_delays(known.active_strategy, written.active_strategy))
    spec = spec.model_copy(update=followed)
    return EffectiveSpec(spec, _sized(status, written.replicas), hold)


def _with_delays(known: Strategy, written: Strategy) -> Strategy:
    """Return a strategy with the delays as they are written: they move nothing, and count for what is left from now on."""
    return known.model_copy(update={name: getattr(written, name) for name in _DELAYS})


def _with_strategy(spec: RolloutSpec, strategy: Strategy) -> RolloutSpec:
    """Return a spec with this strategy in place of its own, which is of the same kind."""
    kind = "blue_green" if isinstance(strategy, BlueGreenStrategy) else "canary"
    both = spec.strategy.model_copy(update={kind: strategy})
    return spec.model_copy(update={"strategy": both})


def _held_by_old_steps(
    known: RolloutSpec, written: RolloutSpec, status: RolloutStatus, spec_json: JSON
) -> EffectiveSpec:
    """Keep the steps, and nothing else, as they were when the current one was still among them."""
    steps = tuple(step_labels(written))
    index = resumes_at(status.entered_steps, steps)
    following, current = named_step(steps, index), status.entered_steps[-1]
    gone = "can't be told apart" if current in steps else "is not there any more"
    hold = Hold(
        "StepsChanged",
        f"the steps were changed, and {current}, which was current, {gone}: promote goes on with"
        f" {following}; {_ADVICE}",
        steps=steps,
        resumes_at=index,
        next_step=following,
    )
    kept = {
        name: getattr(known.active_strategy, name)
        for name in _OF_STEPS
        if name in type(known.active_strategy).model_fields
    }
    strategy = written.active_strategy.model_copy(update=kept)
    spec = _with_strategy(written, strategy)
    remembered = _with_old_steps(spec_json, status.effective_spec or spec_json)
    return EffectiveSpec(spec, status.evolve(effective_spec=remembered), hold)


def _with_old_steps(spec_json: FrozenJSON, before: FrozenJSON) -> JSON:
    """Return a spec as it is kept in status, with the fields of the steps as they were `before`."""
    ((kind, strategy),) = spec_json["strategy"].items()
    model = BlueGreenStrategy if kind == "blueGreen" else CanaryStrategy
    fields = model.model_fields.items()
    names = {str(field.alias or name) for name, field in fields if name in _OF_STEPS}
    old = before["strategy"].get(kind) or {}
    kept = {name: value for name, value in old.items() if name in names}
    others = {name: value for name, value in strategy.items() if name not in names}
    return {**spec_json, "strategy": {kind: {**others, **kept}}}


def _from_the_start(spec: RolloutSpec, status: RolloutStatus) -> RolloutStatus:
    """Return the status of an attempt that has entered no step, for the steps of another strategy."""
    if not under_way(status) or status.current_step_index is None:
        return status
    index = len(spec.steps) if status.promoted == "Full" else 0
    return status.evolve(current_step_index=index, canary_scale=None)
