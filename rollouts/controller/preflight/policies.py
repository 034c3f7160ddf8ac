"""
Policies that are attached by name to what is the user's, and so not to what we put beside it.

A policy that names a route, such as one that asks for a token, does not hold for the route of
our own that header and mirror routes are in: whoever sends the header would get past it. One
that names the stable Service does not hold for the canary's: its requests would go unencrypted,
unchecked or past a login. A policy that selects routes by their labels holds for ours as well,
which has the labels of the user's; one that names the Gateway holds for all.

Facts, from the Gateway API's GEP-713: a policy names what it is attached to in `targetRefs`, or
in `targetRef` by the older form, each with a group, a kind, a name, and perhaps the name of a
section; it is of the same namespace. Which kinds of policies there are is not told anywhere: these
are the ones that are known to be about who gets in, and how a backend is spoken to.
"""

from collections.abc import Iterator

from rollouts.controller.preflight.place import Place, name_of
from rollouts.model.finding import Finding
from rollouts.model.kinds import (
    AUTH_POLICY,
    BACKEND_TLS_POLICY,
    GCP_BACKEND_POLICY,
    GRPC_ROUTE,
    HEALTH_CHECK_POLICY,
    HTTP_ROUTE,
    SECURITY_POLICY,
    SERVICE,
    TRAFFIC_POLICY,
    FrozenJSON,
    Kind,
)
from rollouts.model.lenient import items, mapping
from rollouts.model.spec import RolloutSpec
from rollouts.traffic.ownership import canary_name, group_of

_OF_ROUTES = (SECURITY_POLICY, TRAFFIC_POLICY, AUTH_POLICY)
_OF_SERVICES = (BACKEND_TLS_POLICY, GCP_BACKEND_POLICY, HEALTH_CHECK_POLICY)


def policy_findings(place: Place) -> Iterator[Finding]:
    """Yield the policies of routes and Services that would not hold for the canary's."""
    routing = place.spec.routing
    routes = routing.gateway_api if routing is not None else None
    if routes is None:
        return
    for kind in _OF_SERVICES:
        yield from _of_services(place, kind)
    if not _needs_own_route(place.spec):
        return
    for kind in _OF_ROUTES:
        for name in routes.http_routes:
            yield from _of_route(place, kind, HTTP_ROUTE, name)
        for name in routes.grpc_routes:
            yield from _of_route(place, kind, GRPC_ROUTE, name)


def _needs_own_route(spec: RolloutSpec) -> bool:
    """Return whether some step sets a route that is one of our own."""
    return any(
        (step.set_header_route is not None and step.set_header_route.match)
        or (step.set_mirror_route is not None and step.set_mirror_route.match)
        for step in spec.steps
    )


def _of_route(place: Place, kind: Kind, route_kind: Kind, name: str) -> Iterator[Finding]:
    found = {name_of(each): each for each in place.all(route_kind)}
    own = canary_name(name, place.rollout, found)
    if _attached(place, kind, route_kind, own) or _selected(place, kind, route_kind, name):
        return
    for policy in _attached(place, kind, route_kind, name):
        yield Finding(
            "error",
            "PolicyMissesCanaryRoute",
            (
                f"{kind} {policy} is attached to {route_kind} {name} and not to {own}, the route that header and"
                f" mirror routes are in: requests would get past it there; name {own} in a {kind} too, or take"
                " these steps out"
            ),
            needs=(kind,),
        )


def _of_services(place: Place, kind: Kind) -> Iterator[Finding]:
    stable, canary = str(place.spec.stable_service), str(place.spec.canary_service)
    if _attached(place, kind, SERVICE, canary):
        return
    for policy in _attached(place, kind, SERVICE, stable):
        yield Finding(
            "error",
            "PolicyMissesCanaryService",
            (
                f"{kind} {policy} is attached to Service {stable} and not to {canary}: the canary's requests would"
                f" go without it; name {canary} in a {kind} too"
            ),
            needs=(kind,),
        )


def _attached(place: Place, kind: Kind, target: Kind, name: str) -> list[str]:
    """Return the names of the policies of a kind that name this object, sorted."""
    return sorted(
        name_of(policy)
        for policy in place.all(kind)
        if any(_means(ref, target, name) for ref in _targets(policy))
    )


def _selected(place: Place, kind: Kind, target: Kind, name: str) -> bool:
    """Return whether a policy selects a route by labels, and with it ours, which has the same."""
    route = place.get(target, name)
    labels = mapping(mapping((route or {}).get("metadata")).get("labels"))
    return any(
        selector.get("kind") == target.name
        and not selector.get("matchExpressions")
        and mapping(selector.get("matchLabels")).items() <= labels.items()
        for policy in place.all(kind)
        for selector in items(mapping(policy.get("spec")).get("targetSelectors"))
    )


def _targets(policy: FrozenJSON) -> list[FrozenJSON]:
    spec = mapping(policy.get("spec"))
    single = mapping(spec.get("targetRef"))
    return [*items(spec.get("targetRefs")), *([single] if single else [])]


def _means(ref: FrozenJSON, target: Kind, name: str) -> bool:
    return (
        ref.get("kind") == target.name
        and ref.get("name") == name
        and group_of(ref, target.group) == target.group
    )
