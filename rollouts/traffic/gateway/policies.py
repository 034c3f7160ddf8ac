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

from rollouts.model.finding import Finding
from rollouts.model.kinds import JSON, SERVICE, FrozenJSON, Kind
from rollouts.model.spec import RolloutSpec
from rollouts.model.unchecked_json import items, mapping
from rollouts.traffic.context import RoutingContext
from rollouts.traffic.gateway.routes import KINDS, named
from rollouts.traffic.ownership import canary_name, group_of, is_terminating
from rollouts.traffic.router import RoutingKind

SECURITY_POLICY = Kind("gateway.envoyproxy.io", "v1alpha1", "securitypolicies", "SecurityPolicy")
TRAFFIC_POLICY = Kind("gateway.kgateway.dev", "v1alpha1", "trafficpolicies", "TrafficPolicy")
AUTH_POLICY = Kind("kuadrant.io", "v1", "authpolicies", "AuthPolicy")
BACKEND_TLS_POLICY = Kind(
    "gateway.networking.k8s.io", "v1", "backendtlspolicies", "BackendTLSPolicy"
)
GCP_BACKEND_POLICY = Kind("networking.gke.io", "v1", "gcpbackendpolicies", "GCPBackendPolicy")
HEALTH_CHECK_POLICY = Kind("networking.gke.io", "v1", "healthcheckpolicies", "HealthCheckPolicy")
_OF_ROUTES = (SECURITY_POLICY, TRAFFIC_POLICY, AUTH_POLICY)
_OF_SERVICES = (BACKEND_TLS_POLICY, GCP_BACKEND_POLICY, HEALTH_CHECK_POLICY)
_TARGETS = ("metadata", "spec.targetRef", "spec.targetRefs", "spec.targetSelectors")

POLICIES = {
    SECURITY_POLICY: ("v1alpha1",),
    TRAFFIC_POLICY: ("v1alpha1",),
    AUTH_POLICY: ("v1", "v1beta3"),
    BACKEND_TLS_POLICY: ("v1", "v1alpha3"),
    GCP_BACKEND_POLICY: ("v1",),
    HEALTH_CHECK_POLICY: ("v1",),
}
"""The policies that are attached to routes and Services by name, and their versions, the best first."""
READ = tuple(
    RoutingKind(kind, versions, is_written=False, fields=_TARGETS)
    for kind, versions in POLICIES.items()
)


def findings(context: RoutingContext) -> Iterator[Finding]:
    """Yield the policies of routes and Services that would not hold for the canary's."""
    for kind in _OF_SERVICES:
        yield from _of_services(context, kind)
    if not _needs_own_route(context.spec):
        return
    for kind in _OF_ROUTES:
        for route_kind in KINDS:
            for name in named(context, route_kind):
                yield from _of_route(context, kind, route_kind, name)


def _all(context: RoutingContext, kind: Kind) -> dict[str, JSON]:
    """Return the objects of a kind that are there to stay, by name."""
    return {name: each for name, each in context.of(kind).items() if not is_terminating(each)}


def _needs_own_route(spec: RolloutSpec) -> bool:
    """Return whether some step sets a route that is one of our own."""
    return any(
        (step.set_header_route is not None and step.set_header_route.match)
        or (step.set_mirror_route is not None and step.set_mirror_route.match)
        for step in spec.steps
    )


def _of_route(
    context: RoutingContext, kind: Kind, route_kind: Kind, name: str
) -> Iterator[Finding]:
    own = canary_name(name, context.rollout, _all(context, route_kind))
    if _attached(context, kind, route_kind, own) or _selected(context, kind, route_kind, name):
        return
    for policy in _attached(context, kind, route_kind, name):
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


def _of_services(context: RoutingContext, kind: Kind) -> Iterator[Finding]:
    stable, canary = str(context.spec.stable_service), str(context.spec.canary_service)
    if _attached(context, kind, SERVICE, canary):
        return
    for policy in _attached(context, kind, SERVICE, stable):
        yield Finding(
            "error",
            "PolicyMissesCanaryService",
            (
                f"{kind} {policy} is attached to Service {stable} and not to {canary}: the canary's requests would"
                f" go without it; name {canary} in a {kind} too"
            ),
            needs=(kind,),
        )


def _attached(context: RoutingContext, kind: Kind, target: Kind, wanted: str) -> list[str]:
    """Return the names of the policies of a kind that name this object, sorted."""
    return sorted(
        name
        for name, policy in _all(context, kind).items()
        if any(_means(ref, target, wanted) for ref in _targets(policy))
    )


def _selected(context: RoutingContext, kind: Kind, target: Kind, name: str) -> bool:
    """Return whether a policy selects a route by labels, and with it ours, which has the same."""
    route = _all(context, target).get(name, {})
    labels = mapping(mapping(route.get("metadata")).get("labels"))
    return any(
        selector.get("kind") == target.name
        and not selector.get("matchExpressions")
        and mapping(selector.get("matchLabels")).items() <= labels.items()
        for policy in _all(context, kind).values()
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
