"""
What is wrong in what scales: HorizontalPodAutoscalers and KEDA's ScaledObjects.

An autoscaler has to scale the Rollout, which has a scale subresource. What it does to a
Deployment that was adopted, or to a ReplicaSet of ours, is undone, or undoes a release.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rollouts.controller.preflight.context import PreflightContext, listed, name_of
from rollouts.model.finding import Finding
from rollouts.model.kinds import (
    AUTOSCALER,
    DEPLOYMENT,
    GROUP,
    REPLICA_SET,
    ROLLOUT,
    SCALED_OBJECT,
    FrozenJSON,
)
from rollouts.model.owners import controller_of
from rollouts.model.unchecked_json import items, mapping
from rollouts.traffic.ownership import is_ours

_KEDA_DEFAULTS = (0, 100)
_RESOURCES = ("cpu", "memory")
AMBIGUOUS = "ScalingActive=False, AmbiguousSelector"
"""What a HorizontalPodAutoscaler says that finds a pod which another one finds too."""


@dataclass(frozen=True, slots=True)
class Scaler:
    """One autoscaler of either kind."""

    sort: str
    called: str
    group: str
    kind: str
    name: str
    """What it scales: the API group, kind and name."""
    least: int
    most: int
    demands: tuple[tuple[str, str], ...]
    """The resources whose use it compares with the pods' requests; of one container, or ""."""
    multiplied: tuple[str, ...] = ()
    """Metrics by which more pods beside the busy ones mean that more are wanted."""
    patient: bool = False
    """It is told to wait before it asks for more."""

    @property
    def title(self) -> str:
        return f"{self.sort} {self.called}"

    def scales(self, context: PreflightContext) -> bool:
        return (self.group, self.kind, self.name) == (GROUP, ROLLOUT.name, context.name)


SCALERS = (AUTOSCALER, SCALED_OBJECT)
"""The kinds that choose how many pods there are: `spec.replicas` holds only where there are none."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How few and how many pods autoscalers may choose, and which of them goes lowest."""

    least: int
    most: int
    lowest: str


def limits_of(context: PreflightContext, scalers: Sequence[Scaler]) -> Limits | None:
    """Return the limits of the Rollout's autoscalers; None when there is none."""
    ours = [scaler for scaler in scalers if scaler.scales(context)]
    if not ours:
        return None
    lowest = min(ours, key=lambda scaler: scaler.least)
    return Limits(lowest.least, max(max(each.most, each.least) for each in ours), lowest.title)


def autoscaler_findings(context: PreflightContext, scalers: Sequence[Scaler]) -> Iterator[Finding]:
    """Yield the autoscalers that can't work, or that work against each other or against us."""
    for scaler in scalers:
        wrong = _misdirected(context, scaler)
        if wrong:
            yield Finding(
                "warning",
                "AutoscalerMisdirected",
                (
                    f"{scaler.title} scales {wrong}; its scaleTargetRef has to be apiVersion"
                    f" {ROLLOUT.api_version}, kind Rollout, name {context.name}"
                ),
                needs=(DEPLOYMENT,),
            )
    ours = [scaler for scaler in scalers if scaler.scales(context)]
    for scaler in ours:
        if scaler.least > scaler.most:
            yield Finding(
                "warning",
                "AutoscalerLimits",
                (
                    f"{scaler.title} asks for at least {scaler.least} pods and at most {scaler.most}, and no"
                    " number is both; correct one of them"
                ),
            )
        yield from _unrequested(context, scaler)
        yield from _multiplying(context, scaler)
    if len(ours) > 1:
        yield Finding(
            "warning",
            "SeveralAutoscalers",
            (
                f"{listed([scaler.title for scaler in ours])} all scale this Rollout: they undo each other, or all"
                f" stop ({AMBIGUOUS}), because each finds the others' pods; keep one"
            ),
        )


def _misdirected(context: PreflightContext, scaler: Scaler) -> str:
    """Return what it scales, when that is a mistake for this Rollout."""
    target = f"{scaler.kind} {scaler.name}"
    reference = context.spec.workload_ref
    if (scaler.group, scaler.kind) == (DEPLOYMENT.group, DEPLOYMENT.name):
        adopted = reference is not None and reference.name == scaler.name
        if adopted:
            return f"{target}, whose pods this Rollout replaces"
        meant = context.name in (scaler.name, scaler.called)
        absent = meant and context.get(DEPLOYMENT, scaler.name) is None
        return f"{target}, which does not exist" if absent else ""
    if (scaler.group, scaler.kind) == (REPLICA_SET.group, REPLICA_SET.name):
        found = context.get(REPLICA_SET, scaler.name)
        ours = found is not None and is_ours(found, context.rollout)
        return f"{target}, which is one revision of this Rollout" if ours else ""
    if (scaler.kind, scaler.name) == (ROLLOUT.name, context.name) and scaler.group != GROUP:
        return f"{target} of {scaler.group or 'the core group'}, which is another kind"
    return ""


def _unrequested(context: PreflightContext, scaler: Scaler) -> Iterator[Finding]:
    for resource, container in scaler.demands:
        without = [
            str(each.get("name"))
            for each in context.containers
            if container in ("", each.get("name")) and not _requests(each, resource)
        ]
        if without:
            yield Finding(
                "warning",
                "AutoscalerNeedsRequests",
                (
                    f"{scaler.title} measures {resource} against what the pods request, and {listed(without)}"
                    f" {'requests' if len(without) == 1 else 'request'} none;"
                    f" set resources.requests.{resource}"
                ),
            )


