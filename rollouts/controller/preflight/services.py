"""What is wrong in the Services that a Rollout releases: whom they select, and on which port."""

from collections.abc import Iterator, Mapping

from rollouts.controller.objects import labels_of, named_services
from rollouts.controller.preflight.context import (
    PreflightContext,
    is_bound,
    listed,
    name_of,
    users_selector,
)
from rollouts.controller.revisions import is_revision
from rollouts.controller.services import is_by_label, is_returnable, label_asked_by
from rollouts.model.finding import Finding, about_field
from rollouts.model.kinds import (
    DEPLOYMENT,
    HASH_LABEL,
    REPLICA_SET,
    ROLLOUT,
    SERVICE,
    FrozenJSON,
    Ref,
)
from rollouts.model.service_texts import selects_no_pods, service_not_found, still_bound
from rollouts.model.unchecked_json import items, mapping
from rollouts.traffic.ownership import is_ours


def service_findings(context: PreflightContext) -> Iterator[Finding]:
    """Yield what keeps the Rollout's Services from leading to its pods, and to nobody else's."""
    yield from _absent(context)
    for service, labels in context.services():
        yield from about_field(context.field_of(service), _of_service(context, service, labels))
    yield from _differences(context)
    yield from _still_bound(context)


def _of_service(
    context: PreflightContext, service: FrozenJSON, labels: Mapping[str, str]
) -> Iterator[Finding]:
    spec, name = mapping(service.get("spec")), name_of(service)
    if spec.get("type") == "ExternalName":
        yield Finding(
            "error",
            "ExternalName",
            (
                f"Service {name} is of type ExternalName, which leads to a DNS name and never to pods;"
                " give it the type ClusterIP and a selector"
            ),
        )
        return
    yield from _selection(context, service, labels)
    if spec.get("clusterIP") == "None" and _is_balanced_by_clients(context):
        yield Finding(
            "warning",
            "HeadlessService",
            (
                f"Service {name} is headless (clusterIP: None): clients look its pods up by DNS and keep"
                " to them, so that no weight and no switch reaches them; use a Service with a cluster IP"
            ),
        )
    yield from _ports(context, service)


def _still_bound(context: PreflightContext) -> Iterator[Finding]:
    """
    Yield the Services that select one revision of this Rollout, that nobody's spec names, and that can't be given back.

    Nobody would point them at another revision: the next release would end with requests that
    reach no pod. What this Rollout has bound itself goes along with it, and is given back; so
    it is only what somebody else has bound, or what would select nothing without our key.
    """
    ours = set(_revisions(context))
    named = {context.spec.stable_service, context.spec.canary_service}
    for rollout in (context.rollout, *context.all(ROLLOUT)):
        named.update(named_services(rollout))
    for service in sorted(context.all(SERVICE), key=name_of) if ours else ():
        name, selector = name_of(service), mapping(mapping(service.get("spec")).get("selector"))
        hash_, is_made = selector.get(HASH_LABEL), is_ours(service, context.rollout)
        if hash_ not in ours or name in named or is_made:
            continue
        if name in context.bound and is_returnable(service):
            continue
        out = (
            "take {key} out of its selector"
            if is_returnable(service)
            else "give it a selector of its own"
        )
        yield Finding(
            "error",
            "ServiceStillBound",
            still_bound(
                name,
                str(hash_),
                f"its requests would be lost with that revision's pods; {out.format(key=HASH_LABEL)}, or name it",
            ),
            needs=(ROLLOUT,),
        )


def _revisions(context: PreflightContext) -> Iterator[object]:
    """Yield the hashes of the Rollout's revisions, of which it still has the ReplicaSets."""
    for replica_set in context.all(REPLICA_SET):
        if is_revision(replica_set, context.rollout):
            yield labels_of(replica_set).get(HASH_LABEL)


def _absent(context: PreflightContext) -> Iterator[Finding]:
    """Yield that the stable Service is not there."""
    name = context.spec.stable_service
    if name is not None and context.get(SERVICE, name) is None:
        field = context.stable_field
        yield Finding(
            "error",
            "ServiceNotFound",
            service_not_found(name, field.rpartition(".")[2]),
            field,
            absent=Ref(SERVICE, context.namespace, name),
        )


def _is_balanced_by_clients(context: PreflightContext) -> bool:
    """Return whether clients call the Service by its address; most data planes look up endpoints themselves."""
    called = any(router.is_called_by_address for router in context.spec.routers)
    return context.spec.blue_green is not None or called


