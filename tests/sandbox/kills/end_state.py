"""
What a story has left in its namespace, in a form that is the same each time that it is told.

Revisions are called by their role, since their hashes follow from the version. What is left out
follows from the clock: times, counts of requests, names of pods.
"""

import json
from collections import Counter
from typing import Any

from rollouts.model.kinds import (
    AUTOSCALER,
    DEPLOYMENT,
    HASH_LABEL,
    JSON,
    RELEASE_RECORD,
    REPLICA_SET,
    REVISION_LABEL,
    ROLLOUT,
    SERVICE,
)
from rollouts.model.routers.gateway import GRPC_ROUTE, HTTP_ROUTE
from rollouts.model.routers.nginx import INGRESS
from rollouts.model.routers.smi import TRAFFIC_SPLIT
from tests.sandbox.kills.proxy import Write
from tests.sandbox.releases.release import Release
from tests.sandbox.releases.switching import hash_of, ready

KINDS = (
    *(ROLLOUT, REPLICA_SET, SERVICE, DEPLOYMENT, AUTOSCALER),
    *(INGRESS, TRAFFIC_SPLIT, HTTP_ROUTE, GRPC_ROUTE),
)
OF_THE_STATUS = (
    *("phase", "step", "currentStepIndex", "pause", "abort", "retiring", "restart", "pinned"),
    *("services", "promoted", "replicas", "readyReplicas", "updatedReplicas", "selector"),
)
_LEFT_OUT = ("template", "clusterIP", "clusterIPs")
NOT_TWICE = ("create", "delete", "deletecollection")
"""Writes that do something else when they are made again; all our patches say what is to be."""


def end_state(release: Release, numbered_from: int) -> JSON:
    """Return all that is left; revisions are numbered from the one that was stable before."""
    roles = _roles(release)
    left = {
        f"{kind.name} {each['metadata']['name']}": _object(each, numbered_from)
        for kind in KINDS
        for each in release.objects.select(kind, release.namespace)
    }
    staying = [pod for pod in release.pods() if not pod["metadata"].get("deletionTimestamp")]
    pods = Counter(
        str(pod["metadata"].get("labels", {}).get(HASH_LABEL, "without")) for pod in staying
    )
    text = json.dumps(
        {
            **left,
            "status": _status(release.status, numbered_from),
            "pods": pods,
            "ready": ready(staying),
            "records": _records(release, numbered_from),
        }
    )
    for hash_, role in roles.items():
        text = text.replace(hash_, role)
    found: JSON = json.loads(text)
    return dict(sorted(found.items()))


def written_twice(writes: list[Write]) -> list[str]:
    """
    Return which writes were made twice or more, and how often, of those that do something else then.

    Of an Event each is a count. A story may have some: it deletes a canary's Ingress with each release.
    """
    made = Counter(
        (each.words, each.name, each.verb if each.target.plural != "events" else "count")
        for each in writes
        if each.succeeded and (each.verb in NOT_TWICE or each.target.plural == "events")
    )
    return sorted({f"{words}, {count} times" for (words, _, _), count in made.items() if count > 1})


def _records(release: Release, numbered_from: int) -> list[tuple[int, str]]:
    """Return the releases that are on record, and how each ended: whoever died, one for each."""
    found = (each["spec"] for each in release.objects.select(RELEASE_RECORD, release.namespace))
    return sorted(
        (int(each["revision"]["number"]) - numbered_from, str(each["outcome"])) for each in found
    )


def _roles(release: Release) -> dict[str, str]:
    """Return what each revision is, by its hash."""
    stable = hash_of(release, "stableRevision")
    hashes = {
        str(each["metadata"]["labels"].get(HASH_LABEL, "")) for each in release.replica_sets()
    }
    older = {each: "<older>" for each in hashes if each not in ("", stable)}
    return {**older, **({stable: "<stable>"} if stable else {})}


def _object(found: JSON, numbered_from: int) -> JSON:
    metadata, labels = found["metadata"], dict(found["metadata"].get("labels") or {})
    if REVISION_LABEL in labels:
        labels[REVISION_LABEL] = int(labels[REVISION_LABEL]) - numbered_from
    return {
        "labels": labels,
        "annotations": metadata.get("annotations") or {},
        "owners": [each["kind"] for each in metadata.get("ownerReferences") or []],
        "finalizers": metadata.get("finalizers") or [],
        "going": "deletionTimestamp" in metadata,
        "spec": _without(found.get("spec") or {}, _LEFT_OUT),
    }


def _status(status: JSON, numbered_from: int) -> JSON:
    stable, current = (status.get(each) or {} for each in ("stableRevision", "currentRevision"))
    weights = status.get("weights") or {}
    return {
        **{name: status.get(name) for name in OF_THE_STATUS},
        "conditions": {
            each["type"]: (each["status"], each["reason"])
            for each in status.get("conditions") or []
        },
        "weights": [weights.get(each) for each in ("desired", "applied", "routes")],
        "revisions": [int(each.get("number", 0)) - numbered_from for each in (stable, current)],
        "history": [
            each["reason"]
            for each in status.get("history") or []
            if each.get("revision") == stable.get("number")
        ],
    }


def _without(found: JSON, names: Any) -> JSON:
    return {name: value for name, value in found.items() if name not in names}
