"""
From the caches to what a decision sees. Reads only; makes no request and no decision.

What is counted is counted carefully: a pod that is terminating or has ended does not exist, a
pod is available only when the ReplicaSet's status says so too, and an endpoint counts for a revision only
when its pod is known to be of that revision.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from rollouts.controller import preflight, workload
from rollouts.controller.commands import read_command
from rollouts.controller.objects import labels_of, named_services, named_workload, time_of
from rollouts.controller.observation_input import ObservationInput
from rollouts.controller.records import observe_records
from rollouts.controller.revisions import is_foreign, is_orphan, is_owned
from rollouts.controller.routing_objects import routing_context
from rollouts.controller.services import observe_services
from rollouts.core.template import applied_metadata, images
from rollouts.core.world import FINALIZERS, Observed, Pod, ReplicaSet
from rollouts.model.finding import Finding
from rollouts.model.kinds import (
    HASH_LABEL,
    MANAGED_BY_LABEL,
    POD,
    REPLICA_SET,
    REVISION_LABEL,
    ROLE_METADATA,
    ROLLOUT,
    ROLLOUT_LABEL,
    SERVICE,
    STABLE,
    STABLE_LABEL,
    FrozenJSON,
    Kind,
    Ref,
)
from rollouts.model.owners import controller_of, owning_rollout
from rollouts.model.spec import LabelSelector, RolloutSpec
from rollouts.model.truncation import truncated
from rollouts.ports import Reads
from rollouts.traffic import ownership, routers

_MADE = (SERVICE, *routers.written_kinds())
"""The kinds of what we make, besides ReplicaSets."""
_ENDED = ("Succeeded", "Failed")
_POD_IS_REFUSED = re.compile('^(pods|Pod) "[^"]*" is (forbidden|invalid): ')
"""How a refusal begins, with a name that is another one at each try."""
_NO_PROBLEM = frozenset({"", "ContainerCreating", "PodInitializing"})


def observe(
    cluster: Reads, rollout: FrozenJSON, inputs: ObservationInput, *, quiet_seconds: float
) -> Observed:
    """Return what is known about a Rollout, and everything that is its."""
    spec = inputs.spec
    metadata = rollout["metadata"]
    namespace = metadata["namespace"]
    template = spec.template or {}
    hash_ = workload.wanted_hash(cluster, rollout, spec)
    replica_sets = _replica_sets(cluster, rollout, spec)
    services = observe_services(cluster, rollout, inputs, replica_sets)
    route = routers.observe(routing_context(cluster, rollout, spec), inputs.split)
    found = (
        *_collisions(cluster, rollout, spec, hash_),
        *preflight.findings(cluster, rollout, spec),
    )
    command, bad_command = read_command(rollout)
    return Observed(
        namespace=namespace,
        name=metadata["name"],
        uid=metadata["uid"],
        generation=int(metadata.get("generation") or 0),
        resource_version=str(metadata.get("resourceVersion", "")),
        template_hash=hash_,
        images=images(template),
        replica_sets=replica_sets,
        services=services,
        orphans=tuple(_orphans(cluster, rollout, spec)),
        route=replace(route, findings=(*route.findings, *found)),
        command=command,
        bad_command=bad_command,
        selector=notation(spec.selector) if spec.selector is not None else "",
        template=template,
        quiet_seconds=quiet_seconds,
        records=observe_records(cluster, rollout),
        workload=workload.observe_workload(cluster, rollout, spec),
        is_being_deleted=bool(metadata.get("deletionTimestamp")),
        finalizers=tuple(each for each in metadata.get("finalizers") or () if each in FINALIZERS),
    )


def _replica_sets(cluster: Reads, rollout: FrozenJSON, spec: RolloutSpec) -> dict[str, ReplicaSet]:
    """Return the Rollout's ReplicaSets by hash: those it owns, and those that only lost their owner."""
    namespace = rollout["metadata"]["namespace"]
    match = spec.selector.match_labels if spec.selector is not None else {}
    pods = defaultdict(list)
    for pod in cluster.select(POD, namespace, match):
        owner = controller_of(pod)
        if owner is not None and _is_active(pod):
            pods[owner.get("uid")].append(pod)
    found = {}
    if spec.workload_ref is not None:
        match = {MANAGED_BY_LABEL: rollout["metadata"]["name"]}  # they lack their pods' labels
    for replica_set in cluster.select(REPLICA_SET, namespace, match):
        owned = is_owned(replica_set, rollout)
        if owned or is_orphan(replica_set, rollout):
            own = pods[replica_set["metadata"]["uid"]]
            seen = _replica_set(replica_set, own, rollout["metadata"]["name"], owned=owned)
            found[seen.hash] = seen
    return found


