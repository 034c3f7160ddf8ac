"""
Weights in canary annotations, as ingress-nginx (and Traefik ≥ 3.7, and Higress) read them.

For each stable Ingress one canary Ingress that we own. It holds only the hosts and paths
whose backend is the stable Service. All of them move together. Of the user's own Ingresses
nothing is ever written but a mirror's target.

Facts, from ingress-nginx's documentation of its annotations: `canary: "true"` marks it,
`canary-weight` is a whole percentage, header and cookie rules come before the weight,
and other annotations of a canary Ingress are ignored in favour of the main Ingress's, but for
those of its upstream (`rollouts.traffic.nginx.upstream`), which are copied.
"""

import re
from collections.abc import Iterator

from rollouts.model.kinds import JSON, FrozenJSON, Ref
from rollouts.model.route import Change, Keep, Remove, Route, RoutingWrite, Split
from rollouts.model.routers.nginx import INGRESS, NginxRouting
from rollouts.traffic.context import RoutingContext
from rollouts.traffic.nginx import headers, mirror
from rollouts.traffic.nginx.counters import EXPORTER, IngressCounters
from rollouts.traffic.nginx.findings import findings
from rollouts.traffic.nginx.ingresses import (
    annotation,
    annotations,
    default_service,
    is_canary,
    rules_of,
    rules_to,
    services,
)
from rollouts.traffic.nginx.upstream import (
    connection_annotations,
    keeps_canary_users,
    legacy_affinity,
)
from rollouts.traffic.ownership import (
    canary_name,
    is_ours,
    is_terminating,
    namespace_of,
    own_metadata,
)
from rollouts.traffic.removal import removals
from rollouts.traffic.router import Router, RoutingKind

_WHOLE_PERCENTAGE = re.compile(r"\d{1,2}|100", re.ASCII)
_LEGACY_CLASS = "kubernetes.io/ingress.class"
_CUT_OFF = Split(cut_off=True)


class NginxRouter(Router):
    """Canary Ingresses, as ingress-nginx reads them."""

    spec = NginxRouting
    kinds = (RoutingKind(INGRESS, gone_is_stable=True),)
    counters = IngressCounters()
    exporter = EXPORTER

    def observe(self, context: RoutingContext, wanted: Split) -> Route:
        """Return what the canary Ingresses say now, and everything that is found in the Ingresses."""
        expected, routing = _expected(context), context.settings_of(NginxRouting)
        ours = {name: each for name, each in _owned(context).items() if not is_terminating(each)}
        weights = {_weight(ours[name], routing) if name in ours else None for name in expected}
        if not any(name in ours for name in expected):
            weights = {0}
        written = frozenset(each for each in weights if each is not None and len(weights) > 1)
        mirrored = mirror.exists(context)
        return Route(
            exists=bool(ours) or mirrored,
            weight=weights.pop() if len(weights) == 1 else None,
            highest=max([int(mirrored), *(_reach(each, routing) for each in ours.values())]),
            intact=all(_intact(context, each, wanted) for each in ours.values()),
            routes_match=_routes_match(context, ours, wanted)
            and mirror.routes_match(context, wanted),
            findings=tuple(findings(context)),
            written=written,
            other_services=frozenset(_other_services(context)),
        )

    def render(self, context: RoutingContext, split: Split) -> list[RoutingWrite]:
        """
        Return the writes after which the canary Ingresses say `split`.

        A stable Ingress that is absent, or has no rule for the stable Service, has no canary.
        `cut_off` leaves header and cookie rules out, so that nobody at all reaches the canary; what
        else the user wants in a canary Ingress stays as long as that does. Of a canary Ingress whose stable one is gone the rules stay; one that the spec no longer
        asks for is cut off. One of that name that is somebody else's is left alone.
        """
        bodies = list(_canaries(context, split))
        keeps = [Keep(INGRESS, body) for body in bodies]
        extra = (_without_foreign_annotations(context, body) for body in bodies)
        return [*keeps, *(each for each in extra if each), *mirror.changes(context, split)]

    def clear(self, context: RoutingContext) -> list[RoutingWrite]:
        """
        Return the writes that leave the user's Ingresses as if no rollout had ever been.

        Where the spec does not name them any more, only what is our own goes: what the annotations
        were called is not known.
        """
        if not context.names(NginxRouting):
            return removals(context, INGRESS)
        removed = [
            Remove(Ref(INGRESS, namespace_of(context.rollout), name), each["metadata"]["uid"])
            for name, each in _owned(context).items()
        ]
        return [*removed, *mirror.changes(context, _CUT_OFF)]


