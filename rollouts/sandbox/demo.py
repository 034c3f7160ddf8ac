"""
The demo: a good release and a bad one, under steady traffic, measured by who sends it.

Everything is real but the app: the sandbox's controller decides, nginx splits, Prometheus
counts. Nothing is printed here; who shows it reads `Demo.stage`, `Demo.objects` and
`Demo.traffic` at any time.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import yaml

from rollouts.errors import Permanent
from rollouts.kube.requests import KubeRequests
from rollouts.model.kinds import (
    INGRESS,
    JSON,
    MANAGED_BY_LABEL,
    POD,
    REPLICA_SET,
    ROLLOUT,
    SERVICE,
    FrozenJSON,
    Kind,
    Ref,
)
from rollouts.model.status import RolloutStatus
from rollouts.sandbox.environment import Sandbox
from rollouts.sandbox.load import Load, LoadReport, Target
from rollouts.sandbox.release_report import PLANS, Measured, Plan, Release, Result

EXAMPLE = Path(__file__).parents[2] / "examples" / "canary-nginx.yaml"
REQUESTS_PER_SECOND = 50.0
NAMESPACE = "default"
FIRST_DEPLOY_SECONDS = 60.0
RELEASE_SECONDS = 120.0
SETTLE_SECONDS = 45.0
WARM_UP_SECONDS = 2.0

_WEIGHT = "nginx.ingress.kubernetes.io/canary-weight"


@dataclass(slots=True)
class Traffic:
    """What the demo knows of the traffic: the account so far, and since when the weight is 0."""

    load: Load
    weight_zero_at: datetime | None = None

    @property
    def report(self) -> LoadReport:
        return self.load.report()


class Demo:
    """The two releases, on a sandbox that runs."""

    def __init__(
        self,
        sandbox: Sandbox,
        *,
        example: Path = EXAMPLE,
        requests_per_second: float = REQUESTS_PER_SECOND,
        plans: Sequence[Plan] = PLANS,
    ) -> None:
        self._sandbox = sandbox
        self._documents = read_example(example)
        self._plans = plans
        rollout = self._one("Rollout")
        self._ref = Ref(ROLLOUT, NAMESPACE, rollout["metadata"]["name"])
        host = self._one("Ingress")["spec"]["rules"][0]["host"]
        self.traffic = Traffic(Load(Target(sandbox.ingress_url, host), requests_per_second))
        self.stage = "the app is deployed"

    def objects(self) -> tuple[JSON | None, list[JSON], list[JSON]]:
        """Return the Rollout, and the namespace's ReplicaSets and pods, as they are now."""
        store = self._sandbox.store
        return (
            store.get(ROLLOUT, NAMESPACE, self._ref.name),
            store.select(REPLICA_SET, NAMESPACE),
            store.select(POD, NAMESPACE),
        )

    async def run(self) -> list[Release]:
        """
        Deploy the app, and release by the plans, one after the other.

        Raises:
            Permanent: the app did not get healthy.
        """
        async with KubeRequests(self._sandbox.kubeconfig) as kube:
            await self._deploy(kube)
            async with _sending(self.traffic.load), self._watching_weight():
                await asyncio.sleep(WARM_UP_SECONDS)
                return [await self._release(kube, plan) for plan in self._plans]

    def _one(self, kind: str) -> JSON:
        for document in self._documents:
            if document["kind"] == kind:
                return document
        raise Permanent(f"the example has no {kind}")

    async def _deploy(self, kube: KubeRequests) -> None:
        for document in self._documents:
            metadata = {**document["metadata"], "namespace": NAMESPACE}
            await kube.apply(_kind(document), {**document, "metadata": metadata})
        try:
            async with asyncio.timeout(FIRST_DEPLOY_SECONDS):
                await self._until(kube, lambda status: status.phase == "Healthy")
        except TimeoutError:
            status = await self._status(kube)
            raise Permanent(f"the app did not get healthy: {status.message}") from None

    async def _release(self, kube: KubeRequests, plan: Plan) -> Release:
        self.stage = f"release {plan.version} ({plan.name}) is under way"
        before, began_at = self.traffic.report, datetime.now(UTC)
        changed = await kube.patch(self._ref, self._template(await kube.get(self._ref), plan))
        generation = int(changed["metadata"]["generation"])
        outcome: Result = "timed-out"
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                status = await self._until(kube, lambda seen: _is_over(seen, generation))
                outcome = "rolled-back" if status.abort is not None else "promoted"
        except TimeoutError:
            status = await self._status(kube)
        ended_at, at_end = datetime.now(UTC), self.traffic.report
        self.stage = f"release {plan.version} ({plan.name}) is {outcome}; its pods settle"
        await self._settle()
        measured = Measured(plan, before, at_end, self.traffic.report)
        return measured.release(
            outcome,
            _words(status, outcome),
            (ended_at - began_at).total_seconds(),
            self.traffic.weight_zero_at,
        )

    def _template(self, rollout: JSON, plan: Plan) -> JSON:
        """Return the patch that makes the release: another image, another environment."""
        pod = rollout["spec"]["template"]["spec"]
        container = pod["containers"][0]
        wanted = {"VERSION": plan.version, "ERROR_RATE": "0%", **plan.environment}
        changed = {
            **container,
            "image": f"{container['image'].rpartition(':')[0]}:{plan.version}",
            "env": [{"name": name, "value": value} for name, value in wanted.items()],
        }
        return {
            "metadata": {"resourceVersion": rollout["metadata"]["resourceVersion"]},
            "spec": {"template": {"spec": {"containers": [changed, *pod["containers"][1:]]}}},
        }

    async def _settle(self) -> None:
        """Return when only the stable revision has pods, or after `SETTLE_SECONDS`: their end is part of it."""
        store = self._sandbox.store
        try:
            async with asyncio.timeout(SETTLE_SECONDS), aclosing(store.changes(POD)) as changes:
                async for _ in changes:
                    rollout = store.get(ROLLOUT, NAMESPACE, self._ref.name) or {}
                    stable = (rollout.get("status") or {}).get("stableRevision") or {}
                    pods = store.select(POD, NAMESPACE)
                    if all(stable.get("hash") in pod["metadata"]["name"] for pod in pods):
                        return
        except TimeoutError:
            return

    async def _until(
        self, kube: KubeRequests, holds: Callable[[RolloutStatus], bool]
    ) -> RolloutStatus:
        async with aclosing(kube.watch(self._ref)) as states:
            async for state in states:
                status = _status(state)
                if holds(status):
                    return status
        raise AssertionError("a watch never ends by itself")

    async def _status(self, kube: KubeRequests) -> RolloutStatus:
        return _status(await kube.get(self._ref))

    @asynccontextmanager
    async def _watching_weight(self) -> AsyncIterator[None]:
        """Note when the canary Ingress's weight becomes 0, or the Ingress goes."""

        async def watch() -> None:
            async with aclosing(self._sandbox.store.changes(INGRESS)) as changes:
                async for change in changes:
                    metadata = change.object["metadata"]
                    if MANAGED_BY_LABEL not in (metadata.get("labels") or {}):
                        continue
                    weight = (metadata.get("annotations") or {}).get(_WEIGHT, "0")
                    if change.type != "DELETED" and weight != "0":
                        self.traffic.weight_zero_at = None
                    elif self.traffic.weight_zero_at is None:
                        self.traffic.weight_zero_at = datetime.now(UTC)

        async with _running(watch()):
            yield


