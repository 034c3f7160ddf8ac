"""By which spec a Rollout is run, and what is seen of the cluster by it. Reads only."""

from dataclasses import replace
from datetime import datetime

from rollouts.controller import workload
from rollouts.controller.observation_input import ObservationInput
from rollouts.controller.observations import Observations
from rollouts.controller.observe import observe
from rollouts.controller.parse_cache import ParsedSpec
from rollouts.core.effective_spec import Edit, EffectiveSpec, effective_spec
from rollouts.core.facts import release_has_ended
from rollouts.core.template import template_hash
from rollouts.core.world import Observed, World
from rollouts.errors import InvalidSpec
from rollouts.model.evidence import Evidence
from rollouts.model.kinds import FrozenJSON
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import RolloutStatus
from rollouts.model.unchecked_json import mapping
from rollouts.ports import Reads


def find_effective_spec(
    cluster: Reads, rollout: FrozenJSON, written: ParsedSpec, status: RolloutStatus, now: datetime
) -> EffectiveSpec:
    """
    Return the effective spec, with the template that is wanted now.

    Raises:
        InvalidSpec: the spec is invalid, and no valid one is known.
    """

    def is_over(known: RolloutSpec) -> bool:
        spec = workload.with_template(cluster, rollout, known)
        seen = observe(cluster, rollout, ObservationInput.of(spec, status), quiet_seconds=0)
        return release_has_ended(World(spec, seen, Evidence(), now), status)

    found = effective_spec(Edit(written.spec_json, written.spec, status, now), is_over)
    if found is None:
        raise written.error()
    if isinstance(written.spec, InvalidSpec):
        return replace(found, spec=_kept(cluster, rollout, found.spec, status))
    return replace(found, spec=workload.with_template(cluster, rollout, found.spec))


def observe_effective(
    observations: Observations,
    cluster: Reads,
    rollout: FrozenJSON,
    found: EffectiveSpec,
    *,
    quiet_seconds: float,
) -> Observed:
    """Return what is seen by the effective spec; an invalid spec asks for no other template."""
    status = found.status
    inputs = ObservationInput.of(found.spec, status)
    seen = observations.observe(cluster, rollout, inputs, quiet_seconds=quiet_seconds)
    if found.hold is None or found.hold.reason != "InvalidSpec":
        return seen
    current = status.current_revision
    hash_ = current.hash if current is not None else ""
    if status.pinned is not None:
        hash_ = status.pinned.instead_of
    return replace(seen, template_hash=hash_)


def _kept(
    cluster: Reads, rollout: FrozenJSON, spec: RolloutSpec, status: RolloutStatus
) -> RolloutSpec:
    """Return the spec with the current revision's template, as far as it is known."""
    kept, current = workload.with_current_template(cluster, rollout, spec), status.current_revision
    template = mapping(mapping(rollout.get("spec")).get("template"))
    if kept.template or current is None or template_hash(template) != current.hash:
        return kept
    return kept.model_copy(update={"template": dict(template)})
