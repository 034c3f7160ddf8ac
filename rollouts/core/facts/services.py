"""What is known of Services: whose pods they select, which may be narrowed, and what is in the way of that."""

from collections.abc import Iterator

from rollouts.core.facts.traffic import routes_are_missing
from rollouts.core.facts.workload import finalizer_waits_for
from rollouts.core.world import Service, World, describe, mechanism_of, under_way
from rollouts.model.finding import Finding, Severity
from rollouts.model.kinds import DEPLOYMENT, POD
from rollouts.model.service_texts import led_by_label, selects_no_pods, still_bound
from rollouts.model.status import Revision, RolloutStatus


def is_reached(world: World, hash_: str) -> bool:
    """Return whether a Service or a route may still send requests to this revision."""
    if world.may_be_led_to(hash_):
        return True
    stable, canary = world.stable_service, world.canary_service
    if stable is not None and _may_lead_to(stable, hash_):
        return True
    called = [*unnamed_services(world), *_canary_service_of_users(world)]
    if any(_may_lead_to(each, hash_) for each in called if each.selected_hash):
        return True
    leads_to_it = canary is None or _may_lead_to(canary, hash_)
    route = mechanism_of(world.spec).live_route(world)
    # Without its route a root Service leads to whatever pods it selects itself.
    return route.highest > 0 and (leads_to_it or routes_are_missing(route))


def _canary_service_of_users(world: World) -> Iterator[Service]:
    """Yield the canary Service where it is the user's own, so that others than the routes may call it."""
    if world.canary_service is not None and not world.canary_service.ours:
        yield world.canary_service


def _may_lead_to(service: Service, hash_: str) -> bool:
    """
    Return whether who asks a Service may be answered by this revision.

    Requests go by endpoints, which follow a selector; and what somebody has just made of that may be seen by
    them first.
    """
    return service.selected_hash in ("", hash_) or service.ready_endpoints.get(hash_, 0) > 0


def may_bind_to_stable(world: World, status: RolloutStatus, service: Service) -> bool:
    """Return whether a Service may select stable alone, as far as the pods go that it selects now."""
    return not binding_to_stable_waits_for(world, status, service)


def binding_to_stable_waits_for(world: World, status: RolloutStatus, service: Service) -> str:
    """
    Return what a Service waits for before it may select stable alone; or nothing, also where it is led by a label.

    One that selects everybody's pods is narrowed when all of ours that are ready are among
    its endpoints: what it has next is then a part of what it has, in whatever order the
    cluster hears of pods and of the selector. While a Deployment's pods serve beside ours,
    ours have to be as many as they are to be; and as many as the pods of others, who serve too. Nor
    may another revision have more there, which may be what has ended an outage, unless stable has
    all its pods.
    """
    stable = world.replica_set(status.stable_revision)
    if service.selected_hash or service.by_label or stable is None:
        return ""
    workload = world.observed.workload
    beside = workload is not None and workload.replicas > 0
    wanted = max(stable.ready, world.spec.replicas) if beside else stable.ready
    most = max(service.ready_endpoints.values(), default=0)
    wanted = max(wanted, min(most, world.spec.replicas))
    there = service.ready_endpoints.get(stable.hash, 0)
    if there < wanted:
        return f"{there} of {wanted} pods are endpoints of Service {service.name}, which selects all revisions"
    return served_by_others(world, status, service) or finalizer_waits_for(world)


def served_by_others(world: World, status: RolloutStatus, service: Service) -> str:
    """
    Return why a Service can't be bound: others have more ready pods there than stable; or nothing.

    The pods of an adopted Deployment are no others'. What was bound before is bound again, whoever
    took our key away: nobody else has served there since. Where a label leads to pods, others keep theirs.
    """
    stable = world.replica_set(status.stable_revision)
    is_free = service.ours or service.by_label or service.name in status.services
    if service.selected_hash or is_free or stable is None:
        return ""
    workload, known = world.observed.workload, world.observed.replica_sets
    strangers = sum(count for hash_, count in service.ready_endpoints.items() if hash_ not in known)
    strangers += max(0, service.other_endpoints - (workload.existing if workload else 0))
    if service.ready_endpoints.get(stable.hash, 0) >= strangers:
        return ""
    return (
        f"Service {service.name} leads to more ready pods of others than of this Rollout: it is bound to this"
        " Rollout's alone when the others are gone or there are as many of its own, and until then no"
        " release moves on"
    )


