"""A store with a Deployment and autoscalers, whose metrics are what tests say."""

from typing import Any

import pytest

from rollouts.model.crd import crd
from rollouts.model.kinds import AUTOSCALER, CRD, DEPLOYMENT, JSON, POD, SCALED_OBJECT
from rollouts.sandbox.autoscaling.autoscaler import Autoscalers
from rollouts.sandbox.autoscaling.recommendation import NoMetrics
from rollouts.sandbox.autoscaling.replica_calculator import ReplicaCalculator, Timing
from rollouts.sandbox.autoscaling.scaled_objects import ScaledObjects
from rollouts.sandbox.autoscaling.usage import CpuUsage
from rollouts.sandbox.crds import definitions
from tests.unit.sandbox.workloads.conftest import World
from tests.unit.sandbox.workloads.objects import deployment, template

DEPLOYED = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
SETTLED_SECONDS = 600.0  # after which the CPU of a pod counts, whenever it became ready


class MetricValues:
    """What Prometheus would answer, by query."""

    def __init__(self) -> None:
        self.values: dict[str, list[float]] = {}
        self.asked: list[str] = []

    async def ask(self, promql: str) -> list[float]:
        self.asked.append(promql)
        if promql not in self.values:
            raise NoMetrics("Prometheus does not answer")
        return self.values[promql]


class Fleet:
    """The Deployment `web`, its controllers, and the autoscalers over it."""

    def __init__(self) -> None:
        self.world = World()
        self.store = self.world.store
        for body in definitions():
            self.store.create(CRD, body)
        self.store.create(CRD, crd())
        self.metric_values = MetricValues()
        self.cores = 0.0
        self._spent = 0.0
        self._seconds = 0.0
        self._cpu = CpuUsage(10, read=lambda _: self._spent, clock=lambda: self._seconds)
        self._scaled_objects = ScaledObjects(self.store, self.metric_values)
        calculator = ReplicaCalculator(self.store, self.metric_values, self._cpu, Timing())
        self._autoscalers = Autoscalers(self.store, calculator)

    def deploy(self, replicas: int, cpu: str | None = "500m") -> None:
        resources = {"requests": {"cpu": cpu}} if cpu else {}
        body = deployment(replicas, template=template("v1", resources=resources))
        self.store.create(DEPLOYMENT, body)
        self.settle()
        self.world.later(SETTLED_SECONDS)

    def settle(self) -> None:
        """Let pods become ready, each with a process of its own."""
        self.world.all_ready()
        began = self.world.now.isoformat()
        for number, pod in enumerate(self.store.select(POD)):
            if not pod["status"].get("containerStatuses"):
                container = {"name": "web", "containerID": f"process://{number + 1}"}
                status = {"containerStatuses": [container], "startTime": began}
                name = pod["metadata"]["name"]
                self.store.patch(POD, "default", name, {"status": status}, "status")

    async def sync(self, seconds: float = 10) -> None:
        """Let time go by, and look once; every pod uses `cores` meanwhile."""
        self._seconds += seconds
        self._spent += self.cores * seconds
        self.world.later(seconds)
        await self._scaled_objects.sync()
        await self._autoscalers.sync()
        self.settle()

    async def uses(self, cores: float) -> None:
        """Let every pod use that many cores, for two looks: the first only begins to measure."""
        self.cores = cores
        await self.sync(0)
        await self.sync()

    @property
    def size(self) -> int:
        return int(self.world.get(DEPLOYMENT, "web")["spec"]["replicas"])

    def autoscale(self, metrics: list[JSON] | None = None, **spec: Any) -> None:
        body: JSON = {"scaleTargetRef": DEPLOYED, "minReplicas": 1, "maxReplicas": 10, **spec}
        if metrics is not None:
            body["metrics"] = metrics
        meta = {"name": "web", "namespace": "default"}
        self.store.create(AUTOSCALER, {"metadata": meta, "spec": body})

    def scaled_object(self, *triggers: JSON, **spec: Any) -> None:
        meta = {"name": "web", "namespace": "default"}
        body = {"scaleTargetRef": {"name": "web"}, "triggers": list(triggers), **spec}
        self.store.create(SCALED_OBJECT, {"metadata": meta, "spec": body})

    def status(self, name: str = "web") -> JSON:
        found: JSON = self.world.get(AUTOSCALER, name).get("status") or {}
        return found

    def condition(self, kind: str, name: str = "web") -> str:
        found = {each["type"]: each for each in self.status(name)["conditions"]}
        return f"{found[kind]['status']} {found[kind]['reason']}"


def external(target: int | str, kind: str = "AverageValue", **labels: str) -> JSON:
    field = {"AverageValue": "averageValue", "Value": "value"}[kind]
    metric: JSON = {"name": "orders_open"}
    if labels:
        metric["selector"] = {"matchLabels": labels}
    source = {"metric": metric, "target": {"type": kind, field: target}}
    return {"type": "External", "external": source}


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()
