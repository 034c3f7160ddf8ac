"""
How much sooner is a bad release proven bad when its pods are read every second, and how often is a good one?

    python -m bench.readings [--fails 15] [--rate 5] [--pods 2] [--scrape 30] [--runs 200]

Requests come at random, and fail at random. The counts, the choice of the larger one and the judge are
the product's; scrapes and readings are made here, each pod's at a moment of its own. Prints how many
releases were stopped, and after how many seconds since the exposure, by scrapes alone and with readings.
"""

import argparse
import random
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from rollouts.analysis.app_counters import app_metric
from rollouts.analysis.evidence import with_direct_measurement
from rollouts.analysis.exposed_canary import ExposedCanary
from rollouts.analysis.exposure_counters import ExposureCounters
from rollouts.analysis.measurement import measure
from rollouts.analysis.page_counters import PageCounters, larger
from rollouts.analysis.series import labels_of
from rollouts.judge import judge
from rollouts.model.app_metrics import AppMetrics
from rollouts.model.evidence import DirectMeasurement
from rollouts.model.rollout_key import Key
from rollouts.model.status import Revision
from rollouts.model.validation import parse_rollout
from rollouts.ports import Series
from tests.fakes.kubernetes import rollout

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
KEY = Key("shop", "checkout")
CANARY, STABLE = Revision(number=2, hash="canaryhash"), Revision(number=1, hash="stablehash")
METRIC = app_metric("http_requests_total", KEY, AppMetrics(), CANARY, STABLE)


@dataclass(frozen=True)
class Kind:
    """What kind of release it is, and how it is looked at; `rate` is the canary's requests a second."""

    fails: float
    rate: float = 5.0
    pods: int = 2
    scrape_seconds: float = 30.0
    seconds: int = 120
    limit: float = 0.01
    alpha: float = 0.01


@dataclass
class Pod:
    """A pod, and what it has counted by now."""

    name: str
    scraped_at: float
    counts: dict[str, int] = field(default_factory=lambda: {"200": 0, "500": 0})

    def series(self, at: float) -> list[Series]:
        moment = BEGIN.timestamp() + at
        return [
            Series(
                {
                    "__name__": METRIC.name,
                    "namespace": KEY.namespace,
                    "pod": self.name,
                    "code": code,
                },
                ((moment, float(count)),),
            )
            for code, count in self.counts.items()
        ]


class Release:
    """One release of a kind, whose randomness is `chance`."""

    def __init__(self, kind: Kind, chance: random.Random) -> None:
        self._kind = kind
        self._chance = chance
        errors = {"name": "errors", "errorRate": {"max": kind.limit}, "alpha": kind.alpha}
        body = rollout([], successCriteria=[errors])
        body["spec"]["strategy"] = {"canary": {"steps": [{"setWeight": 10}]}}
        spec = parse_rollout(body)
        self._criterion = spec.success_criteria[0]
        self._exposed = ExposedCanary(KEY, spec, BEGIN, None, CANARY, STABLE)
        self._scraped = ExposureCounters(METRIC, BEGIN, kind.scrape_seconds, (), ())
        self._read = PageCounters(METRIC, BEGIN, max(60.0, 20 * kind.scrape_seconds))
        self._pods = [
            Pod(f"checkout-canaryhash-{number}", chance.uniform(0, kind.scrape_seconds))
            for number in range(kind.pods)
        ]

    def stopped_after(self) -> tuple[float | None, float | None]:
        """Return after how many seconds it was stopped by scrapes alone, and with readings; None: never."""
        by_scrapes = with_readings = None
        for second, scraped in self._seconds():
            at = BEGIN + timedelta(seconds=second)
            judged = judge(
                self._criterion,
                measure(self._criterion, self._scraped, self._scraped, self._exposed, at),
                None,
            )
            if scraped and by_scrapes is None and judged.verdict == "fail":
                by_scrapes = float(second)
            if with_readings is None:
                both = ExposureCounters(METRIC, BEGIN, self._kind.scrape_seconds, (), ())
                both.windows = larger(self._scraped.windows, self._read)
                found = measure(self._criterion, both, both, self._exposed, at)
                direct = DirectMeasurement(self._criterion, found)
                if with_direct_measurement(judged, self._criterion, direct).verdict == "fail":
                    with_readings = float(second)
            if by_scrapes is not None and with_readings is not None:
                break
        return by_scrapes, with_readings

    def _seconds(self) -> Iterator[tuple[int, bool]]:
        """Let the seconds pass, one after the other; yield each, and whether anything was scraped in it."""
        for second in range(1, self._kind.seconds + 1):
            self._serve()
            scraped = False
            for pod in self._pods:
                self._read.take_in(
                    pod.series(second), BEGIN + timedelta(seconds=second), 0.0, is_new=True
                )
                if second >= pod.scraped_at:
                    scraped = True
                    pod.scraped_at += self._kind.scrape_seconds
                    windows, found = self._scraped.windows, pod.series(second)
                    windows.begin_anew(BEGIN + timedelta(seconds=second))
                    new = {labels_of(each) for each in found} - windows.total.counters.keys()
                    windows.add(found, new)
            yield second, scraped

    def _serve(self) -> None:
        chance, left = self._chance, self._chance.expovariate(self._kind.rate)
        while left < 1.0:
            failed = chance.random() < self._kind.fails
            chance.choice(self._pods).counts["500" if failed else "200"] += 1
            left += chance.expovariate(self._kind.rate)


@dataclass(frozen=True)
class Stopped:
    """Of so many releases, after how many seconds each was stopped that was."""

    runs: int
    seconds: tuple[float, ...]

    @property
    def share(self) -> float:
        return len(self.seconds) / self.runs

    def __str__(self) -> str:
        if len(self.seconds) < 2:
            return f"{self.share:.1%} stopped"
        p95 = statistics.quantiles(self.seconds, n=20, method="inclusive")[-1]
        return (
            f"{self.share:.1%} stopped, after {statistics.median(self.seconds):.0f} s in the median,"
            f" {p95:.0f} s at p95"
        )


def releases(kind: Kind, runs: int, seed: int) -> tuple[Stopped, Stopped]:
    """Return how releases of a kind were stopped, by scrapes alone and with readings."""
    ends = [Release(kind, random.Random(f"{seed}/{run}")).stopped_after() for run in range(runs)]
    alone, read = zip(*ends, strict=True)
    return (
        Stopped(runs, tuple(each for each in alone if each is not None)),
        Stopped(runs, tuple(each for each in read if each is not None)),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--fails", type=float, default=15.0, help="percent")
    parser.add_argument("--limit", type=float, default=1.0, help="percent")
    parser.add_argument("--alpha", type=float, default=1.0, help="percent")
    parser.add_argument("--rate", type=float, default=5.0, help="the canary's requests a second")
    parser.add_argument("--pods", type=int, default=2)
    parser.add_argument("--scrape", type=float, default=30.0, help="seconds")
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    kind = Kind(
        given.fails / 100,
        given.rate,
        given.pods,
        given.scrape,
        given.seconds,
        given.limit / 100,
        given.alpha / 100,
    )
    alone, read = releases(kind, given.runs, given.seed)
    print(f"by scrapes alone: {alone}\nwith readings:    {read}")


if __name__ == "__main__":
    main()