def _other_services(context: RoutingContext) -> Iterator[str]:
    """Yield the Services that the user's Ingresses lead to, beside the two of the spec."""
    named = (None, context.spec.stable_service, context.spec.canary_service)
    for name in context.settings_of(NginxRouting).stable_ingresses:
        ingress = context.of(INGRESS).get(name)
        found = (*services(ingress), default_service(ingress)) if ingress is not None else ()
        yield from (each for each in found if each is not None and each not in named)


def _expected(context: RoutingContext) -> dict[str, str]:
    """Return the stable Ingress that each of our canary Ingresses is made from, by the latter's name."""
    names, found = context.settings_of(NginxRouting).stable_ingresses, context.of(INGRESS)
    return {canary_name(stable, context.rollout, found): stable for stable in names}


def _owned(context: RoutingContext) -> dict[str, JSON]:
    """Return the canary Ingresses that exist and are this Rollout's, orphans included."""
    names, prefix = _expected(context), context.settings_of(NginxRouting).annotation_prefix
    return {
        name: each
        for name, each in sorted(context.of(INGRESS).items())
        if is_ours(each, context.rollout) and (name in names or is_canary(each, prefix))
    }


def _canaries(context: RoutingContext, split: Split) -> Iterator[JSON]:
    """Yield the canary Ingresses as they are to be."""
    ingresses, expected = context.of(INGRESS), _expected(context)
    for name, stable in expected.items():
        ingress, present = ingresses.get(stable), ingresses.get(name)
        if present is not None and not is_ours(present, context.rollout):
            continue
        rules = list(_rules(context, ingress)) if ingress is not None else []
        if ingress is not None and rules:
            yield _canary(context, name, ingress, rules, split)
        elif present is not None:
            yield _canary(context, name, present, rules_of(present), split)
    for name, orphan in _owned(context).items():
        if name not in expected:
            yield _canary(context, name, orphan, rules_of(orphan), _CUT_OFF)


def _canary(
    context: RoutingContext, name: str, like: FrozenJSON, rules: list[JSON], split: Split
) -> JSON:
    """Return the canary Ingress of this name, of the same class as `like`, and to a Service as its own."""
    routing = context.settings_of(NginxRouting)
    prefix = routing.annotation_prefix
    legacy_class = annotations(like).get(_LEGACY_CLASS)
    legacy = {_LEGACY_CLASS: legacy_class} if legacy_class is not None else {}
    body: JSON = {"rules": rules}
    if (like.get("spec") or {}).get("ingressClassName") is not None:
        body["ingressClassName"] = like["spec"]["ingressClassName"]
    return {
        "apiVersion": INGRESS.api_version,
        "kind": INGRESS.name,
        "metadata": {
            **own_metadata(name, context.rollout),
            "annotations": {
                **connection_annotations(like, prefix),
                **_annotations(routing, split),
                **(legacy_affinity(like, prefix) if split.cut_off else {}),
                **legacy,
            },
        },
        "spec": body,
    }


def _rules(context: RoutingContext, ingress: FrozenJSON) -> Iterator[JSON]:
    """Yield the rules with the paths that lead to the stable Service, leading to the canary's."""
    for rule in rules_to(ingress, context.spec.stable_service):
        paths = [_to_canary(context, path) for path in rule["http"]["paths"]]
        yield {**rule, "http": {"paths": paths}}


def _to_canary(context: RoutingContext, path: FrozenJSON) -> JSON:
    service = path["backend"]["service"]
    return {**path, "backend": {"service": {**service, "name": context.spec.canary_service}}}


def _annotations(routing: NginxRouting, split: Split) -> dict[str, str]:
    prefix = routing.annotation_prefix
    ours = {f"{prefix}/canary": "true", f"{prefix}/canary-weight": str(split.percent)}
    extra = routing.extra
    if split.cut_off:
        return {**{key: value for key, value in extra.items() if not _sends(key)}, **ours}
    header = headers.header_annotations(split.headers)
    return {**extra, **{f"{prefix}/{key}": value for key, value in header.items()}, **ours}


