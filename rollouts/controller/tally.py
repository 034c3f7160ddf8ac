"""What a set of counters has counted since one moment."""

from dataclasses import dataclass, field

from rollouts.controller.counted import Labels, Meaning
from rollouts.judge.counters import Counter, Sample, additions, advance
from rollouts.model.evidence import Counts
from rollouts.ports import Series


@dataclass
class Tally:
    """Counters since one moment, by their labels."""

    since: float
    counters: dict[Labels, Counter] = field(default_factory=dict)
    meanings: dict[Labels, Meaning] = field(default_factory=dict)
    """What the counters say; tallies of one reading share it."""

    def add(self, labels: Labels, series: Series, *, born_at_zero: bool) -> None:
        """Take in more samples of one series."""
        known = self.counters.get(labels)
        counter = advance(known, series.samples, since=self.since, born_at_zero=born_at_zero)
        if counter is not None:
            self.counters[labels] = counter

    def news(self, labels: Labels, series: Series, *, born_at_zero: bool) -> list[Sample]:
        """Return what `add` would add, and when."""
        known = self.counters.get(labels)
        return additions(known, series.samples, since=self.since, born_at_zero=born_at_zero)

    def later(self, since: float) -> "Tally":
        """Return a tally that begins at a later moment, with what is known of every series."""
        begun = {labels: Counter(each.at, each.value) for labels, each in self.counters.items()}
        return Tally(since, begun, self.meanings)

    def knows(self, *, canary: bool) -> bool:
        """Say whether any series of this arm was seen."""
        return any(self.meanings[labels].canary == canary for labels in self.counters)

    def counts(self, *, canary: bool) -> bool:
        """Say whether anything of this arm was counted."""
        return any(
            counter.total and self.meanings[labels].canary == canary
            for labels, counter in self.counters.items()
        )

    def arm(self, *, canary: bool) -> Counts:
        """Return the requests of one arm, and those of them that the server answered with 5xx."""
        requests = failures = 0.0
        for labels, counter in self.counters.items():
            meaning = self.meanings[labels]
            if meaning.canary == canary:
                requests += counter.total
                failures += counter.total if meaning.failed else 0.0
        return Counts(round(requests), round(failures))

    def buckets(self, *, canary: bool) -> dict[float, float]:
        """Return one arm's cumulative counts by upper bound, in seconds."""
        sums: dict[float, float] = {}
        for labels, counter in self.counters.items():
            meaning = self.meanings[labels]
            if meaning.canary == canary and meaning.bound is not None:
                sums[meaning.bound] = sums.get(meaning.bound, 0.0) + counter.total
        return sums
