"""
The demo: a good release and a bad one, under steady traffic, measured by who sends it.

Everything is real but the app: the sandbox's controller decides, its data plane splits, Prometheus
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
from rollouts.model.kinds import (
    JSON,
    POD,
    REPLICA_SET,
    ROLLOUT,
    FrozenJSON,
)
from rollouts.sandbox.apiserver.ownership import Writer
from rollouts.sandbox.embedded import install
from rollouts.sandbox.environment import Sandbox
from rollouts.sandbox.load import Load, LoadReport, Target
from rollouts.sandbox.release_report import PLANS, Measured, Plan, Release, Result

EXAMPLE = Path("examples", "canary-nginx.yaml")
REQUESTS_PER_SECOND = 50.0
NAMESPACE = "default"
FIRST_DEPLOY_SECONDS = 60.0
RELEASE_SECONDS = 120.0
SETTLE_SECONDS = 45.0
WARM_UP_SECONDS = 2.0

_PRESENTER = Writer("rollouts-demo")


@dataclass(slots=True)
class Traffic:
    """What the demo knows of the traffic: the account so far, and since when the canary's applied weight is 0."""

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
        example: Path | None = None,
        requests_per_second: float = REQUESTS_PER_SECOND,
        plans: Sequence[Plan] = PLANS,
    ) -> None:
        self._sandbox = sandbox
        self._documents = read_example(example or find_example())
        self._plans = plans
        self._name = self._one("Rollout")["metadata"]["name"]
        host = self._one("Ingress")["spec"]["rules"][0]["host"]
        self.traffic = Traffic(Load(Target(sandbox.ingress_url, host), requests_per_second))
        self.stage = "the app is deployed"

    def objects(self) -> tuple[JSON | None, list[JSON], list[JSON]]:
        """Return the Rollout, and the namespace's ReplicaSets and pods, as they are now."""
        store = self._sandbox.store
        return (
            store.get(ROLLOUT, NAMESPACE, self._name),
            store.select(REPLICA_SET, NAMESPACE),
            store.select(POD, NAMESPACE),
        )

    async def run(self) -> list[Release]:
        """
        Deploy the app, and release by the plans, one after the other.

        Raises:
            Permanent: the app did not get healthy.
        """
        await self._deploy()
        async with _sending(self.traffic.load), self._watching_weight():
            await asyncio.sleep(WARM_UP_SECONDS)
            return [await self._release(plan) for plan in self._plans]

    def _one(self, kind: str) -> JSON:
        for document in self._documents:
            if document["kind"] == kind:
                return document
        raise Permanent(
            f"the demo's example has no {kind}; give one that has a Rollout and an Ingress"
        )

    async def _deploy(self) -> None:
        for document in self._documents:
            metadata = {**document["metadata"], "namespace": NAMESPACE}
            install(self._sandbox.store, {**document, "metadata": metadata}, _PRESENTER)
        try:
            async with asyncio.timeout(FIRST_DEPLOY_SECONDS):
                await self._until(lambda status: status.get("phase") == "Healthy")
        except TimeoutError:
            message = _status(self._rollout()).get("message", "")
            raise Permanent(
                f"the demo's app did not become Healthy within {FIRST_DEPLOY_SECONDS:g} s: {message};"
                " try again with less running beside it, or see why in one that stays: `rollouts sandbox up`"
            ) from None

    async def _release(self, plan: Plan) -> Release:
        self.stage = f"release {plan.version} ({plan.name}) is under way"
        before, began_at = self.traffic.report, datetime.now(UTC)
        changed = self._sandbox.store.replace(
            ROLLOUT, _with_template(self._rollout(), plan), writer=_PRESENTER
        )
        generation = changed["metadata"]["generation"]
        outcome: Result = "timed-out"
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                status = await self._until(lambda seen: _is_over(seen, generation))
                outcome = "rolled-back" if status.get("abort") else "promoted"
        except TimeoutError:
            status = _status(self._rollout())
        ended_at, at_end = datetime.now(UTC), self.traffic.report
        self.stage = (
            f"release {plan.version} ({plan.name}) is {outcome.replace('-', ' ')}; its pods settle"
        )
        await self._settle()
        measured = Measured(plan, before, at_end, self.traffic.report)
        return measured.release(
            outcome,
            _words(status, outcome),
            (ended_at - began_at).total_seconds(),
            self.traffic.weight_zero_at,
        )

    async def _settle(self) -> None:
        """Return when only the stable revision has pods, or after `SETTLE_SECONDS`: their end is part of it."""
        store = self._sandbox.store
        try:
            async with asyncio.timeout(SETTLE_SECONDS), aclosing(store.changes(POD)) as changes:
                async for _ in changes:
                    stable = _status(self._rollout()).get("stableRevision") or {}
                    pods = store.select(POD, NAMESPACE)
                    if all(stable.get("hash") in pod["metadata"]["name"] for pod in pods):
                        return
        except TimeoutError:
            return

    async def _until(self, holds: Callable[[JSON], bool]) -> JSON:
        """Return the Rollout's status, as soon as it is what is waited for."""
        async with aclosing(self._sandbox.store.changes(ROLLOUT)) as changes:
            async for change in changes:
                status = _status(change.object)
                if change.object["metadata"]["name"] == self._name and holds(status):
                    return status
        raise AssertionError("changes never end by themselves")

    def _rollout(self) -> JSON:
        return self._sandbox.store.get(ROLLOUT, NAMESPACE, self._name) or {}

    @asynccontextmanager
    async def _watching_weight(self) -> AsyncIterator[None]:
        """Note when the canary's routes are confirmed to have weight 0."""

        async def watch() -> None:
            async with aclosing(self._sandbox.store.changes(ROLLOUT)) as changes:
                async for change in changes:
                    if change.object["metadata"]["name"] != self._name:
                        continue
                    weights = _status(change.object).get("weights") or {}
                    if weights.get("applied"):
                        self.traffic.weight_zero_at = None
                    elif self.traffic.weight_zero_at is None:
                        self.traffic.weight_zero_at = datetime.now(UTC)

        async with _running(watch()):
            yield


