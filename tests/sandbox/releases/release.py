"""A release: a Rollout with its Service, its Ingress and its traffic, in words for tests."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import yaml

from rollouts.model.kinds import (
    COMMAND_ANNOTATION,
    EVENT,
    JSON,
    POD,
    REPLICA_SET,
    ROLLOUT,
    SERVICE,
    Kind,
)
from rollouts.model.routers.nginx import INGRESS
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.load import Load, Target
from tests.sandbox.releases import manifests
from tests.waiting import served, until

if TYPE_CHECKING:
    from tests.sandbox.releases.sandbox import ReleaseSandbox
    from tests.sandbox.releases.verbs import Ended

PATIENCE_SECONDS = 120.0


class Release:
    """Given, when and then about the Rollout `web` in one namespace."""

    def __init__(self, sandbox: "ReleaseSandbox", namespace: str) -> None:
        self.sandbox = sandbox
        self.objects = sandbox.objects
        self.namespace = namespace
        self.host = f"{namespace}.example"
        self.patience_seconds = PATIENCE_SECONDS
        """How long anything is waited for."""
        self._seen: dict[tuple[Kind, str], JSON | None] = {}
        self._seen_at = -1

    # Given.

    async def deploys(self, steps: list[JSON] | None = None, **spec: Any) -> None:
        """Deploy version 1, and wait until it is Healthy and answers."""
        self.create(SERVICE, manifests.service(self.namespace))
        self.create(INGRESS, manifests.ingress(self.namespace))
        self.create(ROLLOUT, self.rollout_body(steps, **spec))
        await self.is_healthy()
        await served(self.sandbox.ingress_url, self.host)

    def rollout_body(self, steps: list[JSON] | None = None, **spec: Any) -> JSON:
        return manifests.rollout(
            self.namespace, manifests.FOUR_STEPS if steps is None else steps, **spec
        )

    def create(self, kind: Kind, body: JSON) -> JSON:
        return self.objects.create(kind, body)

    @asynccontextmanager
    async def traffic(
        self, rate: float = 20.0, headers: dict[str, str] | None = None, **target: str
    ) -> AsyncIterator[Load]:
        """Send steady traffic; `target` may say another url, path or method."""
        usual = {"url": self.sandbox.ingress_url, "host": self.host}
        load = Load(Target(**{**usual, **target}, headers=headers or {}), rate)
        task = asyncio.create_task(load.run())
        try:
            yield load
        finally:
            load.stop()
            await task

    # When.

    def updates_to(self, version: str, **environment: str) -> None:
        self.edits(
            ROLLOUT,
            manifests.NAME,
            {"spec": {"template": manifests.template(version, **environment)}},
        )

    def edits(self, kind: Kind, name: str, patch: JSON) -> None:
        """Merge-patch an object, as somebody would by hand."""
        self.objects.patch(kind, self.namespace, name, patch)

    def has_steps(self, steps: list[JSON]) -> None:
        """Change the steps."""
        self.edits(ROLLOUT, manifests.NAME, {"spec": {"strategy": manifests.strategy(steps)}})

    def commands(self, verb: str) -> None:
        """Annotate the bare verb, as kubectl does."""
        annotations = {COMMAND_ANNOTATION: verb}
        self.edits(ROLLOUT, manifests.NAME, {"metadata": {"annotations": annotations}})

    def removes(self, kind: Kind, name: str) -> None:
        self.objects.delete(kind, self.namespace, name)

    def ends(self) -> None:
        """Remove its objects, so that its pods go; some may have gone already, and no watch knows it yet."""
        for kind, name in (
            (ROLLOUT, manifests.NAME),
            (SERVICE, manifests.STABLE),
            (INGRESS, manifests.NAME),
        ):
            try:
                self.removes(kind, name)
            except ApiError as error:
                if error.code != 404:
                    raise

    async def rollouts(self, verb: str, *arguments: str) -> "Ended":
        return await self.sandbox.rollouts(verb, manifests.NAME, "-n", self.namespace, *arguments)

    async def kubectl(self, *arguments: str, given: JSON | None = None) -> "Ended":
        text = yaml.safe_dump(given) if given is not None else ""
        return await self.sandbox.kubectl("-n", self.namespace, *arguments, given=text)

    # Then.

    def get(self, kind: Kind, name: str) -> JSON | None:
        """Return the object; the same copy until something is written, for conditions ask again and again."""
        if self._seen_at != self.objects.revision:
            self._seen, self._seen_at = {}, self.objects.revision
        if (kind, name) not in self._seen:
            self._seen[kind, name] = self.objects.get(kind, self.namespace, name)
        return self._seen[kind, name]

    @property
    def rollout(self) -> JSON:
        return self.get(ROLLOUT, manifests.NAME) or {}

    @property
    def status(self) -> JSON:
        return dict(self.rollout.get("status") or {})

    @property
    def message(self) -> str:
        return str(self.status.get("message", ""))

    @property
    def phase(self) -> str:
        return str(self.status.get("phase", ""))

    @property
    def paused_for(self) -> str:
        return str((self.status.get("pause") or {}).get("reason", ""))

    @property
    def stable(self) -> int:
        """The number of the stable revision; 0 when there is none."""
        return int((self.status.get("stableRevision") or {}).get("number", 0))

    def criterion(self, name: str) -> JSON:
        found = self.status.get("criteria") or []
        return next((dict(each) for each in found if each["name"] == name), {"verdict": ""})

    def condition(self, kind: str) -> JSON:
        found = self.status.get("conditions") or []
        return next((dict(each) for each in found if each["type"] == kind), {"status": ""})

    @property
    def weight(self) -> int:
        """What the canary Ingress says; 0 when there is none."""
        annotations = self.canary_annotations
        return int(annotations.get(f"{manifests.ANNOTATION}/canary-weight", 0))

    @property
    def canary_annotations(self) -> dict[str, str]:
        found = self.get(INGRESS, manifests.CANARY_INGRESS)
        return dict(found["metadata"].get("annotations") or {}) if found else {}

    def selects(self, service: str) -> dict[str, str]:
        """Return the Service's selector; empty when it does not exist."""
        found = self.get(SERVICE, service)
        return dict(found["spec"].get("selector") or {}) if found else {}

    def pods(self) -> list[JSON]:
        return self.objects.select(POD, self.namespace)

    def replica_sets(self) -> list[JSON]:
        return self.objects.select(REPLICA_SET, self.namespace)

    def events(self, reason: str) -> list[str]:
        """Return what the events about the Rollout with this reason say."""
        return [
            str(event.get("message", ""))
            for event in self.objects.select(EVENT, self.namespace)
            if event.get("reason") == reason
            and event.get("involvedObject", {}).get("kind") == ROLLOUT.name
        ]

    async def until(
        self, condition: Callable[[], object], what: str = "", seconds: float | None = None
    ) -> None:
        """Wait for a condition; when it does not come, say what the Rollout says."""
        # Many releases ask at the same time, and looking at objects copies them.
        await until(
            condition,
            seconds or self.patience_seconds,
            account=lambda: f"{what}: {self.account()}",
            every_seconds=0.02,
        )

    async def serves(self, load: Load, requests: int) -> None:
        """Wait until so many more requests were sent."""
        goal = load.report().sent + requests
        await self.until(lambda: load.report().sent >= goal, f"{goal} requests")

    async def answers(self, load: Load, version: str) -> None:
        """Wait until a version has answered: a weight that is confirmed has not been used yet."""
        await self.until(lambda: version in load.report().versions, f"an answer of {version}")

    async def is_healthy(self) -> None:
        await self.until(
            lambda: (
                self.phase == "Healthy" and self.status["observedGeneration"] == self.generation
            ),
            "Healthy",
        )

    async def is_at(self, weight: int) -> None:
        """Wait until the weight is confirmed."""
        await self.until(
            lambda: self.weight == weight == self.status["weights"]["applied"], f"{weight} %"
        )

    async def is_promoted(self, revision: int = 2) -> None:
        await self.until(lambda: self.stable == revision, f"promotion of {revision}")
        await self.is_over()

    async def is_rolled_back(self) -> str:
        """Wait until the canary has no traffic and no pods; return why."""
        await self.until(lambda: self.status.get("abort"), "rollback")
        assert self.weight == 0 or self._was_refused(), "traffic first, status after"
        await self.is_over()
        return str(self.status["abort"]["reason"])

    def _was_refused(self) -> bool:
        """Return whether the last thing that was written to the canary's Ingress was refused: it was tried first."""
        tried = [
            each
            for each in self.sandbox.audit
            if (each.namespace, each.resource) == (self.namespace, INGRESS.plural)
            and each.verb in ("create", "patch", "delete")
        ]
        return bool(tried) and tried[-1].status >= 400

    async def is_over(self) -> None:
        """Wait until only the stable revision has pods and nothing routes to a canary."""
        await self.until(self._is_over, "the end")

    def _is_over(self) -> bool:
        hash_ = (self.status.get("stableRevision") or {}).get("hash", "?")
        return (
            self.phase in ("Healthy", "Degraded")
            and not self.status.get("retiring")
            and self.get(INGRESS, manifests.CANARY_INGRESS) is None
            and all(hash_ in pod["metadata"]["name"] for pod in self.pods())
        )

    @property
    def generation(self) -> int:
        return int(self.rollout["metadata"]["generation"])

    def account(self) -> str:
        """Return all that helps to understand a failure."""
        status = self.status
        history = [f"  {each['at']} {each['message']}" for each in status.pop("history", [])]
        status.pop("conditions", None)
        log = [
            line for line in self.sandbox.controller_log().splitlines() if self.namespace in line
        ]
        ours = [
            f"  {each['metadata']['name']} {(each.get('status') or {}).get('phase')}"
            for each in self.pods()
        ]
        return "\n".join(
            [f"weight {self.weight}", yaml.safe_dump(status), *history, *ours, *log[-10:]]
        )
