"""What is known of the Deployment of a workloadRef, and what is in the way of taking its place."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from rollouts.core.facts.holds import workload_missing
from rollouts.core.world import (
    REVERT,
    Workload,
    World,
    has_stable,
    mechanism_of,
    missing_service,
)
from rollouts.model.finding import Finding
from rollouts.model.kinds import DEPLOYMENT, Ref
from rollouts.model.status import Adoption, RolloutStatus

CLAIMED = "WorkloadClaimed"
MISSING = "WorkloadMissing"
_IN_THE_WAY = (MISSING, CLAIMED, "FewerReplicas")


def workload_findings(world: World, status: RolloutStatus) -> Iterator[Finding]:
    """Yield what is wrong with the Deployment of a workloadRef, or that there is none."""
    workload, ref = world.observed.workload, world.spec.workload_ref
    if workload is None or ref is None or world.observed.is_being_deleted:
        return
    if missing := workload_missing(world, status):
        yield Finding(
            "error",
            "WorkloadMissing",
            missing,
            "spec.workloadRef.name",
            absent=Ref(DEPLOYMENT, world.observed.namespace, ref.name),
        )
        return
    size = workload_size(world, status, workload)
    if not has_stable(status) and world.spec.replicas < size:
        yield Finding(
            "error",
            "FewerReplicas",
            (
                f"Deployment {ref.name} has {size} replicas, and spec.replicas is only"
                f" {world.spec.replicas}: set spec.replicas to {size}, or scale the Deployment down first"
            ),
        )
    if ref.scale_down == "never" and mechanism_of(world.spec).pods_are_the_weight:
        yield Finding(
            "warning",
            "WorkloadServes",
            (
                f"Deployment {ref.name} keeps its pods (scaleDown: never), and they keep their share of"
                " the requests: without trafficRouting the weights are not those of the steps; set"
                " workloadRef.scaleDown to onSuccess or progressively, or add trafficRouting"
            ),
        )


def workload_blocker(world: World, status: RolloutStatus) -> str:
    """
    Return why the Deployment's place can't be taken, or nothing, once `workload_findings` are known.

    Until it has been taken, the Deployment serves everything: nothing at all is done then.
    """
    if world.spec.workload_ref is None or has_stable(status):
        return ""
    return next((each.message for each in world.route.blockers if each.reason in _IN_THE_WAY), "")


def workload_size(world: World, status: RolloutStatus, workload: Workload) -> int:
    """Return how many pods the Deployment has, or had before we took some of them away."""
    ref, adoption = world.spec.workload_ref, status.adoption
    if ref is None or adoption is None or adoption.uid != workload.uid:
        return workload.replicas
    if ref.scale_down != "progressively":
        return workload.replicas
    return max(workload.replicas, adoption.replicas)


def finalizer_waits_for(world: World) -> str:
    """
    Return what there has to be before anything is taken from the Deployment; or nothing.

    Without its finalizer a Rollout that is deleted gives nothing back, whatever `revertOnDeletion` says.
    """
    if not world.spec.revert_on_deletion or REVERT in world.observed.finalizers:
        return ""
    return f"the finalizer {REVERT} is missing, by which the Deployment gets its place again when this Rollout is deleted"


def workload_is_claimed(world: World) -> bool:
    return any(each.reason == CLAIMED for each in world.route.findings)


def workload_is_idle(world: World, status: RolloutStatus) -> bool:
    """Return whether our pods have all the traffic that the Services named here give."""
    if not has_stable(status) or missing_service(world):
        return False
    named = (world.stable_service, world.canary_service)
    return all(service.selected_hash for service in named if service is not None)


def workload_due_at(world: World, adoption: Adoption) -> datetime | None:
    """Return when the Deployment's pods may go; None while they may be needed."""
    if adoption.idle_since is None:
        return None
    return adoption.idle_since + timedelta(
        seconds=world.spec.active_strategy.scale_down_delay_seconds
    )


def workload_size_wanted(world: World, status: RolloutStatus) -> int | None:
    """Return how many pods the Deployment is to have; None for as many as it has."""
    ref, adoption, workload = world.spec.workload_ref, status.adoption, world.observed.workload
    if ref is None or adoption is None or workload is None or ref.scale_down == "never":
        return None
    if adoption.uid != workload.uid:
        return None  # another one of that name: it is met first
    if has_stable(status):
        due = workload_due_at(world, adoption)
        return 0 if adoption.scaled_down or (due is not None and due <= world.now) else None
    if ref.scale_down == "onSuccess":
        return None
    return max(0, adoption.replicas - _arrived(world, status))


def _arrived(world: World, status: RolloutStatus) -> int:
    """Return how many of our pods already take their share of the Deployment's requests."""
    running, service = world.replica_set(status.current_revision), world.stable_service
    if running is None or missing_service(world):
        return 0
    if service is None:
        return running.available
    return min(running.available, service.ready_endpoints.get(running.hash, 0))
