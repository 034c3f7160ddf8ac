"""What is a Rollout's own among the routing objects, whatever its spec says now; and its removal."""

from collections.abc import Iterator

from rollouts.model.kinds import JSON, FrozenJSON, Kind, Ref
from rollouts.model.route import Remove, RoutingWrite
from rollouts.traffic.ownership import is_going, is_ours, namespace_of
from rollouts.traffic.scene import Scene


def owned(scene: Scene, kind: Kind) -> Iterator[JSON]:
    """Yield the Rollout's own objects of a kind that are there to stay, by name."""
    for _, each in sorted(scene.of(kind).items()):
        if is_ours(each, scene.rollout) and not is_going(each):
            yield each


def removal(scene: Scene, kind: Kind, found: FrozenJSON) -> Remove:
    """Return what removes one of the Rollout's own objects."""
    ref = Ref(kind, namespace_of(scene.rollout), found["metadata"]["name"])
    return Remove(ref, found["metadata"]["uid"])


def removals(scene: Scene, kind: Kind) -> list[RoutingWrite]:
    """Return what removes all of the Rollout's own objects of a kind."""
    return [removal(scene, kind, each) for each in owned(scene, kind)]
