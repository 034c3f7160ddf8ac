"""What is a Rollout's own among the routing objects, whatever its spec says now; and its removal."""

from collections.abc import Iterator

from rollouts.model.kinds import JSON, FrozenJSON, Kind, Ref
from rollouts.model.route import Remove, RoutingWrite
from rollouts.traffic.context import RoutingContext
from rollouts.traffic.ownership import is_ours, is_terminating, namespace_of


def owned(context: RoutingContext, kind: Kind) -> Iterator[JSON]:
    """Yield the Rollout's own objects of a kind that are there to stay, by name."""
    for _, each in sorted(context.of(kind).items()):
        if is_ours(each, context.rollout) and not is_terminating(each):
            yield each


def removal(context: RoutingContext, kind: Kind, found: FrozenJSON) -> Remove:
    """Return what removes one of the Rollout's own objects."""
    ref = Ref(kind, namespace_of(context.rollout), found["metadata"]["name"])
    return Remove(ref, found["metadata"]["uid"])


def removals(context: RoutingContext, kind: Kind) -> list[RoutingWrite]:
    """Return what removes all of the Rollout's own objects of a kind."""
    return [removal(context, kind, each) for each in owned(context, kind)]
