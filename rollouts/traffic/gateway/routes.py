"""The routes of the Gateway API that a Rollout has to do with: those it names, and its own."""

from collections.abc import Iterator

from rollouts.model.kinds import GROUP, JSON, FrozenJSON, Kind
from rollouts.model.routers.gateway import GRPC_ROUTE, HTTP_ROUTE
from rollouts.traffic.context import RoutingContext
from rollouts.traffic.gateway.own_route import Original
from rollouts.traffic.gateway.rules import (
    BackendPair,
    backend_ref,
    backend_refs,
    parsed_note,
    rules_of,
    with_missing_stable,
)
from rollouts.traffic.ownership import canary_name, is_ours, is_terminating, namespace_of
from rollouts.traffic.shapes import Shape

KINDS = (HTTP_ROUTE, GRPC_ROUTE)
_REF: Shape = {
    **dict.fromkeys(("group", "kind", "namespace", "name", "sectionName"), str),
    **dict.fromkeys(("port", "weight"), int),
}
_MATCH: Shape = {
    "path": {"type": str, "value": str},
    "headers": [{"name": str, "value": str, "type": str}],
}
SHAPE: Shape = {
    "spec": {
        "parentRefs": [_REF],
        "hostnames": [str],
        "rules": [
            {
                "name": str,
                "matches": [_MATCH],
                "filters": [{"type": str, "requestMirror": {"backendRef": _REF}}],
                "backendRefs": [_REF],
            }
        ],
    },
    "status": {"parents": [{"parentRef": _REF, "conditions": [{"type": str}]}]},
}
"""What is read of an HTTPRoute or a GRPCRoute."""
NOTE = f"{GROUP}/weights-"
"""Before a Rollout's name, the annotation that notes how the rules of a route were."""


def note_key(rollout: FrozenJSON) -> str:
    """Return the name of the annotation; a route may have rules of several Rollouts."""
    return f"{NOTE}{rollout['metadata']['name']}"


def backend_pair_of(context: RoutingContext) -> BackendPair:
    return BackendPair(
        str(context.spec.stable_service),
        str(context.spec.canary_service),
        namespace_of(context.rollout),
    )


def named(context: RoutingContext, kind: Kind) -> list[str]:
    """Return the names of the routes of this kind that the spec gives; none where it has other routers."""
    return context.spec.users_objects(kind)


def originals(context: RoutingContext) -> Iterator[Original]:
    """Yield the routes that the spec names and that are there, even while they are deleted."""
    for kind in KINDS:
        if kind not in context.served:
            continue
        for name in named(context, kind):
            route = context.of(kind).get(name)
            if route is not None and not is_ours(route, context.rollout):
                yield original_of(context, kind, route)


def other_services(context: RoutingContext) -> Iterator[str]:
    """Yield the Services of this namespace that the named routes lead to, beside the two of the spec."""
    pair = backend_pair_of(context)
    for each in originals(context):
        for rule in rules_of(each.route):
            names = {str(ref.get("name")) for ref in backend_refs(rule)} - {
                pair.stable,
                pair.canary,
            }
            yield from (name for name in names if backend_ref(rule, name, pair) is not None)


def original_of(context: RoutingContext, kind: Kind, route: JSON) -> Original:
    """Return a route of the user's with what there is to know about it."""
    own_name = canary_name(route["metadata"]["name"], context.rollout, context.of(kind))
    return Original(
        kind,
        with_both_backends(context, route),
        backend_pair_of(context),
        context.rollout,
        own_name,
    )


def with_both_backends(context: RoutingContext, route: FrozenJSON) -> JSON:
    """Return a route of the user's with both backends of each rule that we split, whatever somebody took out."""
    noted = (route["metadata"].get("annotations") or {}).get(note_key(context.rollout))
    rules = rules_of(route)
    found = with_missing_stable(rules, parsed_note(noted), backend_pair_of(context))
    spec = {} if found is rules else {"spec": {**route["spec"], "rules": found}}
    return {**route, **spec}


def own_routes(context: RoutingContext) -> Iterator[tuple[Kind, JSON]]:
    """Yield the routes that are the Rollout's own, and there to stay."""
    for kind in KINDS:
        for _, route in sorted(context.of(kind).items()):
            if is_ours(route, context.rollout) and not is_terminating(route):
                yield kind, route
