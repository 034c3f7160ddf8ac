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

from collections.abc import Iterator
from datetime import timedelta

from rollouts.core.facts import (
    IN_FLIGHT_SECONDS,
    MADE_AGAIN_WITHIN,
    has_to_be_restored,
    is_deserted,
    named_revisions,
    other_pods,
    replicas_to_restore,
)
from rollouts.core.next.attempt import roll_back
from rollouts.core.plan.actions import (
    Action,
    ReleaseService,
    RemoveRoute,
    RestoreWorkload,
    SetFinalizers,
)
from rollouts.core.world import Move, Workload, World, current_route, describe, under_way
from rollouts.model.status import Adoption, Retiring, RolloutStatus

Turn = tuple[Move, tuple[Action, ...]]


def note_traffic_going_home(world: World, move: Move) -> Move:
    """Say what is waited for before anything is given back, unless something is wrong besides."""
    status, workload = move.status, world.observed.workload
    stable = status.stable_revision
    if move.retreat or stable is None or workload is None:
        return move
    if status.phase == "Degraded" and status.abort is None:
        return move
    first = f"all traffic goes back to {describe(stable)}"
    if current_route(world, status).highest == 0 and other_pods(world, stable):
        first = f"the pods of {named_revisions(other_pods(world, stable))} go: its Services will select all pods"
    text = f"before everything is given back to Deployment {workload.name}, {first}"
    return move.evolve(phase="Progressing", pause=None, message=text)


def stop_for_deletion(world: World, move: Move) -> Move:
    """End the release that is under way: a canary must not be promoted by the way out."""
    move = move.evolve(retiring=[_hurried(world, each) for each in move.status.retiring])
    if not under_way(move.status):
        return move
    reason = "the Rollout is being deleted, and gives everything back to its Deployment"
    return roll_back(world, move, by="rollouts", reason=reason)


def _hurried(world: World, entry: Retiring) -> Retiring:
    """Return a revision that was left as one that nobody goes back to any more: what is in flight ends."""
    if entry.delay_seconds <= IN_FLIGHT_SECONDS:
        return entry
    at = entry.at
    if at is not None:
        at = min(at, world.now + timedelta(seconds=IN_FLIGHT_SECONDS))
    return entry.evolve(delay_seconds=IN_FLIGHT_SECONDS, at=at)


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
    if has_to_be_restored(world, move.status, workload):
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


def _without(world: World, move: Move, workload: Workload) -> Turn:
    """Wait a while for a Deployment that is gone, then go without giving anything back."""
    adoption, releases = move.status.adoption, tuple(_releases(world))
    assert adoption is not None
    since = adoption.missing_since or world.now
    move = move.evolve(adoption=adoption.evolve(missing_since=since))
    due = since + MADE_AGAIN_WITHIN
    missing = f"Deployment {workload.name} does not exist, so nothing"
    if not is_deserted(world) and world.now < due:
        text = (
            f"{missing} can be given back to it: create it; without it the Rollout goes at"
            f" {due:%H:%M:%S} UTC, and its pods with it"
        )
        return _waits(world, move.requeue_at(due), text), releases
    clears = (RemoveRoute(),) if world.observed.route.exists else ()
    text = f"{missing} is given back to it: the Rollout goes, and its pods with it"
    if (releases or clears) and not is_deserted(world):
        # Whoever comes next needs them as they were; in a namespace that goes, nobody does.
        text += ", once its Services and routes are as they were before"
        return _waits(world, move, text), (*releases, *clears)
    move, ends = _gone(move.event(world, "NotReverted", text, "Warning"))
    return move, (*releases, *clears, *ends)


def _restored(world: World, move: Move, workload: Workload) -> Turn:
    status, stable = move.status, move.status.stable_revision
    assert status.adoption is not None
    kept = world.replica_set(stable)
    differs = (
        stable is not None and kept is not None and world.observed.template_hash != stable.hash
    )
    replicas = max(workload.replicas, replicas_to_restore(world, status))
    adoption = status.adoption.evolve(
        uid=workload.uid, restored_at=world.now, released_at=None, scaled_down=False
    )
    move = move.evolve(adoption=adoption, phase="Progressing", pause=None)
    text = f"everything is given back to Deployment {workload.name}: it is to have {replicas} pods"
    move = move.event(world, "Reverting", text)
    if differs and stable is not None:
        text = (
            f"the template of Deployment {workload.name} was not that of"
            f" {describe(stable)}, which is stable; it is made so, since what was not"
            " promoted must not be released by the way out"
        )
        move = move.event(world, "TemplateGivenBack", text, "Warning")
    if not differs and replicas == workload.replicas:
        return move, ()
    return move, (RestoreWorkload(replicas, stable.hash if differs and stable else ""),)


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
