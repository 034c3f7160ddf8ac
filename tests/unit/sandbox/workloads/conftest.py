"""A store with its controllers, settled step by step, and pods that become ready when told."""

import datetime as dt

import pytest

from rollouts.model.kinds import (
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    ENDPOINT_SLICE,
    EVENT,
    JSON,
    POD,
    REPLICA_SET,
    SERVICE,
    Kind,
)
from rollouts.sandbox.apiserver.etcd import Change
from rollouts.sandbox.apiserver.objects import timestamp
from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.workloads.deployments import Deployments
from rollouts.sandbox.workloads.disruptions import Disruptions
from rollouts.sandbox.workloads.endpoints import EndpointSlices
from rollouts.sandbox.workloads.objects import is_active
from rollouts.sandbox.workloads.replicasets import ReplicaSets

NAMESPACE = "default"


class World:
    """The controllers without a kubelet: tests say what pods do. Time moves when told."""

    def __init__(self) -> None:
        self.now = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
        self.store = Store(now=lambda: self.now)
        self._slices = EndpointSlices(self.store)
        self._controllers = (
            (REPLICA_SET, ReplicaSets(self.store)),
            (DEPLOYMENT, Deployments(self.store)),
            (SERVICE, self._slices),
            (DISRUPTION_BUDGET, Disruptions(self.store)),
        )

    def settle(self) -> None:
        """Reconcile everything until nothing changes any more."""
        for _ in range(100):
            before = self.store.revision
            self.reconcile()
            if self.store.revision == before:
                return
        raise AssertionError("the controllers never settle")

    def reconcile(self) -> None:
        """Reconcile everything once."""
        for kind, controller in self._controllers:
            for obj in self.store.select(kind, NAMESPACE):
                controller.reconcile((NAMESPACE, obj["metadata"]["name"]))

    def later(self, seconds: float) -> None:
        self.now += dt.timedelta(seconds=seconds)
        self.settle()

    def names(self, kind: Kind) -> list[str]:
        return [obj["metadata"]["name"] for obj in self.store.select(kind, NAMESPACE)]

    def pods(self) -> list[JSON]:
        return [pod for pod in self.store.select(POD, NAMESPACE) if is_active(pod)]

    def get(self, kind: Kind, name: str) -> JSON:
        found = self.store.get(kind, NAMESPACE, name)
        assert found is not None
        return found

    def bind(self, name: str, address: str = "127.9.1.1") -> None:
        """Let the pod run, with an address, not ready."""
        self.store.patch(POD, NAMESPACE, name, {"spec": {"nodeName": "sandbox"}})
        self.set_ready(name, ready=False, address=address)

    def set_ready(self, name: str, *, ready: bool, address: str = "127.9.1.1") -> None:
        condition = {
            "type": "Ready",
            "status": str(ready),
            "lastTransitionTime": timestamp(self.now),
        }
        status = {"phase": "Running", "podIP": address, "conditions": [condition]}
        self.store.patch(POD, NAMESPACE, name, {"status": status}, "status")

    def all_ready(self) -> None:
        """Let every pod become ready, and those that are going be gone, until all is settled."""
        for _ in range(50):
            before = self.store.revision
            for number, pod in enumerate(self.store.select(POD, NAMESPACE), start=1):
                name = pod["metadata"]["name"]
                if not is_active(pod):
                    self.store.delete(POD, NAMESPACE, name, grace_seconds=0)
                elif not pod["status"].get("conditions"):
                    self.bind(name, f"127.9.1.{number}")
                    self.set_ready(name, ready=True, address=f"127.9.1.{number}")
            self.settle()
            if self.store.revision == before:
                return
        raise AssertionError("the pods never settle")

    def keys_of(self, change: Change) -> list[tuple[str, str]]:
        return list(self._slices.keys(change))

    def events(self) -> list[str]:
        return [event["reason"] for event in self.store.select(EVENT, NAMESPACE)]

    def endpoints(self, service: str) -> list[JSON]:
        label = {"kubernetes.io/service-name": service}
        found = self.store.select(ENDPOINT_SLICE, NAMESPACE, label)
        return [endpoint for each in found for endpoint in each["endpoints"] or ()]


@pytest.fixture
def world() -> World:
    return World()
