"""
A mirror route as the annotation `mirror-target` of the user's own Ingress.

It is the one field of the user's object that the nginx router writes, because ingress-nginx
ignores every annotation of a canary Ingress but those of the canary itself. It is ours when
it names the canary Service; it is taken away with the mirror route, and never written over
one of the user's own.

Facts, from ingress-nginx's annotation parser and template: the copy goes to the URL as
`proxy_pass` reads it, so that `$request_uri` is the request's path and query, and makes nginx
look the name up anew; its Host is the URL's, or `mirror-host`; its body is the request's,
unless `mirror-request-body: "off"`. A mirror holds for every path of its Ingress.
"""

import re
from collections.abc import Iterator, Mapping

from rollouts.model.finding import Finding
from rollouts.model.kinds import JSON, SERVICE, FrozenJSON, Ref
from rollouts.model.route import Change, Split
from rollouts.model.routers.nginx import INGRESS, NginxRouting
from rollouts.model.spec import RolloutSpec
from rollouts.traffic.context import RoutingContext
from rollouts.traffic.nginx.ingresses import (
    annotation,
    default_service,
    is_canary,
    paths,
    rules_to,
    services,
)
from rollouts.traffic.ownership import is_terminating, namespace_of

KEY = "mirror-target"
_HTTP_PORT = 80


def changes(context: RoutingContext, split: Split) -> list[Change]:
    """Return the changes after which the user's Ingresses mirror as `split` says, and no others."""
    prefix, found = context.settings_of(NginxRouting).annotation_prefix, []
    for name, ingress in sorted(context.of(INGRESS).items()):
        now = annotation(ingress, prefix, KEY)
        wanted = _wanted(context, name, ingress, split)
        if now == wanted or (now is not None and not is_ours(context, now)):
            continue
        metadata: JSON = {"annotations": {f"{prefix}/{KEY}": wanted}}
        version = ingress["metadata"].get("resourceVersion")
        if version is not None:
            metadata["resourceVersion"] = version
        ref = Ref(INGRESS, namespace_of(context.rollout), name)
        found.append(Change(ref, {"metadata": metadata}))
    return found


def exists(context: RoutingContext) -> bool:
    """Return whether any Ingress mirrors to our canary."""
    prefix = context.settings_of(NginxRouting).annotation_prefix
    values = (annotation(each, prefix, KEY) for each in context.of(INGRESS).values())
    return any(value is not None and is_ours(context, value) for value in values)


def routes_match(context: RoutingContext, wanted: Split) -> bool:
    """Return whether the Ingresses mirror as `wanted` says."""
    prefix = context.settings_of(NginxRouting).annotation_prefix
    for name, ingress in context.of(INGRESS).items():
        now, target = annotation(ingress, prefix, KEY), _wanted(context, name, ingress, wanted)
        ours = now is not None and is_ours(context, now)
        if is_terminating(ingress):
            continue
        if (target is not None and now != target) or (target is None and ours):
            return False
    return not mirrors(wanted) or any(
        _target(context, ingress) for ingress in _stable(context).values()
    )


def mirrors(split: Split) -> bool:
    """Return whether anything is to be mirrored."""
    return not split.cut_off and any(route.percentage != 0 for route in split.mirrors)


def is_ours(context: RoutingContext, value: str) -> bool:
    """Return whether a mirror-target names the canary Service."""
    return bool(re.match(rf"{re.escape(_host(context))}(:|/|\$|$)", value))


def findings(context: RoutingContext) -> Iterator[Finding]:
    """Yield what is in the way of the mirror routes that some step sets."""
    spec, prefix = context.spec, context.settings_of(NginxRouting).annotation_prefix
    if not any(step.set_mirror_route is not None for step in spec.steps):
        return
    for name, ingress in sorted(_stable(context).items()):
        now = annotation(ingress, prefix, KEY)
        if now is not None and not is_ours(context, now):
            yield Finding(
                "error",
                "MirrorTargetTaken",
                (
                    f"Ingress {name} mirrors to {now} already, and ingress-nginx mirrors to one place only;"
                    f" take its annotation {KEY} away, or setMirrorRoute out of the steps"
                ),
            )
        others = {each for each in (*services(ingress), default_service(ingress)) if each}
        others.discard(str(spec.stable_service))
        if others:
            yield Finding(
                "error",
                "MirrorCoversOthers",
                (
                    f"Ingress {name} leads to {', '.join(sorted(others))} too, and ingress-nginx would mirror"
                    f" those requests as well; give {spec.stable_service} an Ingress of its own"
                ),
            )
        if _port(context, ingress) is None and any(rules_to(ingress, spec.stable_service)):
            yield Finding(
                "error",
                "MirrorPortUnknown",
                (
                    f"Ingress {name} names a port of Service {spec.stable_service} that the Service does not"
                    " have; correct one of them"
                ),
            )


def _wanted(context: RoutingContext, name: str, ingress: FrozenJSON, split: Split) -> str | None:
    if name not in context.settings_of(NginxRouting).stable_ingresses or not mirrors(split):
        return None
    return _target(context, ingress)


def _stable(context: RoutingContext) -> Mapping[str, JSON]:
    """Return the stable Ingresses that are there."""
    named = context.settings_of(NginxRouting).stable_ingresses
    return {
        name: each
        for name, each in context.of(INGRESS).items()
        if name in named
        and not is_terminating(each)
        and not is_canary(each, context.settings_of(NginxRouting).annotation_prefix)
    }


def _host(context: RoutingContext) -> str:
    service, namespace = context.spec.canary_service, namespace_of(context.rollout)
    return f"http://{service}.{namespace}.svc.cluster.local"


def _target(context: RoutingContext, ingress: FrozenJSON) -> str | None:
    """Return the URL of the canary Service; None when the Ingress does not lead to its port."""
    port = _port(context, ingress)
    if port is None:
        return None
    return f"{_host(context)}{'' if port == _HTTP_PORT else f':{port}'}$request_uri"


def _port(context: RoutingContext, ingress: FrozenJSON) -> int | None:
    """Return the port of the first path that leads to the stable Service."""
    for rule in rules_to(ingress, context.spec.stable_service):
        port = paths(rule)[0]["backend"]["service"].get("port") or {}
        number = port.get("number")
        return int(number) if number is not None else _named(context, str(port.get("name")))
    return None


def _named(context: RoutingContext, name: str) -> int | None:
    """Return the number of a port by its name, as the canary Service or the stable one says."""
    for service in _services(context.spec):
        found: JSON = context.of(SERVICE).get(service) or {}
        for port in (found.get("spec") or {}).get("ports") or []:
            if port.get("name") == name:
                return int(port["port"])
    return None


def _services(spec: RolloutSpec) -> tuple[str, ...]:
    return tuple(each for each in (spec.canary_service, spec.stable_service) if each is not None)