def _sends(key: str) -> bool:
    """Return whether an annotation sends requests to the canary whatever its weight is."""
    return key.rpartition("/")[2].startswith(headers.RULE)


def _without_foreign_annotations(context: RoutingContext, body: FrozenJSON) -> Change | None:
    """
    Return what takes away annotations of the canary or its upstream that are not to be there.

    A server-side apply would leave those that somebody else wrote.
    """
    metadata = body["metadata"]
    present = context.of(INGRESS).get(metadata["name"])
    if present is None:
        return None
    found = _of_canary(present, context.settings_of(NginxRouting).annotation_prefix)
    foreign = [key for key in found if key not in metadata["annotations"]]
    if not foreign:
        return None
    ref = Ref(INGRESS, metadata["namespace"], metadata["name"])
    return Change(ref, {"metadata": {"annotations": dict.fromkeys(foreign)}})


def _weight(ingress: FrozenJSON, routing: NginxRouting) -> int | None:
    """Return its weight; None when it is no whole percentage, or not marked as a canary."""
    text = annotation(ingress, routing.annotation_prefix, "canary-weight")
    if not is_canary(ingress, routing.annotation_prefix) or text is None:
        return None
    return int(text) if _WHOLE_PERCENTAGE.fullmatch(text) else None


def _reach(ingress: FrozenJSON, routing: NginxRouting) -> int:
    """
    Return the most that it may send to the canary.

    Header and cookie rules, and users who stay there, count as something.
    """
    weight, prefix = _weight(ingress, routing), routing.annotation_prefix
    if weight is None:
        return 100
    read = (f"{prefix}/", *routing.extra)
    reaching = any(_sends(key) and key.startswith(read) for key in annotations(ingress))
    return max(weight, 1) if reaching or keeps_canary_users(ingress, prefix) else weight


def _routes_match(context: RoutingContext, ours: dict[str, JSON], wanted: Split) -> bool:
    """Return whether those that ought to be there have the header rules of `wanted`, and no others."""
    prefix = context.settings_of(NginxRouting).annotation_prefix
    asked = _header_rules(_annotations(context.settings_of(NginxRouting), wanted), prefix)
    allowed = [asked] if wanted.headers else [asked, {}]
    return all(
        _header_rules(annotations(ours[name]), prefix) in allowed
        if name in ours
        else not wanted.headers
        for name in _expected(context)
    )


def _header_rules(found: JSON, prefix: str) -> dict[str, str]:
    """Return the header rules among annotations, by name."""
    return {key: found[key] for each in headers.RULES if (key := f"{prefix}/{each}") in found}


def _intact(context: RoutingContext, ingress: FrozenJSON, wanted: Split) -> bool:
    """Return whether it is what we would write, at whatever weight it has, with a header route or none."""
    weight = _weight(ingress, context.settings_of(NginxRouting))
    if weight is None:
        return False
    name, prefix = ingress["metadata"]["name"], context.settings_of(NginxRouting).annotation_prefix
    routes = [(route,) for route in headers.header_routes(context.spec)]
    shapes = [Split(weight, cut_off=True), Split(weight), Split(weight, wanted.headers)]
    shapes += [Split(weight, route) for route in routes]
    return any(
        body["metadata"]["name"] == name and _same(body, ingress, prefix)
        for shape in shapes
        for body in _canaries(context, shape)
    )


def _of_canary(ingress: FrozenJSON, prefix: str) -> dict[str, str]:
    """Return the annotations that say what it is to the canary, and how its upstream is made."""
    marks = {
        key: value
        for key, value in annotations(ingress).items()
        if key.startswith(f"{prefix}/canary")
    }
    return {**marks, **connection_annotations(ingress, prefix)}


def _same(wanted: FrozenJSON, found: FrozenJSON, prefix: str) -> bool:
    extra_kept = annotations(wanted).items() <= annotations(found).items()
    return (
        wanted["spec"]["rules"] == found["spec"].get("rules")
        # An API server gives a class to an Ingress without one; the stable one may be older than that.
        and wanted["spec"].get("ingressClassName") in (None, found["spec"].get("ingressClassName"))
        and _of_canary(wanted, prefix) == _of_canary(found, prefix)
        and extra_kept
    )
