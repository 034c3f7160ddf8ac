"""
When the processes of both arms were scraped, as far as their samples tell it.

The interval between scrapes is the median of what lies between the samples of one living series: a
scrape that failed, a process that began again, or the zero that Prometheus puts at a counter's
creation (`created-timestamp-zero-ingestion`) is an exception among them.
"""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from statistics import median_low

from rollouts.analysis.series import Labels, labels_of, newest
from rollouts.judge.counters import Sample
from rollouts.model.counter_metric import Metric
from rollouts.ports import Series

REMEMBERED = 12
"""So many samples tell how far apart scrapes are."""
_LEAST_PATIENCE_SECONDS = 10.0


class ScrapeInterval:
    """How far apart scrapes are, as one series after another has told it, read by read."""

    def __init__(self) -> None:
        self.seconds = 0.0
        """0 as long as nobody can know."""
        self._followed: Labels = ()
        self._times: list[float] = []

    def note(self, found: Iterable[Series]) -> None:
        """Take in what was read; parts may have been read before."""
        series = {labels_of(each): each for each in found if each.samples}
        last = newest(series.values())
        followed = series.get(self._followed)
        if followed is None or newest([followed]) + 2 * self.seconds < last:  # it is gone
            living = {
                labels: each
                for labels, each in series.items()
                if newest([each]) + 2 * self.seconds >= last
            }
            if not living:
                return
            self._followed = max(living, key=lambda each: (len(living[each].samples), each))
            self._times = []
            followed = living[self._followed]
        after = self._times[-1] if self._times else 0.0
        self._times += [at for at in _scrapes(followed.samples) if at > after]
        self._times = self._times[-REMEMBERED:]
        between = [later - before for before, later in pairwise(self._times)]
        self.seconds = median_low(between) if between else self.seconds


class Scrapes:
    """Who was scraped when since the exposure (`since`, in unix seconds), and how often that is."""

    def __init__(self, metric: Metric, since: float, expected_seconds: float) -> None:
        self.newest = 0.0
        """The time of the newest sample that shows that the canary is watched; 0 without any."""
        self.interval_before = 0.0
        """How far apart scrapes were before the exposure; 0: nobody knows."""
        self.processes: Mapping[str, float] = {}
        """When each process was scraped last, of those that show that the canary is watched."""
        self._metric = metric
        self._since = since
        self._expected_seconds = expected_seconds
        self._interval = ScrapeInterval()
        self._scraped: dict[bool, float] = {}

    def note(self, scraped: Iterable[Series], of_canary: Iterable[Series]) -> None:
        """Take in what one read found scraped, and what of it shows that the canary is watched."""
        of_canary = list(of_canary)
        self.newest = max(self.newest, newest(of_canary))
        self._interval.note(of_canary)
        self.processes = newest_of_each(self._metric, of_canary)
        for each in scraped:
            arm = self._metric.meaning(each.labels).canary
            self._scraped[arm] = max(self._scraped.get(arm, 0.0), newest([each]))

    @property
    def interval_seconds(self) -> float:
        """How far apart scrapes are, or were before the exposure; 0 as long as nobody can know."""
        return self._interval.seconds or self.interval_before

    @property
    def usual_seconds(self) -> float:
        """How far apart scrapes are, or should be as long as nobody knows."""
        return self.interval_seconds or self._expected_seconds

    @property
    def patience_seconds(self) -> float:
        """After how long without a sample the canary is not watched any more."""
        return max(_LEAST_PATIENCE_SECONDS, 5 * self._expected_seconds, 3 * self.interval_seconds)

    def missing_seconds(self, at: float) -> float:
        """Return for how long there has been no sample, at `at`; 0 if that is not too long yet."""
        silent = at - self.newest
        return silent if silent > self.patience_seconds else 0.0

    def was_scraped(self, *, canary: bool) -> bool:
        """Return whether any process of this arm is known to have been scraped since the exposure."""
        return self._scraped.get(canary, 0.0) > self._since

    def shows_both(self, since: float) -> bool:
        """Return whether both arms were scraped after a moment, so that their shares mean something."""
        return all(self._scraped.get(arm, 0.0) > since for arm in (True, False))


def newest_of_each(metric: Metric, found: Iterable[Series]) -> dict[str, float]:
    """Return when each process was scraped last, by its series; those without a sample tell nothing."""
    result: dict[str, float] = {}
    for each in found:
        if each.samples:
            name = metric.process(each.labels)
            result[name] = max(result.get(name, 0.0), newest([each]))
    return result


def _scrapes(samples: Iterable[Sample]) -> list[float]:
    """Return the times of samples, without zeros before a counter's first value: those are no scrapes."""
    ordered = sorted(samples)
    made_up = {at for (at, value), (_, then) in pairwise(ordered) if value == 0 and then > 0}
    return [at for at, _ in ordered if at not in made_up]
