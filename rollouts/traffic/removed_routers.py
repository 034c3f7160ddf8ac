"""
What routers have left behind that the spec names no longer: it goes, whatever the weights are.

A migration ends with the old router taken out of the spec. In the middle of a release its
canary Ingress would go on sending requests to the canary, and to that of the next release from
its first moment on, unseen. What is our own is removed; what is the user's is given back. A
TrafficSplit over a root Service with endpoints of its own rests at stable instead, as ever, for
without it the root's own pods would answer.
"""

from collections.abc import Iterator

from rollouts.model.kinds import (
    GRPC_ROUTE,
    HTTP_ROUTE,
    INGRESS,
    JSON,
    TRAFFIC_SPLIT,
    FrozenJSON,
    Kind,
    Ref,
)
from rollouts.model.route import Keep, Remove, Route, RoutingWrite, Split
from rollouts.traffic.gateway import router as gateway
from rollouts.traffic.ownership import is_going, is_ours, namespace_of, own_metadata
from rollouts.traffic.scene import Scene


def observe(scene: Scene, _wanted: Split) -> Route:
    """Return that something is left, which may be sending anything to the canary; or that nothing is."""
    if not clear(scene):
        return Route()
    return Route(exists=True, weight=None, highest=100)


def render(scene: Scene, _split: Split) -> list[RoutingWrite]:
    """Return the same writes as `clear`: the canary gets nothing by what is left."""
    return clear(scene)


def clear(scene: Scene) -> list[RoutingWrite]:
    """Return the writes after which nothing is left; none when nothing is."""
    routing = scene.spec.routing
    writes: list[RoutingWrite] = []
    if routing is None or routing.nginx is None:
        writes += (_removal(scene, INGRESS, each) for each in _owned(scene, INGRESS))
    if routing is None or routing.smi is None:
        writes += (
            each for found in _owned(scene, TRAFFIC_SPLIT) for each in _at_rest(scene, found)
        )
    if routing is None:
        kinds = (HTTP_ROUTE, GRPC_ROUTE)  # whose rules were ours is not known any more
        writes += (_removal(scene, kind, each) for kind in kinds for each in _owned(scene, kind))
    elif routing.gateway_api is None:
        writes += gateway.clear(scene)
    return writes


def _owned(scene: Scene, kind: Kind) -> Iterator[JSON]:
    for _, each in sorted(scene.of(kind).items()):
        if is_ours(each, scene.rollout) and not is_going(each):
            yield each


def _removal(scene: Scene, kind: Kind, found: FrozenJSON) -> Remove:
    ref = Ref(kind, namespace_of(scene.rollout), found["metadata"]["name"])
    return Remove(ref, found["metadata"]["uid"])


def _at_rest(scene: Scene, found: FrozenJSON) -> Iterator[RoutingWrite]:
    """Yield the write after which a TrafficSplit sends nothing to its canary, which we list last."""
    spec: JSON = found.get("spec") or {}
    services = [str(each.get("service")) for each in spec.get("backends") or []]
    if len(services) != 2 or services[0] == spec.get("service"):
        yield _removal(scene, TRAFFIC_SPLIT, found)
        return
    stable, canary = services
    backends = [{"service": stable, "weight": 100}, {"service": canary, "weight": 0}]
    if spec["backends"] != backends and TRAFFIC_SPLIT in scene.served:
        body = {
            "apiVersion": f"{TRAFFIC_SPLIT.group}/{scene.served[TRAFFIC_SPLIT]}",
            "kind": TRAFFIC_SPLIT.name,
            "metadata": own_metadata(found["metadata"]["name"], scene.rollout),
            "spec": {"service": spec["service"], "backends": backends},
        }
        yield Keep(TRAFFIC_SPLIT, body)