def was_bound(status: RolloutStatus, service: Service) -> bool:
    """Return whether a Service has been what it is to be: if it is not, that is somebody else's doing."""
    known = service.name in status.services and service.name not in status.services_to_bind
    return known or service.ours


def may_bind(world: World, service: Service, revision: Revision) -> bool:
    """
    Return whether a Service may be pointed at a revision now, that it does not select yet.

    By the label of stable it is pointed there as long as a pod lacks it; one that leads to no other may begin to
    at any time.
    """
    if service.by_label and _lacks_label(world, service, revision):
        return True
    if service.selected_hash == revision.hash:
        return False
    return world.is_selectable(revision) and not _would_lose_all(service, revision)


def _lacks_label(world: World, service: Service, revision: Revision) -> bool:
    """Return whether a revision lacks the label of stable, and no other has it; or our key is to go from beside it."""
    found, sets = world.replica_set(revision), world.observed.replica_sets.values()
    if found is None:
        return False
    if service.selected_hash == revision.hash:
        return service.keeps_key or not found.is_labelled_stable
    return not any(each.has_stable_label for each in sets if each is not found)


def _would_lose_all(service: Service, revision: Revision) -> bool:
    """Return whether a Service that has ready endpoints would have none, bound to this revision."""
    has_any = service.other_endpoints > 0 or any(service.ready_endpoints.values())
    return has_any and revision.hash in service.misses


def unnamed_services(world: World) -> list[Service]:
    """Return the Services that are this Rollout's affair still, and that the spec names no longer."""
    named = (world.spec.stable_service, world.spec.canary_service)
    return [each for name, each in sorted(world.observed.services.items()) if name not in named]


def is_led_to(world: World, service: Service) -> bool:
    """Return whether a route that the spec names leads to a Service, as far as routes can be read."""
    return service.name in world.route.other_services or world.route.is_unseen


def stable_is_alone(world: World, stable: Revision) -> bool:
    """Return whether no other revision has pods, or is to have any."""
    return all(
        each.existing == 0 and each.wanted == 0
        for each in world.observed.replica_sets.values()
        if each.hash != stable.hash
    )


def service_findings(world: World, status: RolloutStatus) -> Iterator[Finding]:
    """Yield what keeps Services from being what they are to be."""
    release = under_way(status)
    named = [each for each in (world.stable_service, world.canary_service) if each is not None]
    for service in named if not world.services_are_claimed else ():
        why = served_by_others(world, status, service)
        if why:
            severity: Severity = "error" if release else "warning"
            yield Finding(severity, "ForeignEndpoints", why, needs=(DEPLOYMENT, POD))
        if release is not None and release.current.hash in service.misses:
            yield Finding(
                "error",
                "SelectsNoPods",
                selects_no_pods(service.name, describe(release.current), "other labels"),
            )
    if release is None or not mechanism_of(world.spec).pods_are_the_weight:
        return
    is_alone = stable_is_alone(world, release.stable)
    for service in unnamed_services(world):
        if service.by_label:
            yield Finding("error", "ServiceStillBound", led_by_label(service.name))
        elif service.selected_hash and not is_alone:
            yield Finding(
                "error",
                "ServiceStillBound",
                still_bound(
                    service.name,
                    service.selected_hash,
                    "no share of the pods is a share of its requests; it is given back as soon as no other"
                    " revision has pods",
                ),
            )


def canary_is_stable(world: World, status: RolloutStatus) -> bool:
    """Return whether the canary Service is there, and selects the stable revision."""
    service, stable = world.canary_service, status.stable_revision
    return service is not None and stable is not None and service.selected_hash == stable.hash
