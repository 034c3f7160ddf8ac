"""Releases by switching a Service, or by the share of the pods: judged by the app's own metrics."""

from itertools import pairwise
from typing import Any

from rollouts.model.kinds import HASH_LABEL, JSON, POD, ROLLOUT
from rollouts.sandbox.load import Load
from tests.sandbox.releases import manifests
from tests.sandbox.releases.release import Release

PREVIEW = f"{manifests.NAME}-preview"
ERRORS: JSON = {**manifests.ERRORS, "onInconclusive": "proceed"}
"""Few requests reach a release of some seconds: only failures count in these stories."""


def template(version: str, **environment: str) -> JSON:
    """Return pods that Prometheus scrapes."""
    made = manifests.template(version, **environment)
    made["metadata"] = {**made["metadata"], "annotations": {"prometheus.io/scrape": "true"}}
    return made


def blue_green(**fields: Any) -> JSON:
    """Return a strategy with a bake that lasts as long as nothing fails."""
    usual: JSON = {
        "activeService": manifests.STABLE,
        "previewService": PREVIEW,
        "scaleDownDelaySeconds": 1,
        "abortScaleDownDelaySeconds": 1,
    }
    return {"blueGreen": {**usual, **fields}}


def by_replicas(*weights: int, pause: JSON | None = None, **fields: Any) -> JSON:
    """Return a strategy without a router, with a pause after each weight."""
    steps: list[JSON] = []
    for weight in weights:
        steps += [{"setWeight": weight}, {"pause": {"duration": "2s"} if pause is None else pause}]
    usual = {"scaleDownDelaySeconds": 1, "abortScaleDownDelaySeconds": 1}
    return {"canary": {"steps": steps, **usual, **fields}}


async def deploys(release: Release, strategy: JSON, **spec: Any) -> None:
    """Deploy version 1, and wait until it is Healthy."""
    spec = {"template": template("1"), "successCriteria": [ERRORS], **spec}
    await release.deploys([], strategy=strategy, **spec)


def updates_to(release: Release, version: str, **environment: str) -> None:
    release.edits(ROLLOUT, manifests.NAME, {"spec": {"template": template(version, **environment)}})


def hash_of(release: Release, which: str) -> str:
    """Return the hash of the stableRevision or the currentRevision."""
    return str((release.status.get(which) or {}).get("hash", ""))


def selected(release: Release, service: str) -> str:
    """Return the hash that a Service selects."""
    return release.selects(service).get(HASH_LABEL, "")


async def has_switched(release: Release) -> None:
    """Wait until the new revision is active, and status knows it."""
    await release.until(
        lambda: (
            release.status["weights"]["applied"] == 100
            and hash_of(release, "currentRevision")
            == selected(release, manifests.STABLE)
            != hash_of(release, "stableRevision")
        ),
        "the switch",
    )


def switches(release: Release, begin: int) -> int:
    """Return how often the controller has written to the active Service since then."""
    return sum(
        each.resource == "services" and each.name == manifests.STABLE
        for each in release.sandbox.audit.writes(release.namespace, begin)
    )


def pods_of(release: Release, hash_: str) -> list[JSON]:
    return release.objects.select(POD, release.namespace, {HASH_LABEL: hash_})


def ready(pods: list[JSON]) -> int:
    """Return how many of the pods are ready."""
    return sum(
        each["type"] == "Ready" and each["status"] == "True"
        for pod in pods
        for each in (pod.get("status") or {}).get("conditions") or ()
    )


def in_turn(load: Load, *versions: str) -> bool:
    """Return whether whoever asked after the first answer of a version had it from that one, or a later one."""
    known = load.report().versions
    return all(
        known[one].last_sent_at <= known[next_].first_at for one, next_ in pairwise(versions)
    )
