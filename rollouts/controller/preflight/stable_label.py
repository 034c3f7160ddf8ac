"""Services that ask for the label of stable, and can't be led by it."""

from collections.abc import Iterator

from rollouts.controller.objects import named_services
from rollouts.controller.preflight.context import PreflightContext, name_of, users_selector
from rollouts.model.finding import Finding
from rollouts.model.kinds import ROLLOUT, SERVICE, STABLE, STABLE_LABEL, FrozenJSON
from rollouts.model.unchecked_json import mapping

_ASKS = f"asks for {STABLE_LABEL} in spec.selector"


def stable_label_findings(context: PreflightContext) -> Iterator[Finding]:
    """Yield what is wrong with selectors that ask for the label."""
    for service, _ in context.services():
        label = label_asked_by(service)
        if label is not None:
            yield from _of_service(context, service, label)
    if context.spec.stable_service is None:
        yield from _led_by_nobody(context)


def label_asked_by(service: FrozenJSON) -> object:
    """Return the value that a Service's selector asks for; None where it does not."""
    return mapping(mapping(service.get("spec")).get("selector")).get(STABLE_LABEL)


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


def _led_by_nobody(context: PreflightContext) -> Iterator[Finding]:
    """Yield the Services that would lead to these pods, where the share of the pods is the weight, and no pod has the label."""
    named = {name for each in context.all(ROLLOUT) for name in named_services(each)}
    for service in sorted(context.all(SERVICE), key=name_of):
        name, selector = name_of(service), users_selector(service)
        if label_asked_by(service) is None or name in named or name in context.bound:
            continue
        if selector and selector.items() <= context.labels.items():
            yield Finding(
                "warning",
                "StableLabelMisplaced",
                (
                    f"Service {name} {_ASKS}, and without trafficRouting no pod is given that label: take it out,"
                    " or add trafficRouting and name the Service in stableService"
                ),
            )
