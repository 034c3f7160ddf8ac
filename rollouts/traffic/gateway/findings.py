"""What is found in HTTPRoutes and GRPCRoutes on the way of the traffic, each with the way out."""

from collections.abc import Iterator

from rollouts.model.finding import Finding, about_field
from rollouts.model.kinds import FrozenJSON, Kind, Ref
from rollouts.model.route import Split
from rollouts.model.routers.gateway import GRPC_ROUTE, HTTP_ROUTE
from rollouts.model.spec import RolloutSpec
from rollouts.traffic.context import RoutingContext, leads_to
from rollouts.traffic.gateway import classes, own_route, parents, policies
from rollouts.traffic.gateway.matches import Inexpressible
from rollouts.traffic.gateway.own_route import Original
from rollouts.traffic.gateway.routes import KINDS, backend_pair_of, named, original_of, own_routes
from rollouts.traffic.gateway.rules import (
    WHOLE,
    backend_ref,
    backend_refs,
    is_backend,
    original_weights_of,
    others_weight,
    rules_of,
)
from rollouts.traffic.ownership import is_ours, is_terminating, namespace_of

_MOST_BACKENDS = 16
_FIELDS = {HTTP_ROUTE: "httpRoutes", GRPC_ROUTE: "grpcRoutes"}


def findings(context: RoutingContext) -> Iterator[Finding]:
    """Yield them, of the named routes in the order of the spec, then of others."""
    for kind in KINDS:
        names = named(context, kind)
        if names and kind not in context.served:
            yield Finding(
                "error",
                "HTTPRoutesNotServed" if kind == HTTP_ROUTE else "GRPCRoutesNotServed",
                (
                    f"the cluster serves no {kind}s ({kind.api_version}); install the Gateway API, or take"
                    f" {_FIELDS[kind]} out of gatewayAPI"
                ),
                needs=(kind,),
            )
            continue
        for index, name in enumerate(names):
            field = f"spec.strategy.canary.trafficRouting.gatewayAPI.{_FIELDS[kind]}[{index}]"
            route = context.of(kind).get(name)
            if route is None or is_terminating(route):
                yield Finding(
                    "error",
                    "RouteNotFound",
                    f"{kind} {name} does not exist; create it, or correct {_FIELDS[kind]}",
                    field,
                    absent=Ref(kind, namespace_of(context.rollout), name),
                )
            else:
                yield from about_field(field, _of_route(context, original_of(context, kind, route)))
        yield from _others(context, kind)
    for kind, own in own_routes(context):
        yield from parents.findings(kind, own)
    yield from policies.findings(context)


def _of_route(context: RoutingContext, original: Original) -> Iterator[Finding]:
    kind, route, pair = original.kind, original.route, original.pair
    name = f"{kind} {route['metadata']['name']}"
    rules = rules_of(route)
    if not any(backend_ref(rule, pair.stable, pair) is not None for rule in rules):
        leads = leads_to(str(ref.get("name")) for rule in rules for ref in backend_refs(rule))
        text = (
            f"{name} has no rule for Service {pair.stable}: {leads}; let a rule lead there, or correct"
            " stableService"
        )
        yield Finding("error", "NoRuleForService", text)
    for number, rule in enumerate(rules):
        yield from _of_rule(f"rule {number} of {name}", rule, original)
    yield from parents.findings(kind, route)
    if route["metadata"].get("uid"):  # of one that is only a file yet nobody has said anything
        yield from parents.warnings(kind, route)
    yield from _of_own(context, original)
    yield from classes.findings(context, kind, route)


def _of_rule(where: str, rule: FrozenJSON, original: Original) -> Iterator[Finding]:
    pair = original.pair
    counts = [
        sum(is_backend(ref, service, pair) for ref in backend_refs(rule))
        for service in (pair.stable, pair.canary)
    ]
    if counts[0] == 0:
        if counts[1] > 0:
            yield Finding(
                "warning",
                "CanaryWithoutStable",
                (
                    f"{where} leads to Service {pair.canary} and not to {pair.stable}: its requests reach"
                    " the canary whatever the weight is, also after a rollback; add stable's Service to the rule,"
                    " or take the canary's out"
                ),
            )
        return
    if max(counts) > 1:
        twice = pair.stable if counts[0] > 1 else pair.canary
        yield Finding(
            "error",
            "ServiceListedTwice",
            f"{where} lists Service {twice} more than once; list it once",
        )
    if counts[1] == 0 and len(backend_refs(rule)) >= _MOST_BACKENDS:
        yield Finding(
            "error",
            "TooManyBackends",
            f"{where} has {_MOST_BACKENDS} backends, and there is no room for the canary; take one out",
        )
    total = original_weights_of(rule, None, pair).total
    if others_weight(rule, pair) and total < WHOLE:
        yield Finding(
            "error",
            "WeightsTooSmall",
            (
                f"{where} gives Service {pair.stable} a weight of {total} among other backends, which can't be"
                f" split by percent; multiply the weights of the rule, so that it has {WHOLE} at least"
            ),
        )


def _of_own(context: RoutingContext, original: Original) -> Iterator[Finding]:
    """Yield what is in the way of our own route, if some step needs one."""
    splits = list(_splits(context.spec))
    if not splits:
        return
    name = original.route["metadata"]["name"]
    present = context.of(original.kind).get(original.own_name)
    own_is_needed = False
    for step, split in splits:
        try:
            own_is_needed |= own_route.body(original, split) is not None
        except Inexpressible as why:
            yield Finding(
                "error", "RouteNotPossible", f"{step} can't be had on {original.kind} {name}: {why}"
            )
    if own_is_needed and present is not None and not is_ours(present, context.rollout):
        yield Finding(
            "error",
            "CanaryRouteNotOurs",
            f"{original.kind} {original.own_name} exists and is not this Rollout's; remove or rename it",
        )


def _splits(spec: RolloutSpec) -> Iterator[tuple[str, Split]]:
    """Yield every header and mirror route of the steps, by itself, at a weight."""
    for step in spec.steps:
        header, mirror = step.set_header_route, step.set_mirror_route
        if header is not None and header.match:
            yield f"setHeaderRoute {header.name}", Split(1, headers=(header,))
        if mirror is not None and (mirror.match or mirror.percentage):
            yield f"setMirrorRoute {mirror.name}", Split(1, mirrors=(mirror,))


def _others(context: RoutingContext, kind: Kind) -> Iterator[Finding]:
    """Yield the routes that lead to the stable Service as well, and are not named."""
    pair = backend_pair_of(context)
    for name, route in sorted(context.of(kind).items()):
        if name in named(context, kind) or is_ours(route, context.rollout) or is_terminating(route):
            continue
        if any(backend_ref(rule, pair.stable, pair) is not None for rule in rules_of(route)):
            yield Finding(
                "warning",
                "ServiceShared",
                (
                    f"{kind} {name} leads to Service {pair.stable} too and gets no canary; name it in"
                    f" {_FIELDS[kind]} if it should"
                ),
            )
