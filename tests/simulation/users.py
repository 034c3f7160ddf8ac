"""
Users, and what Prometheus has counted of them.

Requests go where the data plane sends them, and fail as often as the version fails that answers,
or because nobody does. Counters are scraped every tick, unless scrapes go missing.
"""

import random
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime

from rollouts.analysis.exposed_canary import ExposedCanary
from rollouts.model.evidence import Counts, Measurement, MeasurementRound
from rollouts.model.rollout_key import Key
from tests.fakes.clock import ManualClock
from tests.fakes.recording_monitor import RecordingMonitor
from tests.simulation.dataplane import BESIDE, INSIDE, LOST, Shares

RATE = 50.0
"""Requests a second, to all entrances together."""
SCRAPE_INTERVAL_SECONDS = 1.0


class Users:
    """Send requests, and count what became of them."""

    def __init__(self, clock: ManualClock, dice: random.Random) -> None:
        self.clock, self.dice = clock, dice
        self.scraped = True
        self.lost = 0.0
        """Requests that nobody answered."""
        self.served_at: dict[str, datetime] = {}
        self._counted: dict[str, Counts] = {}
        self._samples: dict[str, list[tuple[datetime, Counts]]] = defaultdict(list)
        self.scraped_at = clock.now()

    def serve(
        self, seconds: float, shares: Mapping[str, Shares], error_rates: Mapping[str, float]
    ) -> None:
        """Send the requests of so many seconds: from outside to each entrance the same, a few from inside."""
        outside = [
            each for name, each in shares.items() if not name.startswith(INSIDE) | (name in BESIDE)
        ]
        parts: Counter[str] = Counter()
        for entrance in outside or list(shares.values()):
            for hash_, share in entrance.items():
                parts[hash_] += share / len(outside or shares)  # type: ignore[assignment]
        lost = max(each.get(LOST, 0.0) for each in shares.values())
        self.lost += lost * RATE * seconds
        now = self.clock.now()
        served = {hash_ for name, each in shares.items() if name not in BESIDE for hash_ in each}
        for hash_ in sorted(served - {LOST}):
            share = parts[hash_]
            self._answer(hash_, round(RATE * seconds * share), error_rates.get(hash_, 0.0))
            self.served_at[hash_] = now
        if self.scraped:
            self.scrape()

    def _answer(self, hash_: str, requests: int, error_rate: float) -> None:
        failures = sum(
            self.dice.random() < error_rate for _ in range(requests if error_rate else 0)
        )
        before = self._counted.get(hash_, Counts())
        self._counted[hash_] = Counts(before.requests + requests, before.failures + failures)

    def scrape(self) -> None:
        self.scraped_at = self.clock.now()
        for hash_, counts in self._counted.items():
            samples = self._samples[hash_]
            if not samples or samples[-1][1] != counts:
                samples.append((self.scraped_at, counts))

    def since(self, hash_: str, began: datetime | None) -> Counts:
        """Return what was scraped of a revision's requests since a moment."""
        samples = self._samples[hash_]
        if not samples or began is None:
            return Counts()
        number = bisect_right(samples, began, key=lambda sample: sample[0])
        before = samples[number - 1][1] if number else Counts()
        last = samples[-1][1]
        return Counts(last.requests - before.requests, last.failures - before.failures)


class SimulatedMonitor(RecordingMonitor):
    """Measures what Prometheus has counted of the canaries that it follows."""

    def __init__(self, clock: ManualClock, users: Users) -> None:
        super().__init__()
        self.clock, self.users = clock, users
        self.error = ""
        self.blind = False
        """Nothing is measured of the canary, although Prometheus answers."""

    def successor(self) -> "SimulatedMonitor":
        """Return the monitor of a controller that has just begun, before the same Prometheus."""
        made = SimulatedMonitor(self.clock, self.users)
        made.error, made.blind = self.error, self.blind
        return made

    def scrape_interval_seconds(self, _key: Key) -> float:
        return SCRAPE_INTERVAL_SECONDS

    def measure(self) -> bool:
        """Measure all; return whether there was anything to measure."""
        for key, target in self.targets.items():
            self._rounds[key] = self._seen(target)
        return bool(self.targets)

    def _seen(self, target: ExposedCanary) -> MeasurementRound:
        at, users = self.clock.now(), self.users
        canary = Counts() if self.blind else users.since(target.canary.hash, target.exposed_at)
        stable = users.since(target.stable.hash, target.exposed_at)
        lately = [
            users.since(revision.hash, target.applied_at).requests
            for revision in (target.canary, target.stable)
        ]
        found = Measurement(
            at=at,
            canary=canary,
            stable=stable,
            at_weight=Counts()
            if self.blind
            else users.since(target.canary.hash, target.applied_at),
            value=canary.failures / canary.requests if canary.requests else None,
            error=self.error,
        )
        criteria = {criterion.name: criterion for criterion in target.spec.success_criteria}
        return MeasurementRound(
            at,
            target.exposed_at,
            dict.fromkeys(criteria, found),
            criteria,
            canary,
            stable,
            served_percent=100 * lately[0] / sum(lately) if any(lately) else None,
            scrape_interval_seconds=SCRAPE_INTERVAL_SECONDS,
            interval_seconds=SCRAPE_INTERVAL_SECONDS,
            seen_at=users.scraped_at,
        )
