"""What a set of counters has counted since one moment."""

from dataclasses import dataclass, field

from rollouts.controller.births import Labels
from rollouts.judge.counters import Counter, advance
from rollouts.model.evidence import Counts
from rollouts.ports import Series


@dataclass
class Tally:
    """Counters since one moment, by their labels."""

    since: float
    counters: dict[Labels, Counter] = field(default_factory=dict)

    def add(self, labels: Labels, series: Series, *, born_at_zero: bool) -> None:
        known = self.counters.get(labels)
        counter = advance(known, series.samples, since=self.since, born_at_zero=born_at_zero)
        if counter is not None:
            self.counters[labels] = counter

    def later(self, since: float) -> "Tally":
        """Return a tally that begins at a later moment, with what is known of every series."""
        begun = {labels: Counter(each.at, each.value) for labels, each in self.counters.items()}
        return Tally(since, begun)

    def arm(self, *, canary: bool) -> Counts:
        """Return the requests of one arm, and those of them that the server answered with 5xx."""
        requests = failures = 0.0
        for labels, counter in self.counters.items():
            facts = dict(labels)
            if bool(facts.get("canary")) == canary:
                requests += counter.total
                failures += counter.total if facts.get("status", "").startswith("5") else 0.0
        return Counts(round(requests), round(failures))

    def buckets(self, *, canary: bool) -> dict[float, float]:
        """Return one arm's cumulative counts by upper bound, in seconds."""
        sums: dict[float, float] = {}
        for labels, counter in self.counters.items():
            facts = dict(labels)
            if bool(facts.get("canary")) == canary and "le" in facts:
                bound = float(facts["le"])
                sums[bound] = sums.get(bound, 0.0) + counter.total
        return sums
