"""Everything that is found around one Rollout in a snapshot of the cluster: preflight for a person. Reads only."""

from collections.abc import Iterator
from datetime import UTC, datetime

from rollouts.controller.observation_input import ObservationInput
from rollouts.controller.observe import observe
from rollouts.controller.preflight.context import PreflightContext, name_of, users_selector
from rollouts.controller.preflight.snapshot import ClusterSnapshot
from rollouts.controller.services import SERVICE_NAME_LABEL
from rollouts.controller.status_store import read_status
from rollouts.core.facts import service_findings, workload_findings
from rollouts.core.world import World
from rollouts.model.evidence import Evidence
from rollouts.model.finding import Finding
from rollouts.model.kinds import ENDPOINT_SLICE, FrozenJSON
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import RolloutStatus
from rollouts.model.unchecked_json import items, mapping


def snapshot_findings(
    snapshot: ClusterSnapshot, rollout: FrozenJSON, spec: RolloutSpec
) -> list[Finding]:
    """
    Return what is found around a Rollout of the snapshot, what stops a release first.

    It is what the controller finds for the condition Preflight, by the same functions; besides,
    what a condition does not say because it changes by the second. A finding says on which kinds
    it rests: of these the caller has to know all objects (`ClusterSnapshot.knows_all`).
    """
    status = read_status(rollout) or RolloutStatus()
    seen = observe(snapshot, rollout, ObservationInput.of(spec, status), quiet_seconds=0)
    world = World(spec, seen, Evidence(), datetime.now(UTC))
    for find in (workload_findings, service_findings):
        world = world.with_findings(find(world, status))
    found = [*world.route.findings, *_idle(PreflightContext.of(snapshot, rollout, spec))]
    return sorted(found, key=lambda each: not each.is_blocking)


def _idle(context: PreflightContext) -> Iterator[Finding]:
    """Yield the Services that have no ready endpoint right now."""
    for service, _ in context.services():
        name = name_of(service)
        slices = [
            each
            for each in context.all(ENDPOINT_SLICE)
            if mapping(each["metadata"].get("labels")).get(SERVICE_NAME_LABEL) == name
        ]
        endpoints = [each for found in slices for each in items(found.get("endpoints"))]
        ready = [
            each for each in endpoints if mapping(each.get("conditions")).get("ready") is not False
        ]
        is_served = name == context.spec.stable_service and context.spec.replicas > 0
        if is_served and not ready and users_selector(service):
            yield Finding(
                "warning",
                "NoReadyPods",
                (
                    f"Service {name} has no ready endpoint at this moment: users get no answer;"
                    " see why its pods are not ready"
                ),
                needs=(ENDPOINT_SLICE,),
            )
