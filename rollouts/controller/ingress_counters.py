"""
What ingress-nginx has counted of one canary and its stable twin since a moment.

Facts about its metrics: `ingress` and `service` are the main Ingress's for both arms; the
label `canary` is `<namespace>-<service>-<port>` for the canary and empty for stable;
`namespace` and `service` are `exported_namespace` and `exported_service` where Prometheus
was not told to honour labels; canary series stay, flat, after their canary is gone.
`request_duration_seconds` counts every request, `response_duration_seconds` leaves out
those that were retried.
"""

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from rollouts.controller.target import Target
from rollouts.judge.counters import Counter, advance
from rollouts.model.evidence import Counts
from rollouts.ports import MetricSource, Series

REQUESTS = "nginx_ingress_controller_request_duration_seconds_count"
BUCKETS = "nginx_ingress_controller_request_duration_seconds_bucket"
LEAST_LOOK_BACK_SECONDS = 60.0

_Labels = tuple[tuple[str, str], ...]


@dataclass
class Tally:
    """Counters since one moment, by their labels."""

    since: float
    counters: dict[_Labels, Counter] = field(default_factory=dict)

    def add(self, labels: _Labels, series: Series, *, born_at_zero: bool) -> None:
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


class Reading:
    """
    One metric of one exposure, read little by little.

    Each read reaches back to the last one and a little further; the first, also after a
    restart, to before the exposure: Prometheus remembers, so that nothing has to be kept.
    """

    def __init__(self, metric: str, target: Target, look_back_seconds: float) -> None:
        self.total = Tally(target.exposed_at.timestamp())
        self.recent = Tally(target.exposed_at.timestamp())
        self._metric = metric
        self._look_back_seconds = look_back_seconds
        self.seen_at: datetime | None = None
        """When what was read last had been scraped, or when there was last a scrape to find more."""
        self._read_until: datetime | None = None
        self._exported: bool | None = None
        self._scraped: dict[str, bool] = {}

    def applied(self, at: datetime) -> None:
        """Count the recent part since `at`, when the present weight was applied."""
        if at.timestamp() != self.recent.since:
            self.recent = self.total.later(at.timestamp())

    async def read(self, source: MetricSource, target: Target, until: datetime) -> None:
        """
        Take in what has been scraped up to `until`.

        Raises:
            RolloutsError: the source did not answer; nothing is changed then.
        """
        begin = target.exposed_at - timedelta(seconds=self._look_back_seconds)
        if self._read_until is not None:
            begin = max(begin, self._read_until - timedelta(seconds=self._look_back_seconds))
        window = (until - begin).total_seconds()
        found = await self._series(source, target, until, window)
        scraped = await self._scraped_before(source, target, found)
        seen_at = await self._scraped_at(source, target, found, until)
        for series in found:
            labels = tuple(sorted(series.labels.items()))
            born_at_zero = scraped(series)
            self.total.add(labels, series, born_at_zero=born_at_zero)
            self.recent.add(labels, series, born_at_zero=born_at_zero)
        self.seen_at, self._read_until = seen_at, until

    async def _series(
        self, source: MetricSource, target: Target, until: datetime, window: float
    ) -> tuple[Series, ...]:
        """Return the series, under whichever names Prometheus gave the labels."""
        tries = (False, True) if self._exported is None else (self._exported,)
        for exported in tries:
            wanted = selector(self._metric, target, exported=exported)
            found = await source.samples(wanted, until=until, window_seconds=window)
            if found:
                self._exported = exported
                return found
        return ()

    async def _scraped_before(
        self, source: MetricSource, target: Target, found: Iterable[Series]
    ) -> Callable[[Series], bool]:
        """
        Return whether a series' job was being scraped before the exposure began.

        Only then is a series without a sample from before known to be new. A job that
        Prometheus met later may have counted for days.
        """
        newborn = [
            series
            for series in found
            if tuple(sorted(series.labels.items())) not in self.total.counters
            and not _before(series, self.total.since)
        ]
        jobs = {
            series.labels.get("job", "") for series in found if _before(series, self.total.since)
        }
        self._scraped.update(dict.fromkeys(jobs, True))
        for job in {series.labels.get("job", "") for series in newborn} - self._scraped.keys():
            self._scraped[job] = await self._was_up(source, target, job)
        return lambda series: self._scraped.get(series.labels.get("job", ""), False)

    async def _scraped_at(
        self, source: MetricSource, target: Target, found: Iterable[Series], until: datetime
    ) -> datetime:
        """
        Return when there was last a scrape: the newest sample's time, or else that of `up`.

        A Prometheus that was away answers before it has scraped again. What it says then
        is true of the time before it went.
        """
        newest = max((at for each in found for at, _ in each.samples), default=0.0)
        if newest < self.recent.since:
            jobs = _any_of(sorted({each.labels.get("job", "") for each in found} - {""}))
            value = await source.value(last_scrape(jobs), at=until)
            newest = max(newest, value or 0.0)
        seen = datetime.fromtimestamp(newest, UTC)
        return max(seen, target.exposed_at, self.seen_at or seen)

    async def _was_up(self, source: MetricSource, target: Target, job: str) -> bool:
        wanted = f"up{{job={quoted(job)}}}" if job else "up"
        found = await source.samples(
            wanted, until=target.exposed_at, window_seconds=self._look_back_seconds
        )
        return any(value == 1 for series in found for _, value in series.samples)


def _before(series: Series, moment: float) -> bool:
    return any(at <= moment for at, _ in series.samples)


def selector(metric: str, target: Target, *, exported: bool) -> str:
    """Return the selector of both arms' series; of stable Ingresses' requests to the stable Service."""
    prefix = "exported_" if exported else ""
    namespace, spec = target.key.namespace, target.spec
    canary = f"{namespace}-{spec.canary_service}"
    return (
        f"{metric}{{"
        f"{prefix}namespace={quoted(namespace)},"
        f"{prefix}service={quoted(spec.stable_service)},"
        f"ingress=~{quoted(_any_of(spec.nginx.stable_ingresses))},"
        f"canary=~{quoted('|' + re.escape(canary) + '-.+')}}}"
    )


def last_scrape(jobs: str) -> str:
    """Return the PromQL for when a target of these jobs (a regular expression; "" is any) last answered."""
    up = f"up{{job=~{quoted(jobs)}}}" if jobs else "up"
    return f"max(timestamp({up}) and {up} == 1)"


def _any_of(names: Collection[str]) -> str:
    return "|".join(re.escape(name) for name in names)


def quoted(text: str) -> str:
    """Return `text` as a PromQL string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