def _multiplying(context: PreflightContext, scaler: Scaler) -> Iterator[Finding]:
    """
    Yield what goes wrong with two full fleets under one selector.

    What idle pods use as much of as busy ones, and a target of type Value, are multiplied by
    all pods that are ready ("Algorithm details" in Kubernetes' documentation of autoscaling).
    """
    if context.spec.blue_green is None or scaler.patient or not scaler.multiplied:
        return
    yield Finding(
        "warning",
        "AutoscalerCountsIdlePods",
        (
            f"{scaler.title} multiplies {listed(list(scaler.multiplied))} by all pods, of which there are up to"
            " twice as many while two revisions stand side by side; measure load (cpu, or a metric by"
            " AverageValue), or set behavior.scaleUp.stabilizationWindowSeconds to what a release takes"
        ),
    )


def _requests(container: FrozenJSON, resource: str) -> bool:
    """Return whether it requests the resource; a limit alone is a request too."""
    resources = mapping(container.get("resources"))
    return any(resource in mapping(resources.get(part)) for part in ("requests", "limits"))


def scalers_around(context: PreflightContext) -> list[Scaler]:
    """
    Return the autoscalers that have, or whose target has, a name of the Rollout's; by their names.

    One that KEDA made counts as its ScaledObject.
    """
    return _scalers(context, lambda found: _may_be_meant(context, found))


def scalers_of_others(context: PreflightContext) -> list[Scaler]:
    """Return the namespace's autoscalers of anything but Rollouts, by their names."""
    return _scalers(context, lambda found: _target(found).get("kind") != ROLLOUT.name)


def _scalers(context: PreflightContext, wanted: Callable[[FrozenJSON], bool]) -> list[Scaler]:
    found = [
        _autoscaler(each)
        for each in context.all(AUTOSCALER)
        if wanted(each) and not _is_kedas(each)
    ]
    found += [_scaled_object(each) for each in context.all(SCALED_OBJECT) if wanted(each)]
    return sorted(found, key=lambda scaler: scaler.title)


def _target(found: FrozenJSON) -> FrozenJSON:
    return mapping(mapping(found.get("spec")).get("scaleTargetRef"))


def _may_be_meant(context: PreflightContext, found: FrozenJSON) -> bool:
    """Return whether it may be meant for us by a name: of thousands only these are looked at."""
    reference = context.spec.workload_ref
    names = {context.name, reference.name if reference is not None else context.name}
    target = _target(found).get("name")
    return (
        target in names
        or name_of(found) == context.name
        or str(target).rpartition("-")[0] == context.name
    )


def _is_kedas(scaler: FrozenJSON) -> bool:
    maker = controller_of(scaler)
    return maker is not None and maker.get("kind") == SCALED_OBJECT.name


def _autoscaler(found: FrozenJSON) -> Scaler:
    spec = mapping(found.get("spec"))
    target = mapping(spec.get("scaleTargetRef"))
    least = _number(spec.get("minReplicas"), 1)
    demands, multiplied = [], []
    for metric in items(spec.get("metrics")):
        field = {"Resource": "resource", "ContainerResource": "containerResource"}.get(
            str(metric.get("type")), ""
        )
        source = mapping(metric.get(field))
        if mapping(source.get("target")).get("type") == "Utilization":
            demands.append((str(source.get("name")), str(source.get("container") or "")))
        multiplied += _multiplied(metric)
    return Scaler(
        AUTOSCALER.name,
        name_of(found),
        _group(target.get("apiVersion")),
        str(target.get("kind")),
        str(target.get("name")),
        least,
        _number(spec.get("maxReplicas"), least),
        tuple(demands),
        tuple(multiplied),
        _is_patient(spec.get("behavior")),
    )


def _multiplied(metric: FrozenJSON) -> list[str]:
    """Return the name of a metric of a HorizontalPodAutoscaler that is multiplied by idle pods too."""
    kind = str(metric.get("type"))
    source = mapping(metric.get(kind[:1].lower() + kind[1:]))
    if kind in ("Resource", "ContainerResource"):
        return ["memory"] if source.get("name") == "memory" else []
    name = mapping(source.get("metric")).get("name")
    return [f"{name} (Value)"] if mapping(source.get("target")).get("type") == "Value" else []


def _is_patient(behavior: object) -> bool:
    seconds = mapping(mapping(behavior).get("scaleUp")).get("stabilizationWindowSeconds")
    return isinstance(seconds, int) and seconds > 0


def _scaled_object(found: FrozenJSON) -> Scaler:
    spec = mapping(found.get("spec"))
    target = mapping(spec.get("scaleTargetRef"))
    least, most = _KEDA_DEFAULTS
    triggers = items(spec.get("triggers"))
    demands = [
        (str(each["type"]), str(mapping(each.get("metadata")).get("containerName") or ""))
        for each in triggers
        if each.get("type") in _RESOURCES and each.get("metricType", "Utilization") == "Utilization"
    ]
    multiplied = [
        f"{each.get('type')} (Value)" if each.get("type") != "memory" else "memory"
        for each in triggers
        if each.get("type") == "memory" or each.get("metricType") == "Value"
    ]
    advanced = mapping(mapping(spec.get("advanced")).get("horizontalPodAutoscalerConfig"))
    return Scaler(
        SCALED_OBJECT.name,
        name_of(found),
        _group(target.get("apiVersion") or DEPLOYMENT.api_version),
        str(target.get("kind") or DEPLOYMENT.name),
        str(target.get("name")),
        _number(spec.get("minReplicaCount"), least),
        _number(spec.get("maxReplicaCount"), most),
        tuple(demands),
        tuple(multiplied),
        _is_patient(advanced.get("behavior")),
    )


def _group(api_version: object) -> str:
    return str(api_version or "").rpartition("/")[0]


def _number(value: object, default: int) -> int:
    return value if isinstance(value, int) else default