def _is_active(pod: FrozenJSON) -> bool:
    """
    Return whether the pod counts, as the ReplicaSet controller counts (its `IsPodActive`).

    One that was evicted by its node, for one, stays as an object in phase Failed. Nobody removes
    it, another one is in its place, and no request reaches it ever again.
    """
    phase = (pod.get("status") or {}).get("phase")
    return phase not in _ENDED and not pod["metadata"].get("deletionTimestamp")


def _replica_set(
    replica_set: FrozenJSON, pods: Sequence[FrozenJSON], rollout: str, *, owned: bool
) -> ReplicaSet:
    metadata, spec = replica_set["metadata"], replica_set.get("spec") or {}
    status = replica_set.get("status") or {}
    labels = labels_of(replica_set)
    in_order = sorted(pods, key=lambda pod: str(pod["metadata"]["name"]))
    seen = tuple(_pod(pod, rollout) for pod in in_order)
    ready = sum(pod.ready for pod in seen)
    number = labels.get(REVISION_LABEL, "")
    wanted = spec.get("replicas")
    return ReplicaSet(
        name=metadata["name"],
        uid=metadata["uid"],
        hash=labels[HASH_LABEL],
        revision=int(number) if number.isdecimal() else 0,
        images=images(spec.get("template") or {}),
        wanted=1 if wanted is None else int(wanted),
        existing=len(seen),
        ready=ready,
        available=min(ready, int(status.get("availableReplicas") or 0)),
        created_at=time_of(metadata.get("creationTimestamp")),
        owned=owned,
        pods=seen,
        min_ready_seconds=int(spec.get("minReadySeconds") or 0),
        applied=applied_metadata(replica_set),
        labelled=_is_labelled(spec.get("template") or {}, rollout),
        leads=_leads(spec.get("template") or {}),
        refusal=_refusal(status.get("conditions") or ()),
    )


def _refusal(conditions: Iterable[FrozenJSON]) -> str:
    """Return why a ReplicaSet's controller could not make a pod, without the name that the pod was to have."""
    found = (each for each in conditions if each.get("type") == "ReplicaFailure")
    told = next(found, {})
    if told.get("status") != "True" or told.get("reason") != "FailedCreate":
        return ""
    return truncated(_POD_IS_REFUSED.sub("", str(told.get("message") or "its pods are refused")))


def _is_labelled(pod: FrozenJSON, rollout: str) -> bool:
    """Return whether a pod, or a template of pods, has the label of its Rollout."""
    labels = (pod.get("metadata") or {}).get("labels") or {}
    return bool(labels.get(ROLLOUT_LABEL) == rollout)


def _leads(pod: FrozenJSON) -> bool:
    """Return whether a pod, or a template of pods, has the label of stable."""
    labels = (pod.get("metadata") or {}).get("labels") or {}
    return bool(labels.get(STABLE_LABEL) == STABLE)


