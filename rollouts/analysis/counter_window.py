"""What a set of counters has counted since one moment."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from rollouts.analysis.counter_metric import Labels, Meaning
from rollouts.analysis.sample_checks import histogram_of
from rollouts.judge.counters import Beginning, Counter, Sample, additions, advance
from rollouts.model.evidence import Counts
from rollouts.ports import Series


@dataclass
class Tally:
    """Counters since one moment, by their labels."""

    since: float
    counters: dict[Labels, Counter] = field(default_factory=dict)
    meanings: dict[Labels, Meaning] = field(default_factory=dict)
    """What the counters say; tallies of one reading share it."""

    def add(self, labels: Labels, series: Series, beginning: Beginning) -> list[Sample]:
        """Take in more samples of one series; returns what that adds, and when."""
        known = self.counters.get(labels)
        counter = advance(known, series.samples, beginning)
        if counter is not None:
            self.counters[labels] = counter
        return additions(known, series.samples, beginning)

    def later(self, since: float) -> "Tally":
        """Return a tally that begins at a later moment, with what is known of every series."""
        begun = {labels: Counter(each.at, each.value) for labels, each in self.counters.items()}
        return Tally(since, begun, self.meanings)

    def knows(self, *, canary: bool) -> bool:
        """Return whether any series of this arm was seen."""
        return any(self.meanings[labels].canary == canary for labels in self.counters)

    def counts(self, *, canary: bool) -> bool:
        """Return whether anything of this arm was counted."""
        return any(
            counter.total and self.meanings[labels].canary == canary
            for labels, counter in self.counters.items()
        )

    def without_status(self) -> int:
        """Return how many of the canary's requests have no status that could tell failures."""
        unknown = (labels for labels, meaning in self.meanings.items() if not meaning.coded)
        return self._sum(unknown, canary=True)

    def arm(self, *, canary: bool) -> Counts:
        """Return the requests of one arm, and those of them that the server answered with 5xx."""
        failed = (labels for labels, meaning in self.meanings.items() if meaning.failed)
        return Counts(self._sum(self.counters, canary=canary), self._sum(failed, canary=canary))

    def _sum(self, which: Iterable[Labels], *, canary: bool) -> int:
        """Return how many requests of one arm these have counted; a bucket is a part of all."""
        return round(  # counters of requests are whole; what is rounded are sums of floats
            sum(
                self.counters[labels].total
                for labels in which
                if labels in self.counters
                and self.meanings[labels].canary == canary
                and self.meanings[labels].bound in (None, math.inf)
            )
        )

    def histograms(self, *, canary: bool) -> list[dict[float, float]]:
        """
        Return one arm's histograms: cumulative counts by upper bound, in seconds.

        Those that counted nothing are left out, unless there are no others.
        """
        found: dict[Labels, dict[float, float]] = {}
        for labels, counter in self.counters.items():
            meaning = self.meanings[labels]
            if meaning.canary == canary and meaning.bound is not None:
                found.setdefault(histogram_of(labels), {})[meaning.bound] = counter.total
        counting = [each for each in found.values() if any(each.values())]
        return counting or list(found.values())
