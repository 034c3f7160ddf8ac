"""
The Services of a Rollout, as a decision sees them. Reads only.

They are those that its spec names, those that it has bound to a revision and the spec names no longer,
and those that it made. One that another Rollout names is that one's.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from rollouts.controller import canary_service
from rollouts.controller.canary_service import own_selector
from rollouts.controller.objects import labels_of, named_services
from rollouts.controller.observation_input import ObservationInput
from rollouts.core.world import ReplicaSet, Service
from rollouts.model.kinds import (
    ENDPOINT_SLICE,
    HASH_LABEL,
    JSON,
    MANAGED_BY_LABEL,
    POD,
    REPLICA_SET,
    ROLLOUT,
    SERVICE,
    STABLE,
    STABLE_LABEL,
    FrozenJSON,
    Ref,
)
from rollouts.model.spec import RolloutSpec
from rollouts.model.unchecked_json import mapping
from rollouts.ports import Reads
from rollouts.traffic.ownership import has_lost_owner, is_ours, is_owned, is_terminating

SERVICE_NAME_LABEL = "kubernetes.io/service-name"


def observe_services(
    cluster: Reads,
    rollout: FrozenJSON,
    inputs: ObservationInput,
    replica_sets: Mapping[str, ReplicaSet],
) -> dict[str, Service]:
    """Return the Rollout's Services by name; `replica_sets` are those of its revisions, by hash."""
    spec = inputs.spec
    namespace = rollout["metadata"]["namespace"]
    named = [name for name in (spec.stable_service, spec.canary_service) if name is not None]
    found = {}
    for name in named:
        service = _get(cluster, namespace, name)
        if service is not None:
            found[name] = _seen(cluster, rollout, spec, service, replica_sets)
    others = set(_named_by_others(cluster, rollout))
    bound = _remembered if inputs.remembers else _found_again
    for left in bound(cluster, rollout, inputs, replica_sets):
        name = left["metadata"]["name"]
        if name not in named and name not in others:
            found[name] = _seen(cluster, rollout, spec, left, replica_sets)
    return found


def _revisions(replica_sets: Mapping[str, ReplicaSet]) -> list[str]:
    """Return the revisions that have pods; all, where none has any."""
    return [hash_ for hash_, each in replica_sets.items() if each.existing] or list(replica_sets)


def is_by_label(service: FrozenJSON, spec: RolloutSpec) -> bool:
    """
    Return whether a Service is left as it is, and the label of stable moved from pods to pods instead.

    A Deployment's pods, whose place is taken, are nobody's to label but their owner's.
    """
    if service["metadata"]["name"] == spec.canary_service or spec.workload_ref is not None:
        return False
    return label_asked_by(service) == STABLE


def label_asked_by(service: FrozenJSON) -> object:
    """Return the value of the label of stable that a Service's selector asks for; None where it does not."""
    return mapping(mapping(service.get("spec")).get("selector")).get(STABLE_LABEL)


def _labelled_alone(replica_sets: Mapping[str, ReplicaSet]) -> str:
    """Return the revision whose pods alone have the label of stable; empty for none, and for several."""
    having = [hash_ for hash_, each in replica_sets.items() if each.has_stable_label]
    return having[0] if len(having) == 1 else ""


def _get(cluster: Reads, namespace: str, name: str) -> JSON | None:
    """Return a Service that is there to stay."""
    service = cluster.get(Ref(SERVICE, namespace, name))
    return service if service is not None and not is_terminating(service) else None


def _found_again(
    cluster: Reads,
    rollout: FrozenJSON,
    inputs: ObservationInput,
    replica_sets: Mapping[str, ReplicaSet],
) -> Iterator[FrozenJSON]:
    """
    Yield besides, where there is no status, the Services that select a revision alone that has pods, or any without pods,
    and those that lead to pods by the label of stable.

    A Rollout that comes back from a backup has bound them; its spec need not name them any more. Scaled to
    nothing it has no pods that tell which revision was served.
    """
    yield from _remembered(cluster, rollout, inputs, replica_sets)
    hashes = set(_revisions(replica_sets))
    for service in cluster.select(SERVICE, rollout["metadata"]["namespace"]):
        bound = _selector(service).get(HASH_LABEL) in hashes or (
            is_by_label(service, inputs.spec) and _leads_to(cluster, service, hashes)
        )
        if bound and is_returnable(service) and not is_terminating(service):
            yield service


def _remembered(
    cluster: Reads,
    rollout: FrozenJSON,
    inputs: ObservationInput,
    _replica_sets: Mapping[str, ReplicaSet],
) -> Iterator[FrozenJSON]:
    """Yield the Services that were bound, as far as they can be given back, and those that were made."""
    metadata = rollout["metadata"]
    for name in inputs.services:
        service = _get(cluster, metadata["namespace"], name)
        if (
            service is not None
            and is_returnable(service)
            and not _is_bound_to_others(cluster, rollout, service)
        ):
            yield service
    ours = {MANAGED_BY_LABEL: metadata["name"]}
    for service in cluster.select(SERVICE, metadata["namespace"], ours):
        if not is_terminating(service) and is_ours(service, rollout):
            yield service


def _leads_to(cluster: Reads, service: FrozenJSON, hashes: Iterable[str]) -> bool:
    """Return whether a Service selects a pod of one of these revisions."""
    namespace, selector = service["metadata"]["namespace"], _selector(service)
    return any(cluster.select(POD, namespace, {**selector, HASH_LABEL: hash_}) for hash_ in hashes)


