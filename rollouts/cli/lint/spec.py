"""What is unwise, or can't work, in a spec by itself, though every rule of the schema is kept."""

from collections.abc import Iterator

from rollouts.cli.lint.containers import container_findings, label_findings
from rollouts.cli.lint.pod_fields import field_findings
from rollouts.cli.lint.promql import query_findings
from rollouts.model.criteria import Criterion
from rollouts.model.finding import Finding
from rollouts.model.spec import RolloutSpec
from rollouts.model.unchecked_json import mapping
from rollouts.model.units import format_fraction

_CANARY = "spec.strategy.canary"


def spec_findings(spec: RolloutSpec) -> Iterator[Finding]:
    """Yield what is found in a spec that was accepted."""
    template = spec.template or {}
    labels = mapping(template.get("metadata")).get("labels")
    yield from label_findings(labels, "spec.template.metadata.labels")
    yield from container_findings(template)
    yield from field_findings(template)
    yield from _falling(spec)
    yield from _unused(spec)
    yield from _criteria(spec)


def _falling(spec: RolloutSpec) -> Iterator[Finding]:
    canary = spec.strategy.canary
    before = 0
    for index, step in enumerate(canary.steps if canary is not None else []):
        if step.set_weight is None:
            continue
        if step.set_weight < before:
            yield Finding(
                "warning",
                "",
                (
                    f"falls from {before} to {step.set_weight}: traffic goes back to stable before it goes on;"
                    " put the steps in rising order, if that is not meant"
                ),
                f"{_CANARY}.steps[{index}].setWeight",
            )
        before = step.set_weight


def _unused(spec: RolloutSpec) -> Iterator[Finding]:
    canary = spec.strategy.canary
    if canary is None or canary.traffic_routing is None:
        return
    if "max_surge" in canary.model_fields_set:
        yield Finding(
            "warning",
            "",
            "is not used with trafficRouting, where stable keeps its size and the canary comes on top;"
            " leave it out",
            f"{_CANARY}.maxSurge",
        )


def _criteria(spec: RolloutSpec) -> Iterator[Finding]:
    if spec.success_criteria:
        yield from _false_alarms(spec)
        yield from query_findings(spec)
        return
    yield Finding(
        "warning",
        "",
        "there are no success criteria: only crashing pods stop a bad release; add errors with errorRate: {max: 1%}",
        "spec.successCriteria",
    )


def _false_alarms(spec: RolloutSpec) -> Iterator[Finding]:
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
    yield Finding("note", "", text, "spec.successCriteria")