def _pod(pod: FrozenJSON, rollout: str) -> Pod:
    status = pod.get("status") or {}
    running = status.get("containerStatuses") or ()
    containers = [*(status.get("initContainerStatuses") or ()), *running]
    told = {each.get("type"): each for each in status.get("conditions") or ()}
    ready, since = is_ready(pod), _unready_since(told.get("Ready"))
    return Pod(
        name=pod["metadata"]["name"],
        ready=ready,
        created_at=time_of(pod["metadata"].get("creationTimestamp")),
        restarts=sum(int(container.get("restartCount") or 0) for container in containers),
        problem=_problem(containers),
        mark=str(labels_of(pod).get(ROLE_METADATA, "")),
        labelled=_is_labelled(pod, rollout),
        leads=_leads(pod),
        unready_since=since,
        was_ready=since is not None and (_has_ended(running) or _started_before(running, since)),
        disrupted=not ready and (_is_taken_away(told) or _is_lost(told)),
        unschedulable=(told.get("PodScheduled") or {}).get("reason") == "Unschedulable",
    )


def _unready_since(ready: FrozenJSON | None) -> datetime | None:
    if ready is None or ready.get("status") == "True" or not ready.get("lastTransitionTime"):
        return None
    return time_of(ready["lastTransitionTime"])


def _has_ended(containers: Sequence[FrozenJSON]) -> bool:
    """Return whether a container has just ended, and is not counted as restarted yet."""
    return any((each.get("state") or {}).get("terminated") for each in containers)


def _started_before(containers: Sequence[FrozenJSON], moment: datetime) -> bool:
    """
    Return whether all containers of a pod had been started before it turned not ready at `moment`.

    A kubelet says that a pod is not ready before it starts the first container, and does not say it
    again until the pod has been ready. One that was restarted tells nothing: its beginning is lost.
    """
    states = [(each.get("state") or {}).get("running") or {} for each in containers]
    started = [time_of(each["startedAt"]) for each in states if each.get("startedAt")]
    return bool(started) and len(started) == len(containers) and max(started) < moment


def _is_taken_away(told: Mapping[Any, FrozenJSON]) -> bool:
    """
    Return whether somebody else ends a pod: an eviction, a preemption, or the shutdown of its node.

    Kubernetes says so by the condition DisruptionTarget. A kubelet that shuts its node down gives the
    containers their time first; until that is over the pod is not ready, and no deletion says why.
    """
    return (told.get("DisruptionTarget") or {}).get("status") == "True"


def _is_lost(told: Mapping[Any, FrozenJSON]) -> bool:
    """
    Return whether the node controller made a pod not ready, because its node does not answer.

    It changes the condition Ready alone, and nothing about it but its status (`MarkPodsNotReady` of
    Kubernetes' node lifecycle controller). A kubelet gives a reason with it: a container, or a gate, is not ready.
    """
    ready, containers = told.get("Ready") or {}, told.get("ContainersReady") or {}
    return (
        ready.get("status") == "False"
        and not ready.get("reason")
        and containers.get("status") == "True"
    )


def is_ready(pod: FrozenJSON) -> bool:
    """Return whether the pod's Ready condition is true."""
    conditions: Iterable[FrozenJSON] = (pod.get("status") or {}).get("conditions") or ()
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)


def _problem(containers: Iterable[FrozenJSON]) -> str:
    """Return what a container waits for that is a problem; a crash loop before all others."""
    reasons = {_waiting_reason(container) for container in containers} - _NO_PROBLEM
    return "CrashLoopBackOff" if "CrashLoopBackOff" in reasons else min(reasons, default="")


def _waiting_reason(container: FrozenJSON) -> str:
    waiting = (container.get("state") or {}).get("waiting") or {}
    return str(waiting.get("reason") or "")


