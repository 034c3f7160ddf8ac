"""
Everything the cluster knows: what is stored, its writes, and what follows from them.

A new store has what every cluster has: its namespaces, a node, an admin.
"""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from rollouts.sandbox.apiserver.builtins import (
    CLUSTER_ROLE,
    NAMESPACE,
    NODE,
    SERVICE_ACCOUNT,
)
from rollouts.sandbox.apiserver.etcd import HISTORY, utc_now
from rollouts.sandbox.apiserver.garbage import Garbage
from rollouts.sandbox.apiserver.objects import timestamp
from rollouts.sandbox.apiserver.quota_counts import QuotaCounts
from rollouts.sandbox.apiserver.writes import Writes

if TYPE_CHECKING:
    from pathlib import Path

NODE_NAME = "sandbox"
NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


class Store(Writes):
    """
    A cluster's store, with its garbage collector.

    `logs` is where pods' logs are found: (namespace, pod, container) → file.
    """

    def __init__(self, *, now: Callable[[], datetime] = utc_now, history: int = HISTORY) -> None:
        super().__init__(now, history)
        self.logs: dict[tuple[str, str, str], Path] = {}
        self.followers += [Garbage(self), QuotaCounts(self)]
        _create_initial_objects(self)


def _create_initial_objects(store: Store) -> None:
    """Put what every cluster has into an empty store."""
    for name in NAMESPACES:
        store.create(NAMESPACE, {"metadata": {"name": name}})
    store.create(SERVICE_ACCOUNT, {"metadata": {"name": "default", "namespace": "default"}})
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "ready"}
    now = timestamp(store.now())
    ready |= {"lastTransitionTime": now, "lastHeartbeatTime": now}
    store.create(
        NODE, {"metadata": {"name": NODE_NAME, "labels": {"kubernetes.io/hostname": NODE_NAME}}}
    )
    store.patch(NODE, "", NODE_NAME, {"status": {"conditions": [ready]}}, "status")
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    store.create(CLUSTER_ROLE, {"metadata": {"name": "cluster-admin"}, "rules": [everything]})
