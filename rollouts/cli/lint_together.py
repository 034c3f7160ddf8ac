"""
What objects in the same files say about each other, and what is valid but unwise.

An object that is not in the files may still be in the cluster: that is a warning at most.
"""

import difflib
from collections.abc import Iterable, Iterator, Sequence

from rollouts.cli.lint_containers import container_remarks, probe_remarks
from rollouts.cli.positions import Document
from rollouts.cli.remarks import Remark, as_list, as_mapping
from rollouts.model.criteria import Criterion
from rollouts.model.kinds import GROUP, JSON
from rollouts.model.spec import RolloutSpec
from rollouts.model.units import format_fraction

_CANARY = "spec.strategy.canary"
_ROUTING = f"{_CANARY}.trafficRouting"


class Neighbours:
    """The objects of one namespace in all the files that are linted."""

    def __init__(self, documents: Sequence[Document], namespace: str) -> None:
        self._objects: dict[str, dict[str, JSON]] = {}
        for document in documents:
            content = document.content
            if isinstance(content, dict) and _namespace(content) == namespace:
                name = as_mapping(content.get("metadata")).get("name")
                self._objects.setdefault(str(content.get("kind")), {})[str(name)] = content

    def of_kind(self, kind: str) -> dict[str, JSON]:
        return self._objects.get(kind, {})


def _namespace(content: JSON) -> str:
    return str(as_mapping(content.get("metadata")).get("namespace") or "")


def cross_check(documents: Sequence[Document], rollout: JSON, spec: RolloutSpec) -> list[Remark]:
    """Return everything to be said about a Rollout whose spec was accepted."""
    neighbours = Neighbours(documents, _namespace(rollout))
    probes = probe_remarks(spec.template) if spec.template is not None else ()
    return [
        *_services(neighbours, spec),
        *_routes(neighbours, spec),
        *probes,
        *unwise(spec),
    ]


def unwise(spec: RolloutSpec) -> Iterator[Remark]:
    """Yield what is to be said about a spec by itself."""
    yield from container_remarks(spec.template or {})
    yield from _falling(spec)
    yield from _unused(spec)
    yield from _criteria(spec)


def _services(neighbours: Neighbours, spec: RolloutSpec) -> Iterator[Remark]:
    services = neighbours.of_kind("Service")
    if spec.stable_service is None or not services:
        return
    blue_green = spec.blue_green is not None
    field = "spec.strategy.blueGreen.activeService" if blue_green else f"{_CANARY}.stableService"
    stable = services.get(spec.stable_service)
    if stable is None:
        yield _absent("Service", spec.stable_service, services, field)
        return
    selector = as_mapping(as_mapping(stable.get("spec")).get("selector"))
    if not selector:
        yield Remark("error", field, f"Service {spec.stable_service} has no selector")
    if spec.template is None:
        return
    labels = as_mapping(as_mapping(spec.template.get("metadata")).get("labels"))
    metadata = spec.way.stable_metadata
    labels = {**labels, **(metadata.labels if metadata is not None else {})}
    wrong = [
        f"{key}: {value}"
        for key, value in selector.items()
        if not str(key).startswith(f"{GROUP}/") and labels.get(key) != value
    ]
    if wrong:
        text = f"Service {spec.stable_service} selects {', '.join(wrong)}, which the template's labels do not have"
        yield Remark("error", field, text)


def _absent(kind: str, name: str, known: Iterable[str], field: str) -> Remark:
    """Return a warning when the name looks like a slip, else a note."""
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        text = f"there is no {kind} {name} in these files; did you mean {near[0]}?"
        return Remark("warning", field, text)
    return Remark(
        "note", field, f"{kind} {name} is not in these files; it has to be in the cluster"
    )


def _routes(neighbours: Neighbours, spec: RolloutSpec) -> Iterator[Remark]:
    """Yield the Ingresses and routes that are missing, or do not lead to the stable Service."""
    routing = spec.routing
    nginx = routing.nginx if routing is not None else None
    gateway = routing.gateway_api if routing is not None else None
    for kind, field, names in (
        ("Ingress", "nginx.stableIngresses", nginx.stable_ingresses if nginx else []),
        ("HTTPRoute", "gatewayAPI.httpRoutes", gateway.http_routes if gateway else []),
        ("GRPCRoute", "gatewayAPI.grpcRoutes", gateway.grpc_routes if gateway else []),
    ):
        known = neighbours.of_kind(kind)
        for index, name in enumerate(names if known else []):
            where = f"{_ROUTING}.{field}[{index}]"
            if name not in known:
                yield _absent(kind, name, known, where)
            elif spec.stable_service not in set(_backends(known[name])):
                text = f"{kind} {name} has no rule for Service {spec.stable_service}"
                yield Remark("error", where, text)


def _backends(route: JSON) -> Iterator[str]:
    """Yield the Services that an Ingress or a route of the Gateway API leads to."""
    for rule in as_list(as_mapping(route.get("spec")).get("rules")):
        for path in as_list(as_mapping(as_mapping(rule).get("http")).get("paths")):
            service = as_mapping(as_mapping(as_mapping(path).get("backend")).get("service"))
            yield str(service.get("name"))
        for backend in as_list(as_mapping(rule).get("backendRefs")):
            if as_mapping(backend).get("kind", "Service") == "Service":
                yield str(as_mapping(backend).get("name"))


def _falling(spec: RolloutSpec) -> Iterator[Remark]:
    canary = spec.strategy.canary
    before = 0
    for index, step in enumerate(canary.steps if canary is not None else []):
        if step.set_weight is None:
            continue
        if step.set_weight < before:
            yield Remark(
                "warning",
                f"{_CANARY}.steps[{index}].setWeight",
                f"falls from {before} to {step.set_weight}: traffic goes back to stable before it goes on",
            )
        before = step.set_weight


def _unused(spec: RolloutSpec) -> Iterator[Remark]:
    canary = spec.strategy.canary
    if canary is None or canary.traffic_routing is None:
        return
    if "max_surge" in canary.model_fields_set:
        yield Remark(
            "warning",
            f"{_CANARY}.maxSurge",
            "is not used with trafficRouting, where stable keeps its size and the canary comes on top;"
            " leave it out",
        )


def _criteria(spec: RolloutSpec) -> Iterator[Remark]:
    if spec.success_criteria:
        yield from _false_alarms(spec)
        return
    yield Remark(
        "warning",
        "spec.successCriteria",
        "there are none: only crashing pods stop a bad release; add errors with errorRate: {max: 1%}",
    )


def _false_alarms(spec: RolloutSpec) -> Iterator[Remark]:
    """Yield what several criteria cost together: alpha is the promise of each by itself."""
    alphas = [one.alpha for one in spec.success_criteria if one.judged_by == "sequential"]
    usual, together = Criterion.model_fields["alpha"].default, min(1.0, sum(alphas))
    if len(alphas) < 2 or together <= usual * 1.05:  # divided already, and rounded
        return
    each = " and ".join(sorted({format_fraction(alpha) for alpha in alphas}))
    text = (
        f"{len(alphas)} criteria are judged sequentially, with alpha {each}:"
        f" up to {format_fraction(together)} of good releases are stopped;"
        f" for {format_fraction(usual)} together set alpha: {usual / len(alphas):.2g} on each"
    )
    yield Remark("note", "spec.successCriteria", text)