def _orphans(cluster: Reads, rollout: FrozenJSON, spec: RolloutSpec) -> Iterator[Ref]:
    """Yield the Services and routing objects that we made and that lost their owner; nothing that the spec names."""
    namespace, name = rollout["metadata"]["namespace"], rollout["metadata"]["name"]
    for kind in _MADE:
        for each in cluster.select(kind, namespace, {MANAGED_BY_LABEL: name}):
            ref = Ref(kind, namespace, each["metadata"]["name"])
            owned = ownership.is_owned(each, rollout) or not ownership.is_orphan(each, rollout)
            if (
                not owned
                and not ownership.is_terminating(each)
                and ref.name not in _users(spec, kind)
            ):
                yield ref


def _users(spec: RolloutSpec, kind: Kind) -> Sequence[str]:
    """Return the names that the spec gives to the user's own objects of a kind, whatever their labels say."""
    if kind == SERVICE:
        return [spec.stable_service or ""]
    return spec.users_objects(kind)


def _collisions(
    cluster: Reads, rollout: FrozenJSON, spec: RolloutSpec, hash_: str
) -> Iterator[Finding]:
    """Name what has the name of something of ours, and belongs to somebody else."""
    metadata = rollout["metadata"]
    name = f"{metadata['name']}-{hash_}"
    replica_set = cluster.get(Ref(REPLICA_SET, metadata["namespace"], name))
    if replica_set is not None and is_foreign(replica_set, rollout):
        yield Finding(
            "error",
            "ReplicaSetNotOurs",
            f"ReplicaSet {name} exists and is not this Rollout's; delete it, so that the revision can be made",
        )
    yield from _claims(cluster, rollout)
    if spec.canary_service is None:
        return
    service = cluster.get(Ref(SERVICE, metadata["namespace"], spec.canary_service))
    owner = owning_rollout(service) if service is not None else None
    if owner is not None and owner != metadata["name"]:
        yield Finding(
            "error",
            "ServiceNotOurs",
            (
                f"Service {spec.canary_service} belongs to Rollout {owner};"
                f" name another one in {'canaryService' if spec.routing else 'previewService'}"
            ),
        )


def _claims(cluster: Reads, rollout: FrozenJSON) -> Iterator[Finding]:
    """Name the Services that an older Rollout releases: of two that fight, one has to stand back."""
    others = cluster.select(ROLLOUT, rollout["metadata"]["namespace"])
    if len(others) == 1:
        return  # itself
    services, mine = named_services(rollout), _seniority(rollout)
    claims = sorted(
        (_seniority(other), service)
        for other in others
        for service in set(services).intersection(named_services(other))
        if not other["metadata"].get("deletionTimestamp")
    )
    for (since, name), service in claims:
        if (since, name) < mine:
            yield Finding(
                "error",
                "ServiceClaimed",
                (
                    f"Rollout {name} already releases Service {service}, and each Service has one Rollout:"
                    " name another Service here, or delete one of the two Rollouts"
                ),
            )
    deployment = named_workload(rollout)
    for since, name in sorted(
        _seniority(other) for other in others if deployment and named_workload(other) == deployment
    ):
        if (since, name) < mine:
            yield Finding(
                "error",
                "WorkloadClaimed",
                (
                    f"Rollout {name} already has the place of Deployment {deployment}, and each Deployment has"
                    " one Rollout: name another in workloadRef.name, or delete one of the two Rollouts"
                ),
            )


def _seniority(rollout: FrozenJSON) -> tuple[datetime, str]:
    metadata = rollout["metadata"]
    return time_of(metadata.get("creationTimestamp")), str(metadata["name"])


def notation(selector: LabelSelector) -> str:
    """Return the selector as `/scale` and kubectl write it: `app=a,tier in (b,c),!d`."""
    parts = [f"{key}={value}" for key, value in sorted(selector.match_labels.items())]
    for each in selector.match_expressions:
        values = f"({','.join(sorted(each.values))})"
        parts.append(
            {
                "In": f"{each.key} in {values}",
                "NotIn": f"{each.key} notin {values}",
                "Exists": each.key,
                "DoesNotExist": f"!{each.key}",
            }[each.operator]
        )
    return ",".join(parts)
