"""
Weights in canary annotations, as ingress-nginx (and Traefik ≥ 3.7, and Higress) read them.

For each stable Ingress one canary Ingress that we own. It holds only the hosts and paths
whose backend is the stable Service. All of them move together.

Facts, from ingress-nginx's documentation of its annotations: `canary: "true"` marks it,
`canary-weight` is a whole percentage, header and cookie rules come before the weight,
and other annotations of a canary Ingress are ignored in favour of the main Ingress's.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping

from rollouts.model.kinds import INGRESS, JSON, MANAGED_BY_LABEL, FrozenJSON
from rollouts.model.route import Problem, Route
from rollouts.model.routing import NginxRouting
from rollouts.model.spec import RolloutSpec

_WHOLE_PERCENTAGE = re.compile(r"\d{1,2}|100", re.ASCII)
_LEGACY_CLASS = "kubernetes.io/ingress.class"


def name(ingress: str, rollout: str) -> str:
    """Return the name of the canary Ingress, at most 253 characters long."""
    full = f"{ingress}-{rollout}-canary"
    if len(full) <= 253:
        return full
    return f"{full[:242].rstrip('-.')}-{hashlib.sha256(full.encode()).hexdigest()[:10]}"


def render(
    spec: RolloutSpec,
    rollout: FrozenJSON,
    ingresses: Mapping[str, JSON],
    percent: int,
    *,
    cut_off: bool = False,
) -> list[JSON]:
    """
    Return the canary Ingresses that send `percent` of the requests to the canary Service.

    `ingresses` are the namespace's, by name; a stable Ingress that is absent, or has no
    rule for the stable Service, has no canary. `cut_off` leaves header and cookie rules
    out, so that nobody at all reaches the canary. Of a canary Ingress whose stable one is
    gone the rules stay; one that the spec no longer asks for is cut off.
    """
    rendered = []
    annotations = _annotations(spec.nginx, percent, cut_off)
    for own_name, stable in _expected(spec, rollout).items():
        ingress, ours = ingresses.get(stable), ingresses.get(own_name)
        rules = list(_rules(ingress, spec)) if ingress is not None else []
        if ingress is not None and rules:
            rendered.append(_canary(rollout, own_name, ingress, rules, annotations))
        elif ours is not None and _is_ours(ours, rollout):
            rendered.append(_canary(rollout, own_name, ours, _kept_rules(ours), annotations))
    nothing = _annotations(spec.nginx, 0, cut_off=True)
    for stray in owned(spec, rollout, ingresses):
        if stray not in _expected(spec, rollout):
            ours = ingresses[stray]
            rendered.append(_canary(rollout, stray, ours, _kept_rules(ours), nothing))
    return rendered


def owned(spec: RolloutSpec, rollout: FrozenJSON, ingresses: Mapping[str, JSON]) -> list[str]:
    """Return the names of the canary Ingresses that exist and are this Rollout's, strays included."""
    names = _expected(spec, rollout)
    return sorted(
        found
        for found, ingress in ingresses.items()
        if _is_ours(ingress, rollout)
        and (found in names or _is_canary(ingress, spec.nginx.annotation_prefix))
    )


def observe(spec: RolloutSpec, rollout: FrozenJSON, ingresses: Mapping[str, JSON]) -> Route:
    """Return what the canary Ingresses say now, and every trap that can be seen in the Ingresses."""
    expected = _expected(spec, rollout)
    ours = {
        found: ingresses[found]
        for found in owned(spec, rollout, ingresses)
        if not _is_going(ingresses[found])
    }
    weights = {_weight(ours[found], spec.nginx) if found in ours else None for found in expected}
    if not any(found in ours for found in expected):
        weights = {0}
    return Route(
        exists=bool(ours),
        weight=weights.pop() if len(weights) == 1 else None,
        highest=max((_reach(ingress, spec.nginx) for ingress in ours.values()), default=0),
        intact=all(_intact(spec, rollout, ingresses, ingress) for ingress in ours.values()),
        problems=tuple(_problems(spec, rollout, ingresses)),
    )


def _name(rollout: FrozenJSON) -> str:
    return str(rollout["metadata"]["name"])


def _expected(spec: RolloutSpec, rollout: FrozenJSON) -> dict[str, str]:
    """Return the stable Ingress that each of our canary Ingresses is made from, by the latter's name."""
    return {name(stable, _name(rollout)): stable for stable in spec.nginx.stable_ingresses}


def _kept_rules(ours: FrozenJSON) -> list[JSON]:
    return list((ours.get("spec") or {}).get("rules") or [])


