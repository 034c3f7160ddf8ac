"""What status keeps of Services."""

from rollouts.core.facts import unnamed_services
from rollouts.core.world import SERVICE_SYNCED, StatusUpdate, World, drift_pause_ends


def remember_services(world: World, update: StatusUpdate) -> StatusUpdate:
    """Keep in status which of the user's Services are bound, and say what is done about those that are not ours alone."""
    status = update.status
    seen = world.observed.services
    given = [
        each.name
        for each in unnamed_services(world)
        if not (each.ours or each.by_label or each.selected_hash)
    ]
    known = {name for name in status.services if name in seen and not seen[name].ours}
    if not world.services_are_claimed:
        known |= {name for name, each in seen.items() if each.selected_hash and not each.ours}
    kept = known.difference(given)
    unbound = [
        name for name in status.services_to_bind if name in kept and not seen[name].selected_hash
    ]
    update = update.evolve(services=sorted(kept), services_to_bind=unbound)
    for name in given:
        text = (
            f"{name}, which the spec names no longer, is given back: it selects all revisions' pods"
        )
        update = update.event(world, "ServiceGivenBack", f"Service {text}")
    service = world.canary_service
    rests = drift_pause_ends(status, world.now, SERVICE_SYNCED)
    if (
        service is not None
        and service.is_outdated
        and not world.services_are_claimed
        and rests is not None
    ):
        update = update.requeue_at(rests)
    return update.evolve(message=status.message)


def note_synced_services(world: World, update: StatusUpdate) -> StatusUpdate:
    """Return the update that says that a Service of ours is made as its stable Service is, where a write of this decision does that."""
    for name in update.synced_services:
        text = f"Service {name} is brought in line with Service {world.spec.stable_service}"
        update = update.event(world, SERVICE_SYNCED, text).evolve(message=update.status.message)
    return update


def remember_next_services(_world: World, update: StatusUpdate) -> StatusUpdate:
    """Keep in status which of the user's Services are bound next: before that, so that an edit in between leaves none."""
    status, new = update.status, update.services_to_bind
    if not new:
        return update
    return update.evolve(
        services=sorted({*status.services, *new}),
        services_to_bind=sorted({*status.services_to_bind, *new}),
    )
