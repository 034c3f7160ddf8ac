"""One app in a sandbox that runs for real: what is done to it, and what is to be seen of it."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from bench.manifests import GOOD, NAME, Body, template
from bench.progress import say
from rollouts.controller.manifests import manifests
from rollouts.model.kinds import (
    COMMAND_ANNOTATION,
    DEPLOYMENT,
    HASH_LABEL,
    JSON,
    POD,
    ROLLOUT,
    SERVICE,
)
from rollouts.model.routers.nginx import INGRESS
from rollouts.sandbox.apiserver.builtins import NAMESPACE
from rollouts.sandbox.environment import Sandbox

PATIENCE_SECONDS = 90.0


@asynccontextmanager
async def sandbox(
    scrape_seconds: float = 1.0, kind: type[Sandbox] = Sandbox
) -> AsyncIterator[Sandbox]:
    """
    Run a sandbox of that kind with the real controller, in a directory that is gone afterwards.

    The controller measures as often as Prometheus scrapes.
    """
    with tempfile.TemporaryDirectory() as parent:
        installed = [each for each in manifests() if each["kind"] != "Deployment"]
        directory = Path(parent) / "sandbox"
        async with kind(
            directory, manifests=installed, scrape_seconds=scrape_seconds, say=say
        ) as running:
            yield running


async def until(
    condition: Callable[[], object], what: str, within_seconds: float = PATIENCE_SECONDS
) -> None:
    """
    Return when `condition()` holds.

    Raises:
        TimeoutError: it still does not; the message says `what`.
    """
    try:
        async with asyncio.timeout(within_seconds):
            while not condition():  # noqa: ASYNC110 - what it asks tells nobody
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise TimeoutError(f"{what}: not within {within_seconds:g} s") from None


class App:
    """The Rollout of a namespace, or the Deployment whose place it takes (`adopted`)."""

    def __init__(self, sandbox: Sandbox, namespace: str, *, adopted: bool = False) -> None:
        self.namespace = namespace
        self._store = sandbox.store
        self._template_of = DEPLOYMENT if adopted else ROLLOUT

    # What is done.

    def opens(self) -> None:
        """Make its namespace."""
        self._store.create(NAMESPACE, {"metadata": {"name": self.namespace}})

    def create(self, bodies: Iterable[Body]) -> None:
        for kind, body in bodies:
            self._store.create(kind, body)

    def releases(self, version: str, error_rate: str = GOOD) -> None:
        """Change the template, and nothing else."""
        spec = {"template": template(version, error_rate)}
        self._store.patch(self._template_of, self.namespace, NAME, {"spec": spec})

    def commands(self, verb: str) -> None:
        """Annotate the bare verb, as kubectl does."""
        annotations = {COMMAND_ANNOTATION: verb}
        self._store.patch(ROLLOUT, self.namespace, NAME, {"metadata": {"annotations": annotations}})

    def closes(self) -> None:
        """Remove what has pods, so that they go."""
        for kind in (ROLLOUT, DEPLOYMENT):
            if self._store.get(kind, self.namespace, NAME) is not None:
                self._store.delete(kind, self.namespace, NAME)

    # What is to be seen.

    @property
    def status(self) -> JSON:
        found = self._store.get(ROLLOUT, self.namespace, NAME) or {}
        return dict(found.get("status") or {})

    @property
    def step(self) -> int:
        """The index of the current step; -1 when no release is under way."""
        return int(self.status.get("currentStepIndex", -1))

    def images(self, which: str) -> list[str]:
        """Return the images of the stableRevision or the currentRevision."""
        return list((self.status.get(which) or {}).get("images") or ())

    def runs(self, which: str, version: str) -> bool:
        """Return whether that revision is this version."""
        return self.images(which) == [f"bench/{NAME}:{version}"]

    @property
    def active_hash(self) -> str:
        """The hash that the Service selects."""
        found = self._store.get(SERVICE, self.namespace, NAME) or {"spec": {}}
        return str((found["spec"].get("selector") or {}).get(HASH_LABEL, ""))

    @property
    def available(self) -> int:
        """How many pods the Deployment has to offer."""
        found = self._store.get(DEPLOYMENT, self.namespace, NAME) or {}
        return int((found.get("status") or {}).get("availableReplicas", 0))

    @property
    def canary_weight(self) -> int:
        """What the canary Ingress says; 0 without one."""
        found = self._store.get(INGRESS, self.namespace, f"{NAME}-{NAME}-canary")
        if found is None:
            return 0
        return int(found["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"])

    @property
    def put_back(self) -> list[str]:
        """What the controller says that somebody else changed, and it has put back."""
        history = self.status.get("history") or ()
        return [str(each["message"]) for each in history if each["reason"] == "DriftCorrected"]

    async def is_over(self) -> None:
        """Wait until the stable revision alone has pods, and everything is as it is to stay."""
        await self.until(self._is_over, "the end")

    async def until(
        self,
        condition: Callable[[], object],
        what: str,
        within_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        """Wait for a condition; when it does not come, say what the Rollout says."""
        try:
            await until(condition, what, within_seconds)
        except TimeoutError as error:
            status = self.status
            past = [str(each["message"]) for each in status.get("history", [])]
            raise TimeoutError(
                f"{self.namespace}: {error}; {status.get('phase')}: {status.get('message')};"
                f" before: {'; '.join(past[-5:])}"
            ) from None

    def _is_over(self) -> bool:
        status = self.status
        stable = (status.get("stableRevision") or {}).get("hash", "?")
        return (
            status.get("phase") in ("Healthy", "Degraded")
            and not status.get("retiring")
            and all(
                each["metadata"]["labels"].get(HASH_LABEL) == stable
                for each in self._store.select(POD, self.namespace)
            )
        )
