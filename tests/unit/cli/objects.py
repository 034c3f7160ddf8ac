"""Hand-made objects as a cluster would return them."""

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

from rollouts.core.template import template_hash
from rollouts.model.kinds import HASH_LABEL, JSON, REVISION_LABEL
from rollouts.model.moments import format_time

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def ago(seconds: float) -> str:
    return format_time(NOW - timedelta(seconds=seconds))


def template(version: int) -> JSON:
    return {
        "metadata": {"labels": {"app": "checkout"}},
        "spec": {
            "containers": [
                {"name": "web", "image": f"demo/checkout:{version}.0"},
                {"name": "proxy", "image": "demo/proxy:1"},
            ]
        },
    }


def hash_of(version: int) -> str:
    return template_hash(template(version))


def revision(number: int) -> JSON:
    return {"number": number, "hash": hash_of(number), "images": [f"demo/checkout:{number}.0"]}


def history(reason: str, number: int, seconds_ago: float, message: str = "") -> JSON:
    text = message or f"revision {number}: {reason}"
    return {"at": ago(seconds_ago), "reason": reason, "message": text, "revision": number}


def rollout(version: int, status: JSON | None = None, **changes: Any) -> JSON:
    """A Rollout whose present template is that of `version`; generation is the version."""
    made: JSON = {
        "apiVersion": "rollouts.dev/v1alpha1",
        "kind": "Rollout",
        "metadata": {
            "name": "checkout",
            "namespace": "shop",
            "uid": "u1",
            "generation": version,
            "resourceVersion": "1",
            "creationTimestamp": ago(3600),
        },
        "spec": {
            "replicas": 4,
            "selector": {"matchLabels": {"app": "checkout"}},
            "template": template(version),
            "strategy": {
                "canary": {
                    "stableService": "checkout",
                    "trafficRouting": {"nginx": {"stableIngresses": ["checkout"]}},
                    "steps": [
                        {"setWeight": 5},
                        {"pause": {"duration": "2m"}},
                        {"setWeight": 25},
                        {"analysis": {"duration": "5m"}},
                        {"setCanaryScale": {"replicas": 3}},
                        {"setWeight": 50},
                        {"pause": {}},
                    ],
                }
            },
            "successCriteria": [
                {"name": "errors", "errorRate": {"max": "1%"}},
                {"name": "p99", "latency": {"quantile": 0.99, "max": "500ms"}},
                {"name": "conversion", "query": {"promql": "x", "min": 0.8}},
            ],
        },
    }
    if status is not None:
        made["status"] = status
    made["metadata"].update(changes)
    return made


def healthy(version: int) -> JSON:
    """Return the status of a settled Rollout."""
    return {
        "observedGeneration": version,
        "phase": "Healthy",
        "message": f"revision {version} (demo/checkout:{version}.0) is stable",
        "stableRevision": revision(version),
        "currentRevision": revision(version),
        "step": "7/7",
        "weights": {"desired": 100, "applied": 100},
        "replicas": 4,
        "readyReplicas": 4,
        "history": [history("Promoted", version, 600)],
    }


def progressing(version: int, **changes: Any) -> JSON:
    """Return the status in the middle of a canary from `version` - 1 to `version`."""
    return {
        "observedGeneration": version,
        "phase": "Progressing",
        "message": "step 4/7 at 25 %: runs its analysis for 5m",
        "stableRevision": revision(version - 1),
        "currentRevision": revision(version),
        "currentStepIndex": 3,
        "step": "4/7",
        "stepStartedAt": ago(41),
        "startedAt": ago(200),
        "exposedAt": ago(180),
        "weights": {"desired": 25, "applied": 25, "appliedAt": ago(42), "served": 24.62},
        "replicas": 4,
        "readyReplicas": 4,
        "exposure": {"canaryRequests": 1234, "canaryFailures": 3},
        "criteria": [
            criterion(
                "errors", "inconclusive", 0.0024, 0.01, requests=1234, failures=3, needed=1900
            ),
            criterion("p99", "pass", 0.132, 0.5, requests=1234, failures=2),
            {"name": "conversion", "verdict": "pass", "value": 0.8512, "limit": 0.8},
        ],
        "history": [
            history("Promoted", version - 1, 600),
            history(
                "RolloutStarted", version, 200, "revision 3 is to replace revision 2 in 7 steps"
            ),
            history("WeightSet", version, 180, "the canary has 5 % of the traffic"),
            history("WeightSet", version, 42, "the canary has 25 % of the traffic"),
        ],
        **changes,
    }


def rolled_back(version: int) -> JSON:
    reason = "errors: 8.1% of 74 canary requests failed, 1% may (odds against it 212 : 1)"
    return progressing(
        version,
        phase="Degraded",
        message=f"revision {version} is rolled back to revision {version - 1}: {reason}",
        weights={"desired": 0, "applied": 0, "appliedAt": ago(2)},
        abort={"at": ago(3), "by": "rollouts", "reason": reason},
        criteria=[
            {**criterion("errors", "fail", 0.081, 0.01, requests=74, failures=6), "message": reason}
        ],
        history=[
            *progressing(version)["history"],
            history("RolledBack", version, 3, f"revision {version} is rolled back: {reason}"),
        ],
    )


def criterion(
    name: str,
    verdict: str,
    value: float,
    limit: float,
    *,
    requests: int,
    failures: int,
    needed: int | None = None,
) -> JSON:
    return {
        "name": name,
        "verdict": verdict,
        "value": value,
        "limit": limit,
        "requests": requests,
        "failures": failures,
        "stableRequests": 3702,
        "stableFailures": 4,
        "needed": needed,
        "message": "",
    }


def preflight(reason: str, message: str) -> JSON:
    return {
        "type": "Preflight",
        "status": "False",
        "reason": reason,
        "message": message,
        "lastTransitionTime": ago(60),
    }


def replica_set(number: int, replicas: int) -> JSON:
    return {
        "metadata": {
            "name": f"checkout-{hash_of(number)}",
            "namespace": "shop",
            "uid": f"rs{number}",
            "labels": {HASH_LABEL: hash_of(number), "app": "checkout"},
            "annotations": {REVISION_LABEL: str(number)},
            "ownerReferences": [
                {"kind": "Rollout", "name": "checkout", "uid": "u1", "controller": True}
            ],
        },
        "spec": {"replicas": replicas, "template": template(number)},
    }


def pod(number: int, suffix: str, *, problem: str = "", restarts: int = 0, old: int = 70) -> JSON:
    state = {"waiting": {"reason": problem}} if problem else {"running": {}}
    return {
        "metadata": {
            "name": f"checkout-{hash_of(number)}-{suffix}",
            "namespace": "shop",
            "uid": suffix,
            "labels": {"app": "checkout", HASH_LABEL: hash_of(number)},
            "creationTimestamp": ago(old),
            "ownerReferences": [{"kind": "ReplicaSet", "uid": f"rs{number}", "controller": True}],
        },
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "False" if problem else "True"}],
            "containerStatuses": [{"restartCount": restarts, "state": state}],
        },
    }


def changed(obj: JSON, **status: Any) -> JSON:
    """Return a copy with these fields of its status changed."""
    copied = copy.deepcopy(obj)
    copied["status"] = {**copied.get("status", {}), **status}
    return copied
