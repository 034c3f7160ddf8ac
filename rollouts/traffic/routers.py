"""
All the routers that a Rollout names, as one: what they say together, and what each has to write.

They move together. Forward, a weight counts when all of them have it (the last to confirm
decides); back, each is written at once.

Of a kind of router that the spec names no longer nothing stays, whatever the weights are. A
migration ends with the old router taken out of the spec. In the middle of a release its routing
objects would go on sending requests to the canary, and to that of the next release from its first
moment on, unseen. What is our own is removed; what is the user's is given back.
"""

from collections.abc import Iterator

from rollouts.model.finding import Finding
from rollouts.model.kinds import Kind
from rollouts.model.route import Change, Route, RoutingWrite, Split
from rollouts.model.spec import RolloutSpec
from rollouts.model.truncation import truncated
from rollouts.traffic.context import RoutingContext
from rollouts.traffic.gateway.router import GatewayRouter
from rollouts.traffic.nginx.router import NginxRouter
from rollouts.traffic.router import Counters, Exporter, Router, RoutingKind
from rollouts.traffic.smi import SMIRouter

ROUTERS: tuple[Router, ...] = (NginxRouter(), SMIRouter(), GatewayRouter())
"""The one first whose writes take effect most certainly."""


def observe(context: RoutingContext, wanted: Split) -> Route:
    """Return what all routing objects say now; nothing at all without a router."""
    routes = [_observed(router, context, wanted) for router in _named(context)]
    unreadable = tuple(_unreadable(context))
    if unreadable or any(
        _removed_routers_writes(context)
    ):  # which may be sending anything to the canary
        unseen = Route(
            exists=True, weight=None, highest=100, findings=unreadable, is_unseen=bool(unreadable)
        )
        routes.insert(0, unseen)
    if len(routes) < 2:
        return routes[0] if routes else Route()
    weights = {route.weight for route in routes}
    weight = weights.pop() if len(weights) == 1 else None
    written = [route.written if route.weight is None else {route.weight} for route in routes]
    return Route(
        exists=any(route.exists for route in routes),
        weight=weight,
        highest=max(route.highest for route in routes),
        intact=all(route.intact for route in routes),
        routes_match=all(route.routes_match for route in routes),
        findings=tuple(finding for route in routes for finding in route.findings),
        written=frozenset().union(*written) if weight is None else frozenset(),
        unconfirmed=tuple(each for route in routes for each in route.unconfirmed),
        by_pods=any(route.by_pods for route in routes),
        stays=any(route.stays for route in routes),
        other_services=frozenset().union(*(route.other_services for route in routes)),
        is_unseen=any(route.is_unseen for route in routes),
        is_cut=any(route.is_cut for route in routes)
        and all(route.is_cut or route.highest == 0 for route in routes),
    )


def render(context: RoutingContext, split: Split) -> list[RoutingWrite]:
    """Return the writes after which every route says `split`, and nothing is left of other routers."""
    writes = [write for router in _named(context) for write in router.render(context, split)]
    return _writable(context, [*writes, *_removed_routers_writes(context)])


def clear(context: RoutingContext) -> list[RoutingWrite]:
    """Return the writes after which the routes are as they were before the first rollout."""
    writes = [write for router in _named(context) for write in router.clear(context)]
    return _writable(context, [*writes, *_removed_routers_writes(context)])


def kinds() -> Iterator[RoutingKind]:
    """Yield every kind of object that some router reads."""
    return (each for router in ROUTERS for each in router.kinds)


def written_kinds() -> list[Kind]:
    """Return the kinds of routing objects, of which a router may make or change some."""
    return [each.kind for each in kinds() if each.is_written]


def counters_of(spec: RolloutSpec) -> Counters:
    """
    Return what the data plane counts, of a router that is named.

    Raises:
        LookupError: none of them counts.
    """
    for router in ROUTERS:
        if router.counters is not None and spec.router(router.spec) is not None:
            return router.counters
    raise LookupError("no router of the spec counts requests")


def exporter_of(spec: RolloutSpec) -> Exporter | None:
    """Return where the counters of `counters_of` can be read; None: nobody shows them."""
    for router in ROUTERS:
        if router.counters is not None and spec.router(router.spec) is not None:
            return router.exporter
    return None


def _observed(router: Router, context: RoutingContext, wanted: Split) -> Route:
    """Return what a router's objects say; anything may be so of what can't be seen."""
    refused = tuple(_refused(router, context))
    if refused:
        return Route(exists=True, weight=None, highest=100, findings=refused, is_unseen=True)
    return router.observe(context, wanted)


def _refused(router: Router, context: RoutingContext) -> Iterator[Finding]:
    """Yield which of the kinds that a router has to write here may not be read."""
    settings = context.settings_of(router.spec)
    unnamed = set(settings.lists.values()) - {kind for kind, _ in settings.named()}
    for each in router.kinds:
        if each.is_written and each.kind not in unnamed and each.kind in context.refused:
            yield Finding(
                "error",
                "RoutesForbidden",
                (
                    f"the controller may not read {each.kind.plural}, and does not see where requests go"
                    f" ({truncated(context.refused[each.kind])}); give it the permissions of the chart,"
                    " and it goes on by itself"
                ),
            )


def _unreadable(context: RoutingContext) -> Iterator[Finding]:
    """Yield what is wrong with objects of the user's that the spec names; our own is written anew."""
    for ref, why in context.unreadable.items():
        if ref.name in context.spec.users_objects(ref.kind):
            yield Finding(
                "error",
                "RouteUnreadable",
                f"{ref.kind} {ref.name} can't be read: {why}; correct it, and see which CRD let it through",
            )


def _writable(context: RoutingContext, writes: list[RoutingWrite]) -> list[RoutingWrite]:
    """Return the writes without changes of what can't be read: the note of how it was would be lost."""
    return [
        each
        for each in writes
        if not isinstance(each, Change) or each.ref not in context.unreadable
    ]


def _named(context: RoutingContext) -> Iterator[Router]:
    return (router for router in ROUTERS if context.names(router.spec))


def _removed_routers_writes(context: RoutingContext) -> Iterator[RoutingWrite]:
    """Yield what takes away what is left of routers that the spec does not name."""
    for router in ROUTERS:
        if not context.names(router.spec):
            yield from router.clear(context)
