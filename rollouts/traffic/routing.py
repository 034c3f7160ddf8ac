"""
All the routers that a Rollout names, as one: what they say together, and what each has to write.

They move together. Forward, a weight counts when all of them have it (the last to confirm
decides); back, each is written at once. Of a kind of router that the spec names no longer
nothing stays.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rollouts.model.route import Route, RoutingWrite, Split
from rollouts.traffic import removed_routers, smi
from rollouts.traffic.gateway import router as gateway
from rollouts.traffic.nginx import router as nginx
from rollouts.traffic.scene import Scene


@dataclass(frozen=True, slots=True)
class Router:
    """One kind of router; each of these is pure."""

    observe: Callable[[Scene, Split], Route]
    """What its objects say, and whether they have the header and mirror routes of the split."""
    render: Callable[[Scene, Split], list[RoutingWrite]]
    """The writes after which its objects say the split; never to an object of somebody else's."""
    clear: Callable[[Scene], list[RoutingWrite]]
    """The writes after which nothing is left of a rollout."""


NGINX = Router(nginx.observe, nginx.render, nginx.clear)
SMI = Router(smi.observe, smi.render, smi.clear)
GATEWAY = Router(gateway.observe, gateway.render, gateway.clear)
LEFT = Router(removed_routers.observe, removed_routers.render, removed_routers.clear)


def observe(scene: Scene, wanted: Split) -> Route:
    """Return what all routing objects say now; nothing at all without a router."""
    routes = [router.observe(scene, wanted) for router in _routers(scene)]
    if len(routes) < 2:
        return routes[0] if routes else Route()
    weights = {route.weight for route in routes}
    weight = weights.pop() if len(weights) == 1 else None
    said = [route.said if route.weight is None else {route.weight} for route in routes]
    return Route(
        exists=any(route.exists for route in routes),
        weight=weight,
        highest=max(route.highest for route in routes),
        intact=all(route.intact for route in routes),
        shaped=all(route.shaped for route in routes),
        findings=tuple(finding for route in routes for finding in route.findings),
        said=frozenset().union(*said) if weight is None else frozenset(),
        waits=tuple(each for route in routes for each in route.waits),
        is_cut=any(route.is_cut for route in routes)
        and all(route.is_cut or route.highest == 0 for route in routes),
    )


def render(scene: Scene, split: Split) -> list[RoutingWrite]:
    """Return the writes after which every route says `split`."""
    return [write for router in _routers(scene) for write in router.render(scene, split)]


def clear(scene: Scene) -> list[RoutingWrite]:
    """Return the writes after which the routes are as they were before the first rollout."""
    return [write for router in _routers(scene) for write in router.clear(scene)]


def _routers(scene: Scene) -> Iterator[Router]:
    """Yield those that the spec names, the one first whose writes take effect most certainly; and what is left."""
    routing = scene.spec.routing
    if routing is not None and routing.nginx is not None:
        yield NGINX
    if routing is not None and routing.smi is not None:
        yield SMI
    if routing is not None and routing.gateway_api is not None:
        yield GATEWAY
    if removed_routers.clear(scene):
        yield LEFT
