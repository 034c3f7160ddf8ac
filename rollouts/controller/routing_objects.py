"""The routing objects around a Rollout, as its routers see them. Reads caches only."""

from collections.abc import Iterator

from rollouts.model.kinds import CRD, JSON, SERVICE, FrozenJSON, Kind, Ref, served_version
from rollouts.model.spec import RolloutSpec
from rollouts.ports import Reads
from rollouts.traffic.context import RoutingContext
from rollouts.traffic.router import RoutingKind
from rollouts.traffic.routers import ROUTERS
from rollouts.traffic.shapes import metadata_only, shape_error


def routing_context(cluster: Reads, rollout: FrozenJSON, spec: RolloutSpec) -> RoutingContext:
    """Return the objects of all the kinds that routers read and write, of those that a spec had before, too."""
    namespace = rollout["metadata"]["namespace"]
    read = list(_read(spec))
    objects = {
        kind: {
            each["metadata"]["name"]: each
            for each in cluster.select(kind, namespace if kind.is_namespaced else "")
        }
        for kind in (SERVICE, *(each.kind for each in read))
    }
    unreadable = dict(_unreadable(objects, read))
    for ref in unreadable:
        objects[ref.kind][ref.name] = metadata_only(objects[ref.kind][ref.name])
    refused = {each.kind: cluster.refusal(each.kind, namespace) for each in read}
    return RoutingContext(
        spec,
        rollout,
        objects,
        dict(_served(cluster, read)),
        unreadable,
        {kind: why for kind, why in refused.items() if why},
    )


def _unreadable(
    objects: dict[Kind, dict[str, JSON]], read: list[RoutingKind]
) -> Iterator[tuple[Ref, str]]:
    """Yield the objects that no router could read, each with what is wrong in it."""
    for each in read:
        for name, found in objects[each.kind].items() if each.shape else ():
            why = shape_error(found, each.shape)
            if why:
                yield Ref(each.kind, found["metadata"]["namespace"], name), why


def _read(spec: RolloutSpec) -> Iterator[RoutingKind]:
    """Yield what routers write, and what those read besides that the spec names."""
    for router in ROUTERS:
        is_named = spec.router(router.spec) is not None
        yield from (each for each in router.kinds if each.is_written or is_named)


def _served(cluster: Reads, read: list[RoutingKind]) -> Iterator[tuple[Kind, str]]:
    """Yield the version of each that is served, of those that come with a CRD."""
    for each in read:
        crd = cluster.get(Ref(CRD, "", each.kind.crd_name)) if each.versions else None
        version = served_version(crd, each.versions) if crd is not None else None
        if version is not None:
            yield each.kind, version
