"""
How the label of stable goes from pods to pods, where Git owns the Service that selects by it.

First the new pods get it. Once it is seen on all of them, and as many as are ready are endpoints of
the Service, the others lose it. On blue-green's way back, one endpoint is enough for that.
"""

from collections.abc import Iterable, Iterator

from rollouts.core.facts import keeps_to_few
from rollouts.core.plan.actions import Action, ReleaseService, SelectRevision, SetStableLabel
from rollouts.core.world import ReplicaSet, Service, World
from rollouts.model.status import Revision, RolloutStatus

PODS_AT_ONCE = 10
"""So many of a revision are written to in one decision, so that nothing more urgent waits for long."""


def labels_beside(world: World, status: RolloutStatus) -> Iterator[Action]:
    """
    Yield what the label needs beside leading a Service to the revision that it is for.

    The pods of a first deploy have it, which a Service leads to whichever they are; and those that a Service leads
    to which does not ask for it yet, where `stableMetadata` says so.
    """
    service, stable = world.stable_service, status.stable_revision
    if service is None or world.services_are_claimed:
        return
    if stable is None:
        first = world.replica_set(status.current_revision)
        if first is not None and service.by_label:
            yield from _given(first)
    elif world.spec.labels_stable_early and not service.by_label:
        yield from _kept_to(world, service, stable)


def moving_labels(
    world: World, status: RolloutStatus, actions: Iterable[Action]
) -> Iterator[Action]:
    """Yield the actions, with the next writes to pods in place of those to Services that Git owns."""
    for action in actions:
        service = (
            world.observed.services.get(action.service)
            if isinstance(action, SelectRevision)
            else None
        )
        if not isinstance(action, SelectRevision) or service is None or not service.by_label:
            yield action
        else:
            yield from _moved(world, status, service, action.hash)


def _moved(world: World, status: RolloutStatus, service: Service, hash_: str) -> Iterator[Action]:
    """Yield the next writes by which a Service leads to a revision alone."""
    target = world.observed.replica_sets.get(hash_)
    if target is None:
        return
    if service.keeps_key:
        # Our key of before is taken out, once the pods that it leads to have the label, alone.
        yield from _kept_to(world, service, target.as_revision) or [ReleaseService(service.name)]
        return
    missing = list(_given(target))
    yield from missing
    if not missing and not keeps_to_few(world, status, target):
        yield from _taken(
            each for each in world.observed.replica_sets.values() if each is not target
        )


def _kept_to(world: World, service: Service, otherwise: Revision) -> list[Action]:
    """Return what keeps the label to the pods that a Service leads to by its selector, or to others."""
    sets = world.observed.replica_sets
    led = sets.get(service.selected_hash) or world.replica_set(otherwise)
    if led is None:
        return []
    return [*_given(led)] or [*_taken(each for each in sets.values() if each is not led)]


def _given(target: ReplicaSet) -> Iterator[SetStableLabel]:
    """Yield what a revision's pods, and its next ones, lack of it."""
    lacking = [pod.name for pod in target.pods if not pod.leads]
    if lacking or not target.leads:
        yield SetStableLabel(
            target.name, tuple(lacking[:PODS_AT_ONCE]), leads=True, is_in_template=target.leads
        )


def _taken(others: Iterable[ReplicaSet]) -> Iterator[SetStableLabel]:
    """Yield what takes it from the pods of other revisions, and from their next ones."""
    for each in others:
        having = [pod.name for pod in each.pods if pod.leads]
        if having or each.leads:
            yield SetStableLabel(
                each.name, tuple(having[:PODS_AT_ONCE]), leads=False, is_in_template=not each.leads
            )
