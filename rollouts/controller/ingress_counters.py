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
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from rollouts.controller.births import Births, by_one_job, labels_of, quoted
from rollouts.controller.tally import Tally
from rollouts.controller.target import Target
from rollouts.model.units import format_duration
from rollouts.ports import MetricSource, Series

REQUESTS = "nginx_ingress_controller_request_duration_seconds_count"
BUCKETS = "nginx_ingress_controller_request_duration_seconds_bucket"
LEAST_LOOK_BACK_SECONDS = 60.0
MOST_SECONDS_AT_ONCE = 15 * 60.0


class Reading:
    """
    One metric of one exposure, read little by little.

    Each read reaches back to the last one and a little further; the first, also after a
    restart, to before the exposure: Prometheus remembers, so that nothing has to be kept.
    A long exposure is caught up with in several reads.
    """

    def __init__(self, metric: str, target: Target, interval_seconds: float) -> None:
        self.total = Tally(target.exposed_at.timestamp())
        self.recent = Tally(target.exposed_at.timestamp())
        self.restarts: dict[int, Tally] = {}
        """The last two tallies that begin anew, by their number: at j times a fixed length."""
        self.seen_at: datetime | None = None
        """When what was read last had been scraped, or when there was last a scrape to find more."""
        self._metric = metric
        self._interval_seconds = interval_seconds
        self._look_back_seconds = max(LEAST_LOOK_BACK_SECONDS, 8 * interval_seconds)
        self._restart_seconds = max(60.0, 20 * interval_seconds)
        self._exposed_at = self._read_until = target.exposed_at
        self._newest = 0.0
        self._spacing_seconds = 0.0
        self._exported: bool | None = None
        self._jobs: dict[str, str] = {}
        self._births = Births(target.exposed_at, self._look_back_seconds)

    def applied(self, at: datetime) -> None:
        """Count the recent part since `at`, when the present weight was applied."""
        if at.timestamp() != self.recent.since:
            self.recent = self.total.later(at.timestamp())

    def behind(self, at: datetime) -> bool:
        """Say whether more has to be read to know what had been scraped at `at`."""
        return self._read_until < at

    def trouble(self, at: datetime) -> str:
        """Return why what was read does not tell how the canary does at `at`, or nothing."""
        if self.behind(at):
            read, of = (_length(self._exposed_at, until) for until in (self._read_until, at))
            return f"catching up: {read} of {of} read"
        silent = at.timestamp() - self._newest
        if self._newest and silent > self._patience_seconds():
            since = format_duration(round(silent))
            return f"no new samples of {self._metric} for {since}: is ingress-nginx still scraped?"
        return ""

    def note(self) -> str:
        """Return what whoever set the interval should know, or nothing."""
        if self._spacing_seconds <= 1.5 * self._interval_seconds:
            return ""
        spacing, interval = format_duration(self._spacing_seconds), self._interval_seconds
        return (
            f"scraped every {spacing}, looked at every {format_duration(interval)};"
            " set --interval to the scrape interval"
        )

    async def read(self, source: MetricSource, target: Target, until: datetime) -> None:
        """
        Take in what has been scraped up to `until`, or as much of it as one answer should hold.

        Raises:
            RolloutsError: the source did not answer; nothing is changed then.
        """
        until = min(until, self._read_until + timedelta(seconds=MOST_SECONDS_AT_ONCE))
        begin = self._read_until - timedelta(seconds=self._look_back_seconds)
        window = (until - begin).total_seconds()
        jobs = dict(self._jobs)
        answered = await self._series(source, target, until, window)
        found = by_one_job(answered, jobs, self.total.counters)
        at_zero = await self._births.at_zero(source, found, self.total.counters, until)
        seen_at = await self._scraped_at(source, target, found, until)
        self._begin_anew(until)
        for series in found:
            labels = labels_of(series)
            for tally in (self.total, self.recent, *self.restarts.values()):
                tally.add(labels, series, born_at_zero=labels in at_zero)
        self.seen_at, self._jobs = seen_at, jobs
        self._read_until = max(until, self._read_until)
        self._newest = max(self._newest, newest(found))
        self._spacing_seconds = _spacing(found) or self._spacing_seconds
        if not found or until.timestamp() - self._newest > self._patience_seconds():
            self._exported = None  # perhaps Prometheus renames labels differently by now

    def _patience_seconds(self) -> float:
        """Return after how long without a sample the canary is not watched any more."""
        return max(10.0, 5 * self._interval_seconds, 3 * self._spacing_seconds)

    def _begin_anew(self, until: datetime) -> None:
        """
        Have a tally from the last two moments of the fixed grid that are not after `until`.

        Called before samples up to `until` are added: the new one begins with what was last seen.
        """
        length = self._restart_seconds
        latest = int((until - self._exposed_at).total_seconds() // length)
        self.restarts = {
            number: self.restarts.get(number)
            or self.total.later(self._exposed_at.timestamp() + number * length)
            for number in (latest - 1, latest)
            if number >= 1
        }

    async def _series(
        self, source: MetricSource, target: Target, until: datetime, window: float
    ) -> tuple[Series, ...]:
        """Return the series, under whichever names Prometheus gives the labels now."""
        tries = (False, True) if self._exported is None else (self._exported,)
        best: tuple[Series, ...] = ()
        for exported in tries:
            wanted = selector(self._metric, target, exported=exported)
            found = await source.samples(wanted, until=until, window_seconds=max(0.001, window))
            if found and (not best or newest(found) > newest(best)):
                best, self._exported = found, exported
        return best

    async def _scraped_at(
        self, source: MetricSource, target: Target, found: Iterable[Series], until: datetime
    ) -> datetime:
        """
        Return when there was last a scrape: the newest sample's time, or else that of `up`.

        A Prometheus that was away answers before it has scraped again. What it says then
        is true of the time before it went.
        """
        last = newest(found)
        if last < self.recent.since:
            jobs = _any_of(sorted({each.labels.get("job", "") for each in found} - {""}))
            value = await source.value(last_scrape(jobs), at=until)
            last = max(last, value or 0.0)
        seen = datetime.fromtimestamp(last, UTC)
        return max(seen, target.exposed_at, self.seen_at or seen)


def newest(found: Iterable[Series]) -> float:
    """Return the time of the newest sample; 0 without any."""
    return max((at for each in found for at, _ in each.samples), default=0.0)


def _spacing(found: Iterable[Series]) -> float:
    """Return how far apart scrapes are; 0 as long as nobody can know."""
    times = max((sorted(at for at, _ in each.samples) for each in found), key=len, default=[])
    return min((after - before for before, after in pairwise(times)), default=0.0)


def _length(begin: datetime, end: datetime) -> str:
    return format_duration(round(max(0.0, (end - begin).total_seconds())))


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
