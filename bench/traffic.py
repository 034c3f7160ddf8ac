"""Steady traffic by one or several ways to the same app, added up."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from rollouts.sandbox.load import Load, LoadReport, Target


@dataclass(frozen=True, slots=True)
class Stream:
    """One way to the app, by name."""

    name: str
    target: Target


@dataclass(frozen=True, slots=True)
class Total:
    """The account of all streams: `failed` are the app's own errors, by version."""

    sent: int
    lost: int
    lost_reasons: Mapping[str, int]
    failed: Mapping[str, int]


class Traffic:
    """Each stream has `rate` requests per second."""

    def __init__(self, streams: Sequence[Stream], rate: float) -> None:
        self.names = [each.name for each in streams]
        self._loads = {each.name: Load(each.target, rate) for each in streams}

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        """Send; at the end, wait for what is under way."""
        tasks = [asyncio.create_task(load.run()) for load in self._loads.values()]
        try:
            yield
        finally:
            for load in self._loads.values():
                load.stop()
            await asyncio.gather(*tasks)

    def reports(self) -> list[LoadReport]:
        return [load.report() for load in self._loads.values()]

    def answers(self, stream: str) -> Counter[str]:
        """Return how many answers each version has given so far."""
        versions = self._loads[stream].report().versions
        return Counter({name: count.responses for name, count in versions.items()})

    def total(self) -> Total:
        reasons: Counter[str] = Counter()
        failed: Counter[str] = Counter()
        reports = self.reports()
        for report in reports:
            reasons.update(report.lost_reasons)
            failed.update({name: count.failed for name, count in report.versions.items()})
        return Total(
            sent=sum(report.sent for report in reports),
            lost=sum(report.lost for report in reports),
            lost_reasons=dict(reasons),
            failed={name: count for name, count in failed.items() if count},
        )
