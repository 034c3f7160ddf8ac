"""What a decision brings up to date at its end: clocks, counts, and revisions that were left."""

from collections.abc import Iterator
from datetime import timedelta

from rollouts.core.facts import (
    canary_lacks_room,
    evidence_turned,
    is_held,
    is_reached,
    is_rising,
    retirement_is_due,
    scale_selector,
    settled_pods,
    short_since,
    short_until,
    stable_is_short,
    step_deadline,
    step_is_settled,
    step_waiting_since,
    waits_for_pods,
    waits_to_take_over,
)
from rollouts.core.world import (
    ReplicaSet,
    StatusUpdate,
    World,
    drift_pause_ends,
    is_warm,
    mechanism_of,
    under_way,
)
from rollouts.model.kinds import HASH_LABEL
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import Retiring, RolloutStatus


def remember_evidence(world: World, update: StatusUpdate) -> StatusUpdate:
    """Keep in status what the criteria say of a canary, or of a revision that can be gone back from."""
    evidence = world.evidence
    if evidence.at is None or not (under_way(update.status) or is_warm(world, update.status)):
        return update
    return update.evolve(
        criteria=list(evidence.criteria),
        exposure=evidence.exposure,
        weights=update.status.weights.evolve(served=evidence.served_percent),
    )


def release_retiring(world: World, update: StatusUpdate) -> StatusUpdate:
    """Let the revisions that were left go: their time runs from the moment nothing reaches them."""
    staying = []
    for entry in [*update.status.retiring, *_called_by_accident(world, update.status)]:
        replica_set = world.observed.replica_sets.get(entry.hash)
        if replica_set is None or (replica_set.wanted == 0 and replica_set.existing == 0):
            continue
        at = None  # as long as it is reached, or is so again
        if not is_reached(world, entry.hash):
            at = entry.at or world.now + timedelta(seconds=entry.delay_seconds)
        if _is_wanted_again(world, update.status, entry.evolve(at=at)):
            continue
        staying.append(entry.evolve(at=at))
        if at is not None:
            update = update.requeue_at(at)
    update = update.evolve(retiring=staying)
    previous = update.status.previous_revision
    if previous is not None and all(entry.hash != previous.hash for entry in staying):
        update = update.evolve(previous_revision=None)
    if not under_way(update.status) and not staying:
        # Only now: while the other revision may still be needed, none of the two is made smaller.
        update = update.evolve(stable_floor=0)
    return update


def _is_wanted_again(world: World, status: RolloutStatus, entry: Retiring) -> bool:
    """
    Return whether a revision that was left is not any more: it is stable, or has begun anew.

    What has begun anew may still answer those who called it before: until they have gone, it is not made smaller.
    """
    stable, current = status.stable_revision, status.current_revision
    if stable is not None and stable.hash == entry.hash:
        return True
    begun = status.abort is None and current is not None and current.hash == entry.hash
    return begun and (stable is None or retirement_is_due(world, entry))


def _called_by_accident(world: World, status: RolloutStatus) -> Iterator[Retiring]:
    """Yield the canary that the users' own Service leads to beside stable, and that is as large as somebody says."""
    release, service = under_way(status), world.stable_service
    if release is None or status.canary_scale is None or service is None or service.selected_hash:
        return
    if mechanism_of(world.spec).pods_are_the_weight:
        return
    hash_, found = release.current.hash, world.replica_set(release.current)
    if found is not None and found.ready and all(each.hash != hash_ for each in status.retiring):
        delay = world.spec.active_strategy.abort_scale_down_delay_seconds
        yield Retiring(hash=hash_, delay_seconds=delay)


def time_progress(world: World, update: StatusUpdate) -> StatusUpdate:
    """
    Keep the clock of the progress deadline: it runs while a step waits for pods or routes.

    Each step has its own time, and a pod that is replaced late in a long pause has all of it.
    Between releases it runs while stable lacks pods.
    """
    before, status = update.before, update.status
    since = before.unsettled_since if before.step_started_at == status.step_started_at else None
    if stable_is_short(world, status):
        since = short_since(world, before, since)
        return update.evolve(unsettled_since=since).requeue_at(short_until(world, since))
    held = (
        is_held(world, status)
        or waits_for_pods(world, status)
        or (is_rising(world, status) and evidence_turned(world, status) is not None)
        or canary_lacks_room(world, status)
        or waits_to_take_over(world, status)
    )
    if under_way(status) and step_is_settled(world, status):
        return update.evolve(unsettled_since=None, settled_pods=settled_pods(world, status))
    if not under_way(status) or held:
        return update.evolve(unsettled_since=None)
    update = update.evolve(unsettled_since=step_waiting_since(world, status, since or world.now))
    late = step_deadline(world, update.status)
    return update.requeue_at(late) if late is not None else update


def with_numbers(world: World, update: StatusUpdate) -> StatusUpdate:
    """Return the update with what status says in numbers, for people and for `/scale`."""
    status = update.status
    current = world.replica_set(status.current_revision)
    serving, hash_ = _scaled(world, status)
    return update.evolve(
        replicas=sum(each.existing for each in serving),
        ready_replicas=sum(each.ready for each in serving),
        available_replicas=sum(each.available for each in serving),
        updated_replicas=current.existing if current is not None else 0,
        selector=_selector(world, status, hash_),
        observed_generation=world.observed.generation,
        step=_step(world.spec, status),
    )


def _selector(world: World, status: RolloutStatus, hash_: str) -> str:
    """
    Return what finds the pods that /scale is about: always the same, once all of them can be found.

    Pods that are older than the label of ours are found by the revision that serves until then.
    """
    always = scale_selector(world)
    revisions = (status.stable_revision, status.current_revision)
    found = filter(None, map(world.replica_set, revisions))
    if status.selector == always or all(pod.labelled for each in found for pod in each.pods):
        return always
    return _with_hash(world.observed.selector, hash_)


def _scaled(world: World, status: RolloutStatus) -> tuple[list[ReplicaSet], str]:
    """Return the pods that /scale counts, and the hash that selects them; "" selects all."""
    if under_way(status):
        return mechanism_of(world.spec).scaled(world, status)
    found = world.replica_set(status.stable_revision) or world.replica_set(status.current_revision)
    return ([found], found.hash) if found is not None else ([], "")


def _with_hash(selector: str, hash_: str) -> str:
    return ",".join(part for part in (selector, f"{HASH_LABEL}={hash_}" if hash_ else "") if part)


def _step(spec: RolloutSpec, status: RolloutStatus) -> str:
    steps = len(spec.steps)
    if status.current_step_index is None:
        return f"{steps}/{steps}" if status.stable_revision == status.current_revision else ""
    running = (
        1 if under_way(status) else 0
    )  # counted from 1 as in messages; else those that were passed
    return f"{min(status.current_step_index + running, steps)}/{steps}"


def requeue_after_seconds(world: World, update: StatusUpdate) -> float | None:
    """Return when to decide again, whatever happens until then; None for never."""
    later = [moment for moment in update.requeue_times if moment > world.now]
    drain = update.status.drain_until
    if under_way(update.status) and drain is not None and drain > world.now:
        later.append(drain)
    drift_pause = drift_pause_ends(update.status, world.now)
    if drift_pause is not None:  # what is left alone meanwhile is to be done then
        later.append(drift_pause)
    return (min(later) - world.now).total_seconds() if later else None