def _canary(
    rollout: FrozenJSON,
    own_name: str,
    ingress: FrozenJSON,
    rules: list[JSON],
    annotations: dict[str, str],
) -> JSON:
    """Return the canary Ingress of this name, of the same class as `ingress`."""
    metadata = rollout["metadata"]
    legacy_class = (ingress["metadata"].get("annotations") or {}).get(_LEGACY_CLASS)
    legacy = {_LEGACY_CLASS: legacy_class} if legacy_class is not None else {}
    body: JSON = {"rules": rules}
    if (ingress.get("spec") or {}).get("ingressClassName") is not None:
        body["ingressClassName"] = ingress["spec"]["ingressClassName"]
    return {
        "apiVersion": INGRESS.api_version,
        "kind": INGRESS.name,
        "metadata": {
            "name": own_name,
            "namespace": metadata["namespace"],
            "labels": {MANAGED_BY_LABEL: metadata["name"]},
            "annotations": {**annotations, **legacy},
            "ownerReferences": [
                {
                    "apiVersion": rollout["apiVersion"],
                    "kind": rollout["kind"],
                    "name": metadata["name"],
                    "uid": metadata["uid"],
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": body,
    }


def _annotations(routing: NginxRouting, percent: int, cut_off: bool) -> dict[str, str]:
    ours = {
        f"{routing.annotation_prefix}/canary": "true",
        f"{routing.annotation_prefix}/canary-weight": str(percent),
    }
    return ours if cut_off else {**_extra(routing), **ours}


def _extra(routing: NginxRouting) -> dict[str, str]:
    return {
        key if "/" in key else f"{routing.annotation_prefix}/{key}": value
        for key, value in routing.canary_ingress_annotations.items()
    }


def _rules(ingress: FrozenJSON, spec: RolloutSpec) -> Iterator[JSON]:
    """Yield the rules with the paths that lead to the stable Service, leading to the canary's."""
    for rule in (ingress.get("spec") or {}).get("rules") or []:
        paths = [
            _to_canary(path, spec)
            for path in _paths(rule)
            if _service_of(path) == spec.stable_service
        ]
        if paths:
            yield {**({"host": rule["host"]} if rule.get("host") else {}), "http": {"paths": paths}}


def _paths(rule: FrozenJSON) -> list[JSON]:
    """Return the paths of a rule; a rule may have no `http` at all."""
    return list((rule.get("http") or {}).get("paths") or [])


def _service_of(path: FrozenJSON) -> str | None:
    """Return the Service that a path leads to; None for a resource backend."""
    service = ((path.get("backend") or {}).get("service")) or {}
    found = service.get("name")
    return str(found) if found is not None else None


def _to_canary(path: FrozenJSON, spec: RolloutSpec) -> JSON:
    service = path["backend"]["service"]
    return {**path, "backend": {"service": {**service, "name": spec.canary_service}}}


def _is_ours(ingress: FrozenJSON, rollout: FrozenJSON) -> bool:
    owners = ingress["metadata"].get("ownerReferences") or []
    return any(owner.get("uid") == rollout["metadata"]["uid"] for owner in owners)


def _is_going(ingress: FrozenJSON) -> bool:
    return ingress["metadata"].get("deletionTimestamp") is not None


def _annotation(ingress: FrozenJSON, routing_prefix: str, key: str) -> str | None:
    value = (ingress["metadata"].get("annotations") or {}).get(f"{routing_prefix}/{key}")
    return str(value) if value is not None else None


def _is_canary(ingress: FrozenJSON, prefix: str) -> bool:
    return _annotation(ingress, prefix, "canary") == "true"


def _weight(ingress: FrozenJSON, routing: NginxRouting) -> int | None:
    """Return its weight; None when it is no whole percentage, or not marked as a canary."""
    text = _annotation(ingress, routing.annotation_prefix, "canary-weight")
    if not _is_canary(ingress, routing.annotation_prefix) or text is None:
        return None
    return int(text) if _WHOLE_PERCENTAGE.fullmatch(text) else None


def _reach(ingress: FrozenJSON, routing: NginxRouting) -> int:
    """Return the most that it may send to the canary: header and cookie rules count as something."""
    weight = _weight(ingress, routing)
    if weight is None:
        return 100
    present = ingress["metadata"].get("annotations") or {}
    return max(weight, 1) if any(key in present for key in _extra(routing)) else weight


def _intact(
    spec: RolloutSpec, rollout: FrozenJSON, ingresses: Mapping[str, JSON], ingress: FrozenJSON
) -> bool:
    """Say whether it is what we would write, at whatever weight it has."""
    weight = _weight(ingress, spec.nginx)
    if weight is None:
        return False
    own_name = ingress["metadata"]["name"]
    for cut_off in (False, True):
        for wanted in render(spec, rollout, ingresses, weight, cut_off=cut_off):
            if wanted["metadata"]["name"] == own_name and _same(
                wanted, ingress, spec.nginx.annotation_prefix
            ):
                return True
    return False


def _same(wanted: FrozenJSON, found: FrozenJSON, prefix: str) -> bool:
    def canary_annotations(ingress: FrozenJSON) -> dict[str, str]:
        annotations = ingress["metadata"].get("annotations") or {}
        return {
            key: value for key, value in annotations.items() if key.startswith(f"{prefix}/canary")
        }

    extra_kept = (wanted["metadata"]["annotations"].items()) <= (
        found["metadata"].get("annotations") or {}
    ).items()
    return (
        wanted["spec"]["rules"] == found["spec"].get("rules")
        # An API server gives a class to an Ingress without one; the stable one may be older than that.
        and wanted["spec"].get("ingressClassName") in (None, found["spec"].get("ingressClassName"))
        and canary_annotations(wanted) == canary_annotations(found)
        and extra_kept
    )


def _problems(
    spec: RolloutSpec, rollout: FrozenJSON, ingresses: Mapping[str, JSON]
) -> Iterator[Problem]:
    routes: set[tuple[str, str]] = set()
    for stable in spec.nginx.stable_ingresses:
        ingress = ingresses.get(stable)
        if ingress is None or _is_going(ingress):
            yield Problem(
                "IngressNotFound",
                f"Ingress {stable} does not exist; create it, or correct stableIngresses",
            )
            continue
        rules = list(_rules(ingress, spec))
        if not rules:
            yield _no_rule(stable, ingress, spec)
        routes.update(_routes(rules))
        canary = ingresses.get(name(stable, _name(rollout)))
        if canary is not None and not _is_ours(canary, rollout):
            yield Problem(
                "CanaryIngressNotOurs",
                f"Ingress {canary['metadata']['name']} exists and is not this Rollout's; remove or rename it",
            )
        if _annotation(ingress, spec.nginx.annotation_prefix, "affinity") == "cookie" and (
            _annotation(ingress, spec.nginx.annotation_prefix, "affinity-canary-behavior")
            != "legacy"
        ):
            yield Problem(
                "CookieAffinity",
                f"Ingress {stable} has cookie affinity, which keeps users where they are whatever the weight says;"
                " set affinity-canary-behavior: legacy",
                blocking=False,
            )
    yield from _others(spec, rollout, ingresses, routes)


def _no_rule(stable: str, ingress: FrozenJSON, spec: RolloutSpec) -> Problem:
    default = _service_of({"backend": (ingress.get("spec") or {}).get("defaultBackend") or {}})
    if default == spec.stable_service:
        text = f"Ingress {stable} uses Service {default} only as its default backend; give it a rule with a path"
    else:
        services = sorted({service for service in _services(ingress) if service is not None})
        known = f"it leads to {', '.join(services)}" if services else "it leads to no Service"
        text = f"Ingress {stable} has no rule for Service {spec.stable_service}: {known}"
    return Problem("NoRuleForService", text)


def _services(ingress: FrozenJSON) -> Iterator[str | None]:
    for rule in (ingress.get("spec") or {}).get("rules") or []:
        yield from (_service_of(path) for path in _paths(rule))


def _routes(rules: Iterable[FrozenJSON]) -> Iterator[tuple[str, str]]:
    for rule in rules:
        for path in _paths(rule):
            yield str(rule.get("host") or "*"), str(path.get("path") or "/")


def _others(
    spec: RolloutSpec,
    rollout: FrozenJSON,
    ingresses: Mapping[str, JSON],
    routes: set[tuple[str, str]],
) -> Iterator[Problem]:
    """Yield what other Ingresses do to our hosts, paths and Service."""
    for found, ingress in sorted(ingresses.items()):
        if found in spec.nginx.stable_ingresses or _is_ours(ingress, rollout) or _is_going(ingress):
            continue
        if _is_canary(ingress, spec.nginx.annotation_prefix):
            shared = routes & set(_routes((ingress.get("spec") or {}).get("rules") or []))
            for host, path in sorted(shared)[:1]:
                yield Problem(
                    "SecondCanary",
                    f"Ingress {found} already is a canary of {host}{path}, and ingress-nginx honours one only;"
                    " remove it before releasing",
                )
        elif spec.stable_service in set(_services(ingress)):
            yield Problem(
                "ServiceShared",
                f"Ingress {found} leads to Service {spec.stable_service} too and gets no canary;"
                " name it in stableIngresses if it should",
                blocking=False,
            )
