"""How a release may end, as scenarios that every setup goes through."""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from bench.app import App
from bench.manifests import GOOD
from bench.setups import Setup, Stop
from bench.splits import Split
from bench.traffic import Traffic

BAD = "3%"
"""Bad enough to be found out, and not before the split has been measured."""
WORSE = "10%"
FOUND_OUT_SECONDS = 300.0
SETTLES_SECONDS = 0.5
"""Answers of the split before may still be on their way for so long."""
TRAEFIK_SETTLES_SECONDS = 2.0 + SETTLES_SECONDS
"""It takes up a change at most every 2 s (`providersThrottleDuration`), and of an Ingress nobody confirms that it has."""
LOOKS_SECONDS = 0.25

Snapshot = Mapping[str, Counter[str]]


@dataclass(frozen=True)
class Sample:
    """How many answers a split is measured by; at the end, when all is 0 or 100, fewer will do."""

    answers: int
    at_the_end: int
    settles_seconds: float = SETTLES_SECONDS
    """How long after a change of the split it is measured."""


class Scenario:
    """One app on its way, under traffic; keeps what was measured, and what was not as it should be."""

    def __init__(self, app: App, setup: Setup, traffic: Traffic, sample: Sample) -> None:
        self.app = app
        self.stops = setup.stops
        self.splits: list[Split] = []
        self.problems: list[str] = []
        self._traffic = traffic
        self._sample = sample

    async def releases(self, version: str, error_rate: str = GOOD) -> None:
        """Change the template, and wait until that is what is released."""
        self.app.releases(version, error_rate)
        await self.app.until(
            lambda: self.app.runs("currentRevision", version), f"version {version} begins"
        )

    async def holds(self, stop: Stop, version: str) -> None:
        """Wait until the release is held there, and measure the split."""
        await self.app.until(
            lambda: self.app.step == stop.step or self._is_aborted, f"the pause at {stop.step}"
        )
        await self._measures(stop.percent, version, self._sample.answers)

    async def walks(self, version: str) -> None:
        """Measure at every stop, and promote from one to the next; not beyond the last."""
        for number, stop in enumerate(self.stops):
            if number:
                self.app.commands("promote")
            await self.holds(stop, version)
            if self._is_aborted:
                return

    async def is_promoted(self, version: str) -> None:
        """Promote from the last stop, and wait until only this version is left."""
        self.app.commands("promote")
        await self.app.until(
            lambda: self.app.runs("stableRevision", version), f"version {version} is stable"
        )
        await self.app.is_over()
        await self._ends(100, version)

    async def is_taken_back(self, version: str, by: str) -> None:
        """Wait until nothing is left of a version that was rolled back."""
        await self.app.until(
            lambda: self._is_aborted, f"version {version} is rolled back", FOUND_OUT_SECONDS
        )
        abort = self.app.status["abort"]
        if not str(abort["reason"]).startswith(by):
            self.problems.append(f"rolled back by: {abort['reason']}")
        await self.app.is_over()
        await self._ends(0, version)

    def came_in_turn(self, earlier: str, later: str) -> None:
        """See that nobody met the earlier version any more when the later one had come."""
        for report in self._traffic.reports():
            first, second = report.versions.get(earlier), report.versions.get(later)
            if first is not None and second is not None and first.last_sent_at > second.first_at:
                self.problems.append(f"version {earlier} still answered beside {later}")

    @property
    def _is_aborted(self) -> bool:
        return bool(self.app.status.get("abort"))

    async def _ends(self, percent: int, version: str) -> None:
        streams = dict.fromkeys(self._traffic.names, percent)
        await self._measures(streams, version, self._sample.at_the_end, ended=True)

    async def _measures(
        self, percent: Mapping[str, int], version: str, answers: int, *, ended: bool = False
    ) -> None:
        """
        Measure each stream by so many answers, or by as many as came before a rollback.

        Traffic goes back a moment before status says so: what is seen then is not counted.
        """
        await asyncio.sleep(self._sample.settles_seconds)
        before = self._now()
        seen = deque([before], maxlen=3)
        while min((seen[-1][name] - before[name]).total() for name in percent) < answers:
            await asyncio.sleep(LOOKS_SECONDS)
            seen.append(self._now())
            if self._is_aborted and not ended:
                seen = deque([seen[0]])
                break
        for name, wanted in percent.items():
            counted = seen[-1][name] - before[name]
            if counted:
                self.splits.append(Split(name, wanted, counted.total(), counted[version]))

    def _now(self) -> Snapshot:
        return {name: self._traffic.answers(name) for name in self._traffic.names}


async def promoted(scenario: Scenario) -> None:
    await scenario.releases("2")
    await scenario.walks("2")
    await scenario.is_promoted("2")


async def rolled_back(scenario: Scenario) -> None:
    await scenario.releases("2", BAD)
    await scenario.walks("2")
    await scenario.is_taken_back("2", by="errors: ")


async def aborted(scenario: Scenario) -> None:
    await scenario.releases("2")
    await scenario.walks("2")
    scenario.app.commands("abort")
    await scenario.is_taken_back("2", by="aborted")


async def superseded(scenario: Scenario) -> None:
    """Release a third version while users already meet the second."""
    await scenario.releases("2")
    for number, stop in enumerate(scenario.stops):
        if number:
            scenario.app.commands("promote")
        await scenario.holds(stop, "2")
        if stop.exposed:
            break
    await scenario.releases("3")
    await scenario.walks("3")
    scenario.came_in_turn("2", "3")
    await scenario.is_promoted("3")


async def killed(scenario: Scenario) -> None:
    """Promote a version and take back the next, while the controller dies again and again."""
    await scenario.releases("2")
    await scenario.walks("2")
    await scenario.is_promoted("2")
    await scenario.releases("3", WORSE)
    for number, stop in enumerate(scenario.stops):
        if number:
            scenario.app.commands("promote")
        await scenario.app.until(lambda at=stop.step: scenario.app.step >= at, "the next pause")  # type: ignore[misc]
        if stop.exposed:
            break
    await scenario.is_taken_back("3", by="errors: ")


KILLED = "controller killed"
SCENARIOS: Mapping[str, Callable[[Scenario], Awaitable[None]]] = {
    "promoted": promoted,
    "rolled back": rolled_back,
    "aborted": aborted,
    "superseded": superseded,
    KILLED: killed,
}
