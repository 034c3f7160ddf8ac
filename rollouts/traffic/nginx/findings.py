"""
What is found in Ingresses on the way of the traffic, each with the way out.

Fact, from ingress-nginx's controller (`upstreamName`) and Traefik's: a canary belongs to the
Service and port that a path leads to, and so to every path that leads there, of whatever Ingress.
"""

from collections.abc import Iterator

from rollouts.model.finding import Finding, about_field
from rollouts.model.kinds import FrozenJSON, Ref
from rollouts.model.routers.nginx import INGRESS, NginxRouting
from rollouts.model.spec import RolloutSpec
from rollouts.traffic.context import RoutingContext, leads_to
from rollouts.traffic.nginx import headers, mirror, upstream
from rollouts.traffic.nginx.ingresses import (
    default_service,
    is_canary,
    is_default_backend,
    routes,
    rules_of,
    rules_to,
    services,
)
from rollouts.traffic.ownership import canary_name, is_ours, is_terminating, namespace_of

_FIELD = "spec.strategy.canary.trafficRouting.nginx.stableIngresses"


def findings(context: RoutingContext) -> Iterator[Finding]:
    """Yield them, of the named Ingresses in the order of the spec, then of others."""
    reached: set[tuple[str, str]] = set()
    for index, stable in enumerate(context.settings_of(NginxRouting).stable_ingresses):
        field = f"{_FIELD}[{index}]"
        ingress = context.of(INGRESS).get(stable)
        if ingress is None or is_terminating(ingress):
            yield Finding(
                "error",
                "IngressNotFound",
                f"Ingress {stable} does not exist; create it, or correct stableIngresses",
                field,
                absent=Ref(INGRESS, namespace_of(context.rollout), stable),
            )
            continue
        reached.update(routes(rules_to(ingress, context.spec.stable_service)))
        yield from about_field(field, _of_stable(context, stable, ingress))
    yield from headers.findings(context.spec)
    yield from mirror.findings(context)
    yield from _others(context, reached)


def _of_stable(context: RoutingContext, stable: str, ingress: FrozenJSON) -> Iterator[Finding]:
    if not any(rules_to(ingress, context.spec.stable_service)):
        yield _no_rule(stable, ingress, context.spec)
    elif is_default_backend(ingress, context.spec.stable_service):
        yield _default(stable, context.spec)
    prefix = context.settings_of(NginxRouting).annotation_prefix
    ingresses = context.of(INGRESS)
    canary = ingresses.get(canary_name(stable, context.rollout, ingresses))
    if canary is not None and not is_ours(canary, context.rollout):
        yield Finding(
            "error",
            "CanaryIngressNotOurs",
            f"Ingress {canary['metadata']['name']} exists and is not this Rollout's; remove or rename it",
        )
    if upstream.has_affinity(ingress, prefix):
        yield _affinity(
            stable,
            legacy=upstream.behaviour(ingress, context.settings_of(NginxRouting)) == "legacy",
        )
    yield from upstream.findings(stable, ingress, prefix, context.spec.stable_service)


def _affinity(stable: str, *, legacy: bool) -> Finding:
    """Return what cookie affinity does to the weights, and to header routes."""
    text = f"Ingress {stable} has cookie affinity, which keeps users of stable there whatever a weight or header says"
    way = (
        ", and affinity-canary-behavior: legacy lets only them stay, so that the canary gets ever less; take that"
        " annotation away"
        if legacy
        else ": a weight is about new users; give each step the time for them"
    )
    return Finding("warning", "CookieAffinity", text + way)


def _no_rule(stable: str, ingress: FrozenJSON, spec: RolloutSpec) -> Finding:
    default = default_service(ingress)
    if default is not None and default == spec.stable_service:
        text = f"Ingress {stable} uses Service {default} only as its default backend; give it a rule with a path"
    else:
        known = leads_to(service for service in services(ingress) if service is not None)
        text = f"Ingress {stable} has no rule for Service {spec.stable_service}: {known}"
    return Finding("error", "NoRuleForService", text)


def _default(name: str, spec: RolloutSpec) -> Finding:
    """Return what is said of an Ingress whose default backend is the stable Service."""
    listed = name in spec.users_objects(INGRESS)
    also = "" if listed else f", and name {name} in stableIngresses"
    return Finding(
        "warning",
        "ServiceShared",
        (
            f"Ingress {name} has Service {spec.stable_service} as its default backend too, and some ingress"
            f" controllers do not split requests that no rule takes; give them a rule with a path{also}"
        ),
    )


def _others(context: RoutingContext, reached: set[tuple[str, str]]) -> Iterator[Finding]:
    """Yield what other Ingresses do to our hosts, paths and Service."""
    spec, routing = context.spec, context.settings_of(NginxRouting)
    for found, ingress in sorted(context.of(INGRESS).items()):
        if found in routing.stable_ingresses or is_ours(ingress, context.rollout):
            continue
        if is_terminating(ingress):
            continue
        if is_canary(ingress, routing.annotation_prefix):
            shared = reached & set(routes(rules_of(ingress)))
            for host, path in sorted(shared)[:1]:
                yield Finding(
                    "error",
                    "SecondCanary",
                    (
                        f"Ingress {found} already is a canary of {host}{path}, and ingress-nginx honours one only;"
                        " remove it before releasing"
                    ),
                )
        elif spec.stable_service in services(ingress):
            yield Finding(
                "warning",
                "ServiceShared",
                (
                    f"Ingress {found} leads to Service {spec.stable_service} too, and is not in stableIngresses:"
                    " ingress-nginx and Traefik split its requests as well; name it there, or give it a Service of"
                    " its own"
                ),
            )
        elif is_default_backend(ingress, spec.stable_service):
            yield _default(found, spec)
