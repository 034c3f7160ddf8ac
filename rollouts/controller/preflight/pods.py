"""What is wrong in the pods themselves: probes, and how many there are."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from rollouts.controller.preflight.autoscalers import SCALERS, Limits
from rollouts.controller.preflight.context import PreflightContext, listed
from rollouts.core.world import pod_shares, share_percent
from rollouts.model.finding import Finding
from rollouts.model.kinds import FrozenJSON
from rollouts.model.unchecked_json import items, mapping


def pod_findings(context: PreflightContext, limits: Limits | None) -> Iterator[Finding]:
    """Yield what makes a pod get requests too early, and what too few pods do to a release."""
    blind = [str(each.get("name")) for each in _serving(context) if not each.get("readinessProbe")]
    if blind:
        yield Finding(
            "warning",
            "NoReadinessProbe",
            (
                f"{'container' if len(blind) == 1 else 'containers'} {listed(blind)}"
                f" {'has' if len(blind) == 1 else 'have'} no readinessProbe: a pod counts as ready, and gets"
                " requests, before it can answer; add one"
            ),
            f"{context.template_field}.spec.containers",
        )
    yield from _few(context, limits)


def _few(context: PreflightContext, limits: Limits | None) -> Iterator[Finding]:
    """Yield what too few pods do, be it their number in the spec or what autoscalers may choose."""
    count = limits.least if limits is not None else context.spec.replicas
    whose = f"{limits.lowest} may go down to 1 pod" if limits is not None else "spec.replicas is 1"
    if count == 1:
        found: Iterable[Finding] = [_single(context, whose)]
    elif count > 1 and context.spec.by_replicas:
        found = _rounded(context, count)
    else:
        return
    needs = SCALERS if limits is None else ()
    yield from (replace(each, field="spec.replicas", needs=needs) for each in found)


def _serving(context: PreflightContext) -> list[FrozenJSON]:
    """Return the containers that get requests: those that a Service leads to, else all with ports."""
    targets = {
        port.get("targetPort") or port.get("port")
        for service, _ in context.services()
        for port in items(mapping(service.get("spec")).get("ports"))
    }
    open_ = [each for each in context.containers if items(each.get("ports"))]
    led_to = [
        each
        for each in open_
        if any(
            {port.get("name"), port.get("containerPort")} & targets for port in items(each["ports"])
        )
    ]
    return led_to or open_ or context.containers[:1]


def _single(context: PreflightContext, whose: str) -> Finding:
    if context.spec.by_replicas:
        return Finding(
            "warning",
            "OneReplica",
            (
                f"{whose}: one pod has no shares, so that a weight without trafficRouting means one pod of each"
                " revision, or nothing; use more pods, or a router"
            ),
        )
    return Finding(
        "warning",
        "OneReplica",
        f"{whose}: when its node goes, nobody serves until a new pod is ready; use 2 or more",
    )


def _rounded(context: PreflightContext, count: int) -> Iterator[Finding]:
    """Name the weights that so many pods can't show."""
    weights = [step.set_weight for step in context.spec.steps if step.set_weight is not None]
    had = {weight: share_percent(*pod_shares(context.spec, count, weight)) for weight in weights}
    wrong = [f"{weight} % is {share} %" for weight, share in had.items() if weight != share]
    if wrong:
        yield Finding(
            "warning",
            "RoundedWeights",
            (
                f"with {count} pods and no trafficRouting not every weight can be had: {listed(wrong)};"
                " change setWeight or spec.replicas, or use a router"
            ),
        )
