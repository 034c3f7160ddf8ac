"""A control loop whose Rollout has the place of a Deployment."""

from typing import Any

from rollouts.core.world import DETACH
from rollouts.model.kinds import DEPLOYMENT, JSON, POD, ROLLOUT, SERVICE, Ref
from tests.fakes.control_loop import CRITERIA, STEPS, ControlLoop
from tests.fakes.deployments import Deployments, deployment
from tests.fakes.kubernetes import rollout

WORKLOAD = Ref(DEPLOYMENT, "shop", "checkout")


class Served(Deployments):
    """Never has fewer pods in the stable Service than there were at the beginning."""

    def settle(self) -> None:
        super().settle()
        service = self.cluster.get(Ref(SERVICE, "shop", "checkout"))
        assert service is not None
        assert len(self.cluster.select(POD, "shop", service["spec"]["selector"])) >= 4


class AdoptingControlLoop(ControlLoop):
    """A control loop whose Rollout takes the place of a Deployment, watched for what users would meet."""

    def __init__(self, **workload: Any) -> None:
        super().__init__()
        self.cluster.put(DEPLOYMENT, deployment(**workload))
        self.kubernetes = Served(self.cluster)
        self.kubernetes.settle()

    def apply(self, **changes: Any) -> None:
        ref = {"name": "checkout", **changes.pop("workloadRef", {})}
        body = rollout(STEPS, **({"successCriteria": CRITERIA, "workloadRef": ref} | changes))
        del body["spec"]["template"]
        del body["spec"]["selector"]
        self.cluster.put(ROLLOUT, body)

    def release(self, image: str) -> None:
        self.cluster.edit(WORKLOAD, {"spec": {"template": deployment(image)["spec"]["template"]}})

    @property
    def workload(self) -> JSON:
        found = self.cluster.get(WORKLOAD)
        assert found is not None
        return found

    async def adopted(self, **changes: Any) -> "AdoptingControlLoop":
        self.apply(**changes)
        await self.until(lambda: self.workload["spec"]["replicas"] == 0)
        await self.round()
        return self

    def detach(self, finalizer: str = DETACH) -> None:
        metadata = {"finalizers": [finalizer], "deletionTimestamp": "2030-01-01T00:00:00Z"}
        self.edit({"metadata": metadata})

    async def gone(self) -> None:
        """Wait until the last finalizer has been taken away."""
        await self.until(lambda: not self.rollout["metadata"].get("finalizers"))
