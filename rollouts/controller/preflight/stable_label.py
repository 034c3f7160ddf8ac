"""Services that ask for the label of stable, and can't be led by it."""

from collections.abc import Iterator

from rollouts.controller.objects import named_services
from rollouts.controller.preflight.context import PreflightContext, name_of, users_selector
from rollouts.controller.services import label_asked_by
from rollouts.model.finding import Finding
from rollouts.model.kinds import ROLLOUT, SERVICE, STABLE, STABLE_LABEL, FrozenJSON

_ASKS = f"asks for {STABLE_LABEL} in spec.selector"


def stable_label_findings(context: PreflightContext) -> Iterator[Finding]:
    """Yield what is wrong with selectors that ask for the label."""
    for service, _ in context.services():
        label = label_asked_by(service)
        if label is not None:
            yield from _of_service(context, service, label)
    if not _is_given(context):
        yield from _led_by_nobody(context)


def _of_service(context: PreflightContext, service: FrozenJSON, label: object) -> Iterator[Finding]:
    name, field = name_of(service), context.field_of(service)
    if name == context.spec.canary_service:
        yield Finding(
            "error",
            "StableLabelMisplaced",
            (
                f"Service {name} {_ASKS}, and the pods of a new revision do not have that label: take it out, or"
                " leave it to the Rollout to make this Service"
            ),
            field,
        )
    elif label != STABLE:
        yield Finding(
            "error",
            "StableLabelMisplaced",
            f'Service {name} {_ASKS} with the value {label}, which no pod has: write "{STABLE}"',
            field,
        )
    elif context.spec.workload_ref is not None:
        yield Finding(
            "error" if context.labels.get(STABLE_LABEL) != STABLE else "warning",
            "StableLabelMisplaced",
            (
                f"Service {name} {_ASKS}, and beside workloadRef no pod is given that label: the controller writes"
                " its own key into this selector, as into any other; take the label out"
            ),
            field,
        )
    elif not users_selector(service):
        yield Finding(
            "warning",
            "SelectsOthers",
            (
                f"Service {name} {_ASKS} and for nothing else, so that it leads to the stable pods of every Rollout"
                " of the namespace: add a label that only the template has"
            ),
            field,
        )


def _is_given(context: PreflightContext) -> bool:
    """Return whether the pods of stable have the label, or nobody can say: the Service that is named is not there."""
    spec = context.spec
    if spec.labels_stable_early or context.labels.get(STABLE_LABEL) == STABLE:
        return True
    if spec.stable_service is None:
        return False
    named = context.get(SERVICE, spec.stable_service)
    return named is None or (label_asked_by(named) is not None and spec.workload_ref is None)


def _led_by_nobody(context: PreflightContext) -> Iterator[Finding]:
    """Yield the Services that would lead to these pods, if one of them had the label."""
    named = {name for each in context.all(ROLLOUT) for name in named_services(each)}
    for service in sorted(context.all(SERVICE), key=name_of):
        name, selector = name_of(service), users_selector(service)
        if label_asked_by(service) is None or name in named or name in context.bound:
            continue
        if selector and selector.items() <= context.labels.items():
            yield Finding(
                "warning",
                "StableLabelMisplaced",
                (f"Service {name} {_ASKS}, and {_why_nobody_has_it(context)}"),
            )


def _why_nobody_has_it(context: PreflightContext) -> str:
    """Return why no pod has the label, and the way out."""
    if context.spec.workload_ref is not None:
        return "beside workloadRef no pod is given that label: take it out"
    if context.spec.stable_service is None:
        return (
            "without trafficRouting no pod is given that label: take it out,"
            " or add trafficRouting and name the Service in stableService"
        )
    return (
        f"no pod is given that label as long as Service {context.spec.stable_service}, which {context.stable_field}"
        f" names, does not ask for it: take it out, or ask for it there, too"
    )