def is_returnable(service: FrozenJSON) -> bool:
    """Return whether a Service selects anything at all without our key; else taking that out would be its end."""
    return any(key != HASH_LABEL for key in _selector(service))


def _is_bound_to_others(cluster: Reads, rollout: FrozenJSON, service: FrozenJSON) -> bool:
    """Return whether it selects a revision of another Rollout, so that somebody else has bound it since."""
    hash_ = _selector(service).get(HASH_LABEL)
    if not hash_:
        return False
    sets = cluster.select(REPLICA_SET, rollout["metadata"]["namespace"], {HASH_LABEL: hash_})
    mine = (is_owned(each, rollout) or has_lost_owner(each, rollout) for each in sets)
    return bool(sets) and not any(mine)


def _named_by_others(cluster: Reads, rollout: FrozenJSON) -> Iterator[str]:
    """Yield the Services that other Rollouts of the namespace name."""
    metadata = rollout["metadata"]
    for other in cluster.select(ROLLOUT, metadata["namespace"]):
        if other["metadata"]["name"] != metadata["name"] and not is_terminating(other):
            yield from named_services(other)


def _seen(
    cluster: Reads,
    rollout: FrozenJSON,
    spec: RolloutSpec,
    service: FrozenJSON,
    replica_sets: Mapping[str, ReplicaSet],
) -> Service:
    namespace, name = rollout["metadata"]["namespace"], service["metadata"]["name"]
    pods = _ready_pods(cluster, namespace, name)
    ready = Counter(labels_of(pod).get(HASH_LABEL, "") if pod else "" for pod in pods)
    ours = is_ours(service, rollout)
    stable = _get(cluster, namespace, spec.stable_service or "")
    is_outdated = (
        ours
        and stable is not None
        and name == spec.canary_service
        and bool(canary_service.changes(service, stable, spec, filter(None, pods)))
    )
    by_key = _selector(service).get(HASH_LABEL, "")
    by_label = is_by_label(service, spec)
    return Service(
        name=name,
        uid=service["metadata"]["uid"],
        selected_hash=by_key or (_labelled_alone(replica_sets) if by_label else ""),
        by_label=by_label,
        keeps_key=by_label and by_key != "",
        ours=ours,
        ready_endpoints={hash_: count for hash_, count in ready.items() if hash_},
        other_endpoints=ready[""],
        misses=frozenset(
            hash_
            for hash_ in _revisions(replica_sets)
            if _misses(cluster, namespace, _asked_of_all(service, spec), hash_)
        ),
        selectable=_selectable(cluster, service, spec, replica_sets) if by_label else {},
        is_outdated=is_outdated,
    )


def _selectable(
    cluster: Reads, service: FrozenJSON, spec: RolloutSpec, replica_sets: Mapping[str, ReplicaSet]
) -> dict[str, int]:
    """Return how many ready pods of each revision a Service would lead to, if they had the label of stable."""
    asked, namespace = own_selector(service, spec), service["metadata"]["namespace"]
    selected = {pod["metadata"]["name"] for pod in cluster.select(POD, namespace, asked)}
    return {
        hash_: sum(pod.ready and pod.name in selected for pod in each.pods)
        for hash_, each in replica_sets.items()
    }


def _asked_of_all(service: FrozenJSON, spec: RolloutSpec) -> dict[str, str]:
    """Return what a Service's selector asks of the pods of every revision."""
    asked = own_selector(service, spec)
    label = label_asked_by(service)
    if isinstance(label, str) and not is_by_label(service, spec):
        asked[STABLE_LABEL] = label  # nobody moves it
    return asked


def _misses(cluster: Reads, namespace: str, selector: Mapping[str, str], hash_: str) -> bool:
    """Return whether a revision has pods, none of which has all these labels."""
    pods = cluster.select(POD, namespace, {HASH_LABEL: hash_})
    return bool(pods) and not any(selector.items() <= labels_of(pod).items() for pod in pods)


def sync_patch(cluster: Reads, rollout: FrozenJSON, spec: RolloutSpec, name: str) -> JSON:
    """Return the merge patch by which a Service of ours is as its stable Service is; empty for none."""
    namespace = rollout["metadata"]["namespace"]
    service = _get(cluster, namespace, name)
    stable = _get(cluster, namespace, spec.stable_service or "")
    if service is None or stable is None:
        return {}
    pods = _ready_pods(cluster, namespace, name)
    return canary_service.changes(service, stable, spec, filter(None, pods))


def _selector(service: FrozenJSON) -> Mapping[str, str]:
    return (service.get("spec") or {}).get("selector") or {}


def _ready_pods(cluster: Reads, namespace: str, service: str) -> list[JSON | None]:
    """
    Return the pods that are ready endpoints of the Service; one with two addresses is one.

    A pod that is no revision's may not be in the caches at all: None stands for it.
    """
    ready = {
        endpoint["targetRef"]["name"]
        for each in cluster.select(ENDPOINT_SLICE, namespace, {SERVICE_NAME_LABEL: service})
        for endpoint in each.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready") is not False
        and (endpoint.get("targetRef") or {}).get("kind") == "Pod"
    }
    return [cluster.get(Ref(POD, namespace, name)) for name in sorted(ready)]
