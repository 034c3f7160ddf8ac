"""What preflight and a release under way both say of a Service: each in one wording."""

from rollouts.model.kinds import STABLE_LABEL


def service_not_found(service: str, field: str) -> str:
    """Return what is said of a Service that `field` names and that does not exist."""
    return f"Service {service} does not exist; create it, or correct {field}"


def selects_no_pods(service: str, whose: str, asked: str) -> str:
    """Return what is said of a Service whose selector asks for `asked`, which the pods of `whose` do not have."""
    return (
        f"Service {service} selects none of the pods of {whose}: its selector asks for {asked};"
        " correct spec.selector or the template's labels"
    )


def led_by_label(service: str) -> str:
    """Return what is said of a Service that leads to stable by its label, where the share of the pods is to be the weight."""
    return (
        f"Service {service} asks for {STABLE_LABEL} in spec.selector, and without trafficRouting a new revision's pods"
        " get their share of the requests without that label: take it out of the selector, or add trafficRouting"
        " and name the Service in stableService"
    )


def still_bound(service: str, hash_: str, outcome: str) -> str:
    """Return what is said of a Service that selects one revision, and that no field names; `outcome` is what comes of it."""
    return (
        f"Service {service} selects revision {hash_} of this Rollout alone, and the spec does not name it:"
        f" {outcome}"
    )
