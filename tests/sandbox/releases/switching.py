"""Shops that release by switching a Service, or by the share of the pods: judged by the app's own metrics."""

from itertools import pairwise
from typing import Any

from rollouts.model.kinds import HASH_LABEL, JSON, POD, ROLLOUT
from rollouts.sandbox.load import Load
from tests.sandbox.releases import goods
from tests.sandbox.releases.shop import Shop

PREVIEW = f"{goods.NAME}-preview"
ERRORS: JSON = {**goods.ERRORS, "onInconclusive": "proceed"}
"""Few requests reach a release of some seconds: only failures count in these stories."""


def template(version: str, **environment: str) -> JSON:
    """Return pods that Prometheus scrapes."""
    made = goods.template(version, **environment)
    made["metadata"] = {**made["metadata"], "annotations": {"prometheus.io/scrape": "true"}}
    return made


def blue_green(**fields: Any) -> JSON:
    """Return a strategy with a bake that lasts as long as nothing fails."""
    usual: JSON = {
        "activeService": goods.STABLE,
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


async def opens(shop: Shop, strategy: JSON, **spec: Any) -> None:
    """Deploy version 1, and wait until it is Healthy."""
    spec = {"template": template("1"), "successCriteria": [ERRORS], **spec}
    await shop.opens([], strategy=strategy, **spec)


def releases(shop: Shop, version: str, **environment: str) -> None:
    shop.edits(ROLLOUT, goods.NAME, {"spec": {"template": template(version, **environment)}})


def hash_of(shop: Shop, which: str) -> str:
    """Return the hash of the stableRevision or the currentRevision."""
    return str((shop.status.get(which) or {}).get("hash", ""))


def selected(shop: Shop, service: str) -> str:
    """Return the hash that a Service selects."""
    return shop.selects(service).get(HASH_LABEL, "")


async def has_switched(shop: Shop) -> None:
    """Wait until the new revision is active, and status knows it."""
    await shop.until(
        lambda: (
            shop.status["weights"]["applied"] == 100
            and hash_of(shop, "currentRevision")
            == selected(shop, goods.STABLE)
            != hash_of(shop, "stableRevision")
        ),
        "the switch",
    )


def switches(shop: Shop, begin: int) -> int:
    """Return how often the controller has written to the active Service since then."""
    return sum(
        each.resource == "services" and each.name == goods.STABLE
        for each in shop.town.audit.writes(shop.namespace, begin)
    )


def pods_of(shop: Shop, hash_: str) -> list[JSON]:
    return shop.store.select(POD, shop.namespace, {HASH_LABEL: hash_})


def ready(pods: list[JSON]) -> int:
    """Return how many of the pods are ready."""
    return sum(
        each["type"] == "Ready" and each["status"] == "True"
        for pod in pods
        for each in (pod.get("status") or {}).get("conditions") or ()
    )


def in_turn(load: Load, *versions: str) -> bool:
    """Return whether each version had given its last answer before the next gave its first."""
    known = load.report().versions
    return all(known[one].last_at <= known[next_].first_at for one, next_ in pairwise(versions))