def find_example() -> Path:
    """Return the example of the checkout that this code is in; else of the one that we are in."""
    beside = Path(__file__).parents[2] / EXAMPLE
    return beside if beside.exists() else Path.cwd() / EXAMPLE


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


def _with_template(rollout: JSON, plan: Plan) -> JSON:
    """Return the Rollout with what makes the release: another image, another environment."""
    container = rollout["spec"]["template"]["spec"]["containers"][0]
    wanted = {"VERSION": plan.version, "ERROR_RATE": "0%", **plan.environment}
    container["image"] = f"{container['image'].rpartition(':')[0]}:{plan.version}"
    container["env"] = [{"name": name, "value": value} for name, value in wanted.items()]
    return rollout


def _is_over(status: FrozenJSON, generation: int) -> bool:
    """Return whether the revision of this generation is promoted, or rolled back."""
    stable, current = status.get("stableRevision"), status.get("currentRevision")
    if status.get("observedGeneration", 0) < generation or not stable or not current:
        return False
    promoted = status["phase"] == "Healthy" and stable["hash"] == current["hash"]
    return "abort" in status or promoted


def _words(status: FrozenJSON, outcome: Result) -> str:
    """Return the controller's own sentence about the outcome."""
    if "abort" in status:
        return str(status["abort"]["reason"])
    history = status.get("history") or ()
    said = [entry["message"] for entry in history if entry["reason"] == "Promoted"]
    return str(said[-1] if said and outcome == "promoted" else status.get("message", ""))


def _status(rollout: FrozenJSON) -> JSON:
    return rollout.get("status") or {}


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
