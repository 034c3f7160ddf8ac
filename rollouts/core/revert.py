"""
Giving a Deployment its place back, without a request lost.

The order is that of taking it, from the end: all traffic to the stable revision, the
Deployment's pods again, of that revision's template, the Services as they were before us, and
when the data plane has had time to know the Deployment's pods, the finalizer goes, and with
the Rollout all that it owns. Every part is seen before the next one begins, so that it may be
cut off anywhere and carried on by whoever comes next.

A Deployment that is gone is waited for a while only: who deletes both, or the namespace, wants
nothing back.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from rollouts.core import revision
from rollouts.core.actions import Action, ReleaseService, RemoveRoute
from rollouts.core.observed import ReplicaSet
from rollouts.core.rollback import roll_back
from rollouts.core.routes import route
from rollouts.core.workload import (
    RestoreWorkload,
    SetFinalizers,
    Workload,
)
from rollouts.core.world import Move, World, under_way
from rollouts.model.status import Adoption, Retiring, Revision, RolloutStatus

_IN_FLIGHT_SECONDS = 30.0
"""How long a revision that was left stays at most, on the way out."""

_MADE_AGAIN_WITHIN = timedelta(minutes=1)
"""How long a Deployment that is gone is waited for: while it is replaced it is away for a moment."""

Turn = tuple[Move, tuple[Action, ...]]


def is_home(world: World, status: RolloutStatus) -> bool:
    """
    Return whether no request goes to another revision than the stable one, as far as one can tell.

    Nor will one: a Service that has its own selector back selects the pods of every revision.
    """
    stable, service = status.stable_revision, world.stable_service
    if stable is None or _is_deserted(world):
        return True
    if under_way(status) or route(world, status).highest > 0:
        return False
    if not world.stands(stable):
        return True
    bound = service is None or service.selected_hash in ("", stable.hash)
    return bound and not _others(world, stable)


def _others(world: World, stable: Revision) -> list[ReplicaSet]:
    """Return the other revisions that have pods still, where Services are to select all pods again."""
    if world.observed.workload is None:
        return []
    found = world.observed.replica_sets.values()
    return [each for each in found if each.existing > 0 and each.hash != stable.hash]


def on_the_way(world: World, move: Move) -> Move:
    """Say what is waited for before anything is given back, unless something is wrong besides."""
    status, workload = move.status, world.observed.workload
    stable = status.stable_revision
    if move.retreat or stable is None or workload is None:
        return move
    if status.phase == "Degraded" and status.abort is None:
        return move
    first = f"all traffic goes back to {revision.describe(stable)}"
    if route(world, status).highest == 0 and _others(world, stable):
        first = (
            f"the pods of {_named(_others(world, stable))} go: its Services will select all pods"
        )
    text = f"before everything is given back to Deployment {workload.name}, {first}"
    return move.evolve(phase="Progressing", pause=None, message=text)


def _named(found: Iterable[ReplicaSet]) -> str:
    names = (f"revision {each.revision} ({', '.join(each.images) or each.hash})" for each in found)
    return " and ".join(names)


def stop(world: World, move: Move) -> Move:
    """End the release that is under way: a canary must not be promoted by the way out."""
    move = move.evolve(retiring=[_hurried(world, each) for each in move.status.retiring])
    if not under_way(move.status):
        return move
    reason = "the Rollout is being deleted, and gives everything back to its Deployment"
    return roll_back(world, move, by="rollouts", reason=reason)


def _hurried(world: World, entry: Retiring) -> Retiring:
    """Return a revision that was left as one that nobody goes back to any more: what is in flight ends."""
    if entry.delay_seconds <= _IN_FLIGHT_SECONDS:
        return entry
    at = entry.at
    if at is not None:
        at = min(at, world.now + timedelta(seconds=_IN_FLIGHT_SECONDS))
    return entry.evolve(delay_seconds=_IN_FLIGHT_SECONDS, at=at)


def give_back(world: World, move: Move) -> Move:
    """Go on with giving everything back, once all traffic `is_home`."""
    return _turn(world, move)[0]


def giving(world: World, status: RolloutStatus) -> tuple[Action, ...]:
    """Return the writes of that, in a safe order; nothing while something is waited for."""
    return _turn(world, Move(status))[1]


def _turn(world: World, move: Move) -> Turn:
    status, workload = move.status, world.observed.workload
    begun = status.current_revision is not None or bool(world.observed.replica_sets)
    if workload is None or not begun:
        return _gone(move)
    adoption = status.adoption or Adoption(
        name=workload.name, uid=workload.uid, replicas=workload.replicas, at=world.now
    )
    if not workload.exists:
        return _without(world, move.evolve(adoption=adoption), workload)
    move = move.evolve(adoption=adoption.evolve(missing_since=None))
    if _has_to_be_restored(world, move.status, workload):
        return _restored(world, move, workload)
    releases = tuple(_releases(world))
    if releases and (workload.serves or not world.stands(status.stable_revision)):
        # Where no pod of ours is ready any more, any of the Deployment's is better than none.
        text = f"the Services lead to the pods of Deployment {workload.name} again"
        return _waits(world, move, text), releases
    if not workload.serves:
        trouble = f" ({workload.trouble})" if workload.trouble else ""
        text = (
            f"Deployment {workload.name} is given its pods again: {workload.available} of"
            f" {workload.replicas} are available{trouble}"
        )
        return _waits(world, move, text), ()
    return _end(world, move, workload)


def _is_deserted(world: World) -> bool:
    """Return whether there is neither a Deployment nor a ready pod of ours, as in a namespace that goes."""
    workload = world.observed.workload
    served = any(each.ready > 0 for each in world.observed.replica_sets.values())
    return workload is not None and not workload.exists and not served


def _without(world: World, move: Move, workload: Workload) -> Turn:
    """Wait a while for a Deployment that is gone, then go without giving anything back."""
    adoption, releases = move.status.adoption, tuple(_releases(world))
    assert adoption is not None
    since = adoption.missing_since or world.now
    move = move.evolve(adoption=adoption.evolve(missing_since=since))
    due = since + _MADE_AGAIN_WITHIN
    missing = f"Deployment {workload.name} does not exist, so nothing"
    if not _is_deserted(world) and world.now < due:
        text = (
            f"{missing} can be given back to it: create it; without it the Rollout goes at"
            f" {due:%H:%M:%S} UTC, and its pods with it"
        )
        return _waits(world, move.requeue_at(due), text), releases
    clears = (RemoveRoute(),) if world.observed.route.exists else ()
    text = f"{missing} is given back to it: the Rollout goes, and its pods with it"
    if (releases or clears) and not _is_deserted(world):
        # Whoever comes next needs them as they were; in a namespace that goes, nobody does.
        text += ", once its Services and routes are as they were before"
        return _waits(world, move, text), (*releases, *clears)
    move, ends = _gone(move.event(world, "NotReverted", text, "Warning"))
    return move, (*releases, *clears, *ends)


def _has_to_be_restored(world: World, status: RolloutStatus, workload: Workload) -> bool:
    """Return whether the Deployment is not yet what it is to be; what others do to it later is theirs."""
    adoption = status.adoption
    if adoption is None or adoption.restored_at is None or adoption.uid != workload.uid:
        return True
    return workload.replicas == 0 and _replicas(world, status) > 0


def _restored(world: World, move: Move, workload: Workload) -> Turn:
    status, stable = move.status, move.status.stable_revision
    assert status.adoption is not None
    kept = world.replica_set(stable)
    differs = (
        stable is not None and kept is not None and world.observed.template_hash != stable.hash
    )
    replicas = max(workload.replicas, _replicas(world, status))
    adoption = status.adoption.evolve(
        uid=workload.uid, restored_at=world.now, released_at=None, scaled_down=False
    )
    move = move.evolve(adoption=adoption, phase="Progressing", pause=None)
    text = f"everything is given back to Deployment {workload.name}: it is to have {replicas} pods"
    move = move.event(world, "Reverting", text)
    if differs and stable is not None:
        text = (
            f"the template of Deployment {workload.name} was not that of"
            f" {revision.describe(stable)}, which is stable; it is made so, since what was not"
            " promoted must not be released by the way out"
        )
        move = move.event(world, "TemplateGivenBack", text, "Warning")
    if not differs and replicas == workload.replicas:
        return move, ()
    return move, (RestoreWorkload(replicas, stable.hash if differs and stable else ""),)


def _replicas(world: World, status: RolloutStatus) -> int:
    """Return how many pods the Deployment gets: what it had, or what its place has now, if that is more."""
    stable = world.replica_set(status.stable_revision)
    remembered = status.adoption.replicas if status.adoption is not None else 0
    if stable is None:
        return remembered
    return max(remembered, world.spec.replicas, stable.wanted)


def _releases(world: World) -> Iterator[ReleaseService]:
    for service in world.observed.services.values():
        if service.selected_hash and not service.ours:
            yield ReleaseService(service.name)


def _end(world: World, move: Move, workload: Workload) -> Turn:
    """Give the data plane its time with the Deployment's pods, then go."""
    adoption, service = move.status.adoption, world.stable_service
    assert adoption is not None
    arrived = service.other_endpoints if service is not None else workload.replicas
    if arrived < workload.replicas:
        text = (
            f"waits until the {workload.replicas} pods of Deployment {workload.name} are among the"
            f" endpoints of Service {world.spec.stable_service}: {arrived} are"
        )
        return _waits(world, move.evolve(adoption=adoption.evolve(released_at=None)), text), ()
    since = adoption.released_at or world.now
    due = since + timedelta(seconds=world.spec.way.scale_down_delay_seconds)
    move = move.evolve(adoption=adoption.evolve(released_at=since))
    if world.observed.route.exists:
        return _waits(world, move, "the routes are cleared"), (RemoveRoute(),)
    if world.now < due:
        text = f"Deployment {workload.name} serves; our own pods go in a moment"
        return _waits(world, move.requeue_at(due), text), ()
    text = (
        f"Deployment {workload.name} serves with {workload.available} pods, as before the Rollout"
    )
    return _gone(move.event(world, "Reverted", text))


def _gone(move: Move) -> Turn:
    return move, (SetFinalizers(()),)


def _waits(world: World, move: Move, text: str) -> Move:
    """Say what it waits for; on record once only when it needs somebody."""
    workload = world.observed.workload
    stuck = workload is not None and (not workload.exists or bool(workload.trouble))
    if not stuck:
        return move.evolve(phase="Progressing", message=text, pause=None)
    if move.status.phase == "Degraded" and move.status.message == text:
        return move
    if move.status.phase == "Degraded" and workload is not None and workload.exists:
        return move.evolve(message=text)
    return move.evolve(phase="Degraded", pause=None).event(world, "Blocked", text, "Warning")
