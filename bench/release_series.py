"""One app in a sandbox that gets one version after the other, under steady traffic."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bench.app import App
from bench.manifests import NAME, SOON, ingress, rollout, service
from bench.outcomes import Ending, ReleaseOutcome, WeightTrace
from bench.setups import NGINX, Place
from bench.traffic import Total, Traffic
from rollouts.model.kinds import JSON
from rollouts.sandbox.environment import Sandbox
from rollouts.sandbox.load import LoadReport

POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Plan:
    """How every version of a series is released."""

    weights: tuple[int, ...] = (10, 50)
    pause_seconds: float = 20.0
    """After each weight."""
    rate: float = 50.0
    """Requests per second."""
    patience_seconds: float = 300.0
    """After so long from its first weight on, a release that is not over is aborted."""

    @property
    def pauses_seconds(self) -> float:
        return len(self.weights) * self.pause_seconds

    def strategy(self) -> JSON:
        pause = {"pause": {"duration": f"{self.pause_seconds:g}s"}}
        steps = [step for weight in self.weights for step in ({"setWeight": weight}, pause)]
        return {"canary": {"stableService": NAME, "trafficRouting": NGINX, "steps": steps, **SOON}}


class ReleaseSeries:
    """An app of its own namespace and host."""

    def __init__(self, sandbox: Sandbox, number: int, plan: Plan) -> None:
        self._plan = plan
        self._place = Place.of(sandbox, f"series-{number}")
        self._app = App(sandbox, self._place.namespace)
        self._traffic = Traffic([self._place.by_ingress()], plan.rate)
        self._draw = random.Random(number)
        self.trace = WeightTrace()
        """Of the release that is under way, or was last."""

    @asynccontextmanager
    async def open(self, scrape_seconds: float) -> AsyncIterator[None]:
        """Deploy version 1, and let requests come until left; scrapes have begun then."""
        namespace = self._place.namespace
        self._app.opens()
        self._app.create(
            [
                service(namespace),
                ingress(namespace, self._place.host),
                rollout(namespace, self._plan.strategy()),
            ]
        )
        await self._app.until(lambda: self._app.status.get("phase") == "Healthy", "first deploy")
        async with self._traffic.flowing():
            await asyncio.sleep(2 * scrape_seconds)
            yield
        self._app.closes()

    async def release(self, version: str, error_rate: str, scrape_seconds: float) -> ReleaseOutcome:
        """
        Release a version at any moment between two scrapes, and return what became of it.

        Returns when the next one can be released. One that is not over by then is aborted.
        """
        await asyncio.sleep(self._draw.uniform(0, scrape_seconds))
        app, self.trace = self._app, WeightTrace()
        app.releases(version, error_rate)
        await app.until(lambda: app.canary_weight > 0, f"version {version} gets traffic")
        await self._follow(version)
        ending, failed, now = self._ending(version), self._failed(version), time.monotonic()
        if ending in ("waits for a person", "under way"):
            app.commands("abort")
            await app.until(lambda: app.status.get("abort"), "it is aborted")
        await app.is_over()
        if ending == "rolled back":  # what was under way then has been answered by now
            failed = self._failed(version)
        return self.trace.outcome(ending, failed, now)

    async def _follow(self, version: str) -> None:
        """Note the weights until the release is over, or patience is."""
        end = time.monotonic() + self._plan.patience_seconds
        while (now := time.monotonic()) < end:
            self.trace.note(self._app.canary_weight, now)
            over = self._ending(version) in ("promoted", "rolled back")
            if over and not self.trace.is_split:
                return
            await asyncio.sleep(POLL_SECONDS)

    def _ending(self, version: str) -> Ending:
        status = self._app.status
        if status.get("abort"):
            return "rolled back"
        if self._app.runs("stableRevision", version):
            return "promoted"
        return "waits for a person" if status.get("phase") == "Paused" else "under way"

    def _failed(self, version: str) -> int:
        """Return how many users met a failure of this version, as they say themselves."""
        count = self.report().versions.get(version)
        return count.failed if count is not None else 0

    def report(self) -> LoadReport:
        (report,) = self._traffic.reports()
        return report

    def total(self) -> Total:
        return self._traffic.total()
