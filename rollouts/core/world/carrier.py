"""What carries the weight of a canary: routers, the active Service, or the pods themselves."""

from rollouts.core.world.sizes import (
    canary_replicas,
    enough_pods,
    pod_shares,
    share_percent,
    split_of,
    stable_replicas,
)
from rollouts.core.world.world import World
from rollouts.model.route import Route
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import RolloutStatus


def pods_needed(spec: RolloutSpec, status: RolloutStatus) -> int:
    """
    Return how many canary pods have to be available before the desired weight may be applied.

    A canary size that was set by hand (setCanaryScale) counts instead of the weight's; a
    header or mirror route needs a pod like any weight. Of a Rollout without pods it is none.
    """
    total, desired = stable_replicas(spec, status), status.weights.desired
    if total == 0:
        return 0
    if spec.by_replicas:
        return pod_shares(spec, total, desired)[0]
    least = 1 if desired or split_of(spec, status).names else 0
    if status.canary_scale is not None and desired < 100:
        return max(status.canary_scale, least)
    return max(canary_replicas(total, desired), least)


def pods_serving(spec: RolloutSpec, status: RolloutStatus) -> int:
    """Return how many canary pods the weight needs that is applied."""
    total, applied = stable_replicas(spec, status), status.weights.applied
    return (
        pod_shares(spec, total, applied)[0] if spec.by_replicas else canary_replicas(total, applied)
    )


def attainable_weight(spec: RolloutSpec, status: RolloutStatus, percent: int) -> int:
    """Return the weight that is had when `percent` is asked for: the same, but without a router."""
    if not spec.by_replicas:
        return percent
    canary, stable = pod_shares(spec, stable_replicas(spec, status), percent)
    return share_percent(canary, stable)


def current_route(world: World, status: RolloutStatus) -> Route:
    """Return what the routes say: a router's objects, the active Service, or the pods themselves."""
    if world.spec.blue_green is not None:
        return _switched_route(world, status)
    if world.spec.by_replicas:
        return _shared_route(world, status)
    return world.observed.route


def _switched_route(world: World, status: RolloutStatus) -> Route:
    """
    Return blue-green's route: the active Service selects one revision, and so has all or nothing.

    Without its key it selects the new revision's pods beside the old ones, once there are any.
    """
    service, findings = world.stable_service, world.observed.route.findings
    stable, current = status.stable_revision, status.current_revision
    if service is None or stable is None or current is None or stable.hash == current.hash:
        return Route(findings=findings)
    if service.selected_hash == stable.hash:
        return Route(exists=True, findings=findings)
    if service.selected_hash == current.hash:
        return Route(exists=True, weight=100, highest=100, findings=findings)
    new = world.replica_set(current)
    shared = service.selected_hash == "" and new is not None and new.existing > 0
    return Route(exists=True, weight=None, highest=100 if shared else 0, findings=findings)


def _shared_route(world: World, status: RolloutStatus) -> Route:
    """Return a replica-weighted canary's route: its share of the pods, once they are all there."""
    findings = world.observed.route.findings
    stable, canary = (
        world.replica_set(status.stable_revision),
        world.replica_set(status.current_revision),
    )
    if stable is None or stable is canary:
        return Route(findings=findings)
    others = sum(each.existing for each in world.others(status))
    ready, wanted = (canary.ready, canary.wanted) if canary is not None else (0, 0)
    least = enough_pods(world.spec, wanted, canary)
    arrived = canary is None or (canary.available >= least and canary.existing <= wanted)
    still = arrived and others == 0 and stable.existing <= stable.wanted
    return Route(
        exists=True,
        weight=share_percent(wanted, stable.wanted) if still else None,
        highest=max(share_percent(ready, stable.ready), 1 if others else 0),
        findings=findings,
    )


def reaches_canary(world: World, status: RolloutStatus) -> bool:
    """
    Return whether what the routes send to a canary arrives at the current revision.

    Right after a newer template it may still be the revision before that has it.
    """
    canary = world.replica_set(status.current_revision)
    if world.spec.by_replicas:
        return canary is not None and canary.ready > 0
    if world.spec.routing is None:
        return True
    service, current = world.canary_service, status.current_revision
    return service is not None and current is not None and service.selected_hash == current.hash