def read_example(path: Path) -> list[JSON]:
    """
    Return the documents of the app that is released.

    Raises:
        Permanent: it is not there.
    """
    try:
        return [document for document in yaml.safe_load_all(path.read_text()) if document]
    except FileNotFoundError:
        raise Permanent(
            f"{path} is missing: the demo runs from a checkout of the project, with its examples"
        ) from None


def _is_over(status: RolloutStatus, generation: int) -> bool:
    """Return whether the revision of this generation is promoted, or rolled back."""
    stable, current = status.stable_revision, status.current_revision
    if status.observed_generation < generation or stable is None or current is None:
        return False
    return status.abort is not None or (status.phase == "Healthy" and stable.hash == current.hash)


def _words(status: RolloutStatus, outcome: Result) -> str:
    """Return the controller's own sentence about the outcome."""
    if status.abort is not None:
        return status.abort.reason
    said = [entry.message for entry in status.history if entry.reason == "Promoted"]
    return said[-1] if said and outcome == "promoted" else status.message


def _status(rollout: FrozenJSON | None) -> RolloutStatus:
    return RolloutStatus.model_validate((rollout or {}).get("status") or {})


def _kind(document: FrozenJSON) -> Kind:
    for kind in (SERVICE, INGRESS, ROLLOUT):
        if (kind.api_version, kind.name) == (document["apiVersion"], document["kind"]):
            return kind
    raise Permanent(f"the demo can't apply a {document['kind']}")


@asynccontextmanager
async def _sending(load: Load) -> AsyncIterator[None]:
    """Send while the block runs; all answers are in when it has ended."""
    sending = asyncio.create_task(load.run(), name="load")
    try:
        yield
    finally:
        load.stop()
        await sending


@asynccontextmanager
async def _running(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
