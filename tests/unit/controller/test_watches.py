"""What wakes Rollouts up, and what does not."""

import pytest

from rollouts.controller.watches import WATCHED
from rollouts.kube.cache import KindCache
from rollouts.kube.paths import WatchScope
from rollouts.model.kinds import AUTOSCALER, DISRUPTION_BUDGET, JSON, SCALED_OBJECT, Kind, Ref

KINDS = (AUTOSCALER, DISRUPTION_BUDGET, SCALED_OBJECT)


def found(version: int, **parts: JSON) -> JSON:
    metadata = {"namespace": "shop", "name": "web", "uid": "1", "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": {"minReplicas": 1, "minAvailable": 1}, **parts}


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_status_of_what_scales_or_protects_pods_wakes_nobody_up(kind: Kind) -> None:
    """It changes with every pod, or every 15 seconds, and nothing that we do depends on it."""
    cache = KindCache(kind, WATCHED[kind])
    ref = Ref(kind, "shop", "web")
    assert cache.watched(WatchScope(), "ADDED", found(1, status={"currentReplicas": 1})) == [ref]
    changed = {"currentReplicas": 2, "conditions": [{"type": "ScalingActive", "status": "True"}]}
    assert cache.watched(WatchScope(), "MODIFIED", found(2, status=changed)) == []
    spec = {"minAvailable": 2, "minReplicas": 2}
    assert cache.watched(WatchScope(), "MODIFIED", found(3, status=changed, spec=spec)) == [ref]
