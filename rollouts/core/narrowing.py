"""When a Service that selects everybody's pods may select one revision's alone."""

from rollouts.core.observed import Service
from rollouts.core.world import World
from rollouts.model.status import RolloutStatus


def may_narrow(world: World, status: RolloutStatus, service: Service) -> bool:
    """Return whether a Service may select stable alone, as far as the pods go that it selects now."""
    return not narrowing_waits_for(world, status, service)


def narrowing_waits_for(world: World, status: RolloutStatus, service: Service) -> str:
    """
    Return what a Service waits for before it may select stable alone; or nothing.

    One that selects everybody's pods is narrowed when all of ours that are ready are among
    its endpoints: what it has next is then a part of what it has, in whatever order the
    cluster hears of pods and of the selector. While a Deployment's pods serve beside ours,
    ours have to be as many as they are to be; and as many as the pods of others, who serve too. Nor
    may another revision have more there, which may be what has ended an outage, unless stable has
    all its pods.
    """
    stable = world.replica_set(status.stable_revision)
    if service.selected_hash or stable is None:
        return ""
    workload = world.observed.workload
    beside = workload is not None and workload.replicas > 0
    wanted = max(stable.ready, world.spec.replicas) if beside else stable.ready
    most = max(service.ready_endpoints.values(), default=0)
    wanted = max(wanted, min(most, world.spec.replicas))
    there = service.ready_endpoints.get(stable.hash, 0)
    if there < wanted:
        return f"{there} of {wanted} pods are endpoints of Service {service.name}, which selects all revisions"
    return others_serve(world, status, service)


def others_serve(world: World, status: RolloutStatus, service: Service) -> str:
    """
    Return why a Service can't be bound: others have more ready pods there than stable; or nothing.

    The pods of an adopted Deployment are no others'. What was bound before is bound again, whoever
    took our key away: nobody else has served there since.
    """
    stable = world.replica_set(status.stable_revision)
    if service.selected_hash or service.ours or stable is None or service.name in status.services:
        return ""
    workload, known = world.observed.workload, world.observed.replica_sets
    strangers = sum(count for hash_, count in service.ready_endpoints.items() if hash_ not in known)
    strangers += max(0, service.other_endpoints - (workload.existing if workload else 0))
    if service.ready_endpoints.get(stable.hash, 0) >= strangers:
        return ""
    return (
        f"Service {service.name} has more ready pods of others than of this Rollout: it is narrowed to this"
        " Rollout's when the others are gone or it has as many, and until then no release moves on"
    )