def _selection(
    context: PreflightContext, service: FrozenJSON, labels: Mapping[str, str]
) -> Iterator[Finding]:
    name, selector = name_of(service), users_selector(service)
    if not selector:
        if not is_bound(service) and label_asked_by(service) is None:
            yield Finding(
                "warning",
                "NoSelector",
                (
                    f"Service {name} has no selector, so that somebody else keeps its endpoints and they stay"
                    " beside ours; give it spec.selector with the template's labels"
                ),
            )
        return
    wrong = [
        f"{key}: {value}" for key, value in sorted(selector.items()) if labels.get(key) != value
    ]
    if wrong and labels:
        yield Finding(
            "warning",
            "SelectsNoPods",
            selects_no_pods(name, "this template", ", ".join(wrong)),
        )
    is_narrow = is_bound(service) or is_by_label(service, context.spec)
    others = [] if is_narrow else sorted(_others(context, selector))
    if others:
        yield Finding(
            "warning",
            "SelectsOthers",
            (
                f"Service {name} selects the pods of {listed(others)} too, which get no more requests once it is"
                " bound to a revision; give it a selector of its own"
            ),
        )


def _others(context: PreflightContext, selector: Mapping[str, str]) -> Iterator[str]:
    """Yield the other workloads of the namespace whose pods such a selector selects."""
    reference = context.spec.workload_ref
    adopted = {reference.name} if reference is not None else set()
    for kind, ours in ((ROLLOUT, {context.name}), (DEPLOYMENT, adopted)):
        for workload in context.all(kind):
            spec = mapping(workload.get("spec"))
            labels = mapping(mapping(mapping(spec.get("template")).get("metadata")).get("labels"))
            selected = selector.items() <= labels.items()
            if selected and spec.get("replicas") != 0 and name_of(workload) not in ours:
                yield f"{kind} {name_of(workload)}"


def _ports(context: PreflightContext, service: FrozenJSON) -> Iterator[Finding]:
    known = _port_names(context)
    for port in items(mapping(service.get("spec")).get("ports")):
        target = port.get("targetPort")
        if _is_unknown(target, known):
            names = f"it has {', '.join(known)}" if known else "no container names a port"
            if context.containers:
                yield Finding(
                    "warning",
                    "TargetPortUnknown",
                    (
                        f"Service {name_of(service)} leads to the port {target}, and the template has none of"
                        f" that name ({names}): requests on port {port.get('port')} get no answer;"
                        " correct targetPort or the container's ports"
                    ),
                )


def _port_names(context: PreflightContext) -> list[str]:
    return [
        str(port["name"])
        for container in context.containers
        for port in items(container.get("ports"))
        if port.get("name")
    ]


def _is_unknown(target: object, known: list[str]) -> bool:
    return isinstance(target, str) and not target.isdecimal() and target not in known


def _differences(context: PreflightContext) -> Iterator[Finding]:
    """
    Yield where a canary Service of the user's has other ports than its stable Service.

    A route names one port for both. Whether anything listens on another target port can't be told:
    a container need not declare its ports.
    """
    stable, canary = (
        context.get(SERVICE, name)
        for name in (context.spec.stable_service, context.spec.canary_service)
    )
    if context.spec.routing is None or stable is None or canary is None:
        return
    if is_ours(canary, context.rollout):
        return
    wanted, found, known = _targets(stable), _targets(canary), _port_names(context)
    words = [
        f"port {port} leads to {found[port]}, and that of Service {name_of(stable)} to {target}"
        if port in found
        else f"it has no port {port}, which Service {name_of(stable)} has"
        for port, target in wanted.items()
        if found.get(port) != target and not _is_unknown(found.get(port), known)
    ]
    if words:
        yield Finding(
            "warning",
            "CanaryPortsDiffer",
            (
                f"Service {name_of(canary)} has other ports than its stable Service: {listed(words)}; requests to"
                " the canary may get no answer: give it the same ports, or leave it to the Rollout to make one"
            ),
            context.field_of(canary),
        )


def _targets(service: FrozenJSON) -> dict[str, str]:
    """Return where a Service's ports lead."""
    ports = items(mapping(service.get("spec")).get("ports"))
    return {str(port.get("port")): str(port.get("targetPort", port.get("port"))) for port in ports}
