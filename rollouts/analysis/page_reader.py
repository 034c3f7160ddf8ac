"""
Reads the pages of the processes that count one exposed canary's requests, round by round, and says what they
add to what was scraped.

What is read can only speak against a release: of the criteria, those with an absolute limit that are
judged sequentially are asked (ADR 0037). A page that can't be read is tried more and more seldom.
Nothing here judges, and nothing is kept that a page does not show again.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from rollouts.analysis.criterion_metric import metric_of, requests_of
from rollouts.analysis.exposed_canary import ExposedCanary
from rollouts.analysis.exposure_counters import ExposureCounters
from rollouts.analysis.measurement import bug_of, measure
from rollouts.analysis.page_counters import PageCounters, larger
from rollouts.analysis.shared_pages import EVERY_SECONDS, PageRead, SharedPages
from rollouts.backoff import Backoff
from rollouts.errors import Unavailable
from rollouts.model.counter_metric import Metric
from rollouts.model.criteria import Criterion
from rollouts.model.evidence import DirectMeasurement
from rollouts.model.sources import is_counted_by_router
from rollouts.model.status import Readings
from rollouts.ports import Clock, MetricsPage, WantedSeries

log = structlog.get_logger(__name__)

STARTED = "process_start_time_seconds"
AGAIN = Backoff(first_seconds=2.0, longest_seconds=60.0, jitter=0.0)
"""How soon a page is tried again that could not be read."""
_SMOOTHING = 0.2
_EXACT_UP_TO_SECONDS = 10.0

Counted = Callable[[Metric], ExposureCounters | None]
"""What was scraped of a metric, if anything was asked for."""


@dataclass
class _Failure:
    """A page that could not be read the last time, or times."""

    why: str
    times: int
    again_at: datetime


class PageReader:
    """Reads for one exposure; `source` is shared by all."""

    def __init__(
        self,
        exposed: ExposedCanary,
        source: SharedPages,
        clock: Clock,
        every: float,
    ) -> None:
        self.exposed = exposed
        self._source = source
        self._clock = clock
        self._restart_seconds = max(60.0, 20 * every)
        self._counters: dict[Metric, PageCounters] = {}
        self._failures: dict[str, _Failure] = {}
        self._read_at: dict[str, datetime] = {}
        self._started: dict[tuple[str, Metric], float] = {}
        """When what was read at a URL for a metric says that it started, in unix seconds; 0: it does not say."""
        self._interval_seconds = 0.0

    async def read(self) -> None:
        """Read each page once that is due, in turn with everybody else's; what fails is kept for `readings`."""
        asked, now = self._asked(), self._clock.now()
        pages = [(page, of) for by_router, of in asked.items() for page in self._pages(by_router)]
        known, metrics = {page.url for page, _ in pages}, set().union(*asked.values())
        self._failures = {url: each for url, each in self._failures.items() if url in known}
        self._read_at = {url: at for url, at in self._read_at.items() if url in known}
        self._counters = {
            metric: self._counters.get(metric)
            or PageCounters(metric, self.exposed.exposed_at, self._restart_seconds)
            for metric in metrics
        }
        # A metric that is asked for again has counted meanwhile what is not this canary's.
        self._started = {key: at for key, at in self._started.items() if key[1] in metrics}
        due = [(page, of) for page, of in pages if self._is_due(page, now)]
        await asyncio.gather(*(self._read(page, of) for page, of in due))

    def _asked(self) -> dict[bool, set[Metric]]:
        """Return the metrics that decide anything, and those of all requests, by whether a router counts them."""
        result: dict[bool, set[Metric]] = {}
        for criterion in self._criteria():
            found = {metric_of(self.exposed, criterion), requests_of(self.exposed, criterion)}
            by_router = is_counted_by_router(self.exposed.spec, criterion)
            result.setdefault(by_router, set()).update(found)
        return result

    def _pages(self, by_router: bool) -> Sequence[MetricsPage]:
        return self.exposed.router_pages if by_router else self.exposed.pages

    def _criteria(self) -> Iterator[Criterion]:
        """Yield the criteria that pages can tell against: an absolute limit of what they count, judged sequentially."""
        for each in self.exposed.spec.success_criteria:
            ratio = each.error_rate is not None and each.error_rate.max is None
            if each.query is None and each.judged_by == "sequential" and not ratio:
                yield each

    def _is_due(self, page: MetricsPage, now: datetime) -> bool:
        failure = self._failures.get(page.url)
        return failure is None or failure.again_at <= now

    async def _read(self, page: MetricsPage, metrics: Collection[Metric]) -> None:
        try:
            found = await self._source.read(page, _wanted(metrics))
        except Unavailable as error:
            self._fail(page, str(error))
            return
        except Exception as error:
            log.exception("page not read", rollout=str(self.exposed.key), url=page.url)
            self._fail(page, f"{page.url}: {bug_of(error)}")
            return
        try:
            self._take_in(page, metrics, found)
        except Unavailable as error:
            self._fail(page, str(error))
        else:
            self._failures.pop(page.url, None)
            self._note_interval(page, found.at)

    def _take_in(self, page: MetricsPage, metrics: Collection[Metric], read: PageRead) -> None:
        found = read.series
        told = [each.samples[0][1] for each in found if each.labels["__name__"] == STARTED]
        started = max(told, default=0.0)
        created = page.created_at.timestamp() if page.created_at else 0.0
        is_new = max(started, created) > self.exposed.exposed_at.timestamp()
        for metric in metrics:
            if metric in self._counters:  # the spec may have been edited meanwhile
                # One process may count for many releases, and show nothing of this one at first.
                was_read = self._started.get((page.url, metric)) == started
                counters = self._counters[metric]
                counters.take_in(found, read.at, started, is_new=is_new or was_read)
                self._started[page.url, metric] = started

    def _fail(self, page: MetricsPage, why: str) -> None:
        before = self._failures.get(page.url)
        times = before.times + 1 if before is not None else 1
        again_at = self._clock.now() + timedelta(seconds=AGAIN.delay(times))
        self._failures[page.url] = _Failure(why, times, again_at)
        self._read_at.pop(page.url, None)

    def _note_interval(self, page: MetricsPage, at: datetime) -> None:
        before = self._read_at.get(page.url)
        self._read_at[page.url] = at
        if before is not None:
            taken = (at - before).total_seconds()
            known = self._interval_seconds or taken
            self._interval_seconds = known + _SMOOTHING * (taken - known)

    def readings(self) -> Readings:
        """Return how it goes: as it is told in status, where it should not change at each reading."""
        asked, exposed = self._asked(), self.exposed
        pods = [len(exposed.router_pages) if by_router else exposed.pods for by_router in asked]
        why = (
            exposed.why_router_unread if by_router else exposed.why_unread for by_router in asked
        )
        if not asked:
            return Readings()
        read, every = len(self._read_at), max(EVERY_SECONDS, self._interval_seconds)
        coarse = 1 if every <= _EXACT_UP_TO_SECONDS else 5
        return Readings(
            pods=read,
            of_pods=sum(pods),
            interval_seconds=float(coarse * round(every / coarse)) if read else 0.0,
            message="; ".join(filter(None, why)) or self._why_failed(),
        )

    def _why_failed(self) -> str:
        """Return why pages can't be read that have failed more than once, in words."""
        failed = sorted(url for url, each in self._failures.items() if each.times > 1)
        if not failed:
            return ""
        more = f"; {len(failed) - 1} more can't be read" if len(failed) > 1 else ""
        return f"{self._failures[failed[0]].why}{more}; until then Prometheus alone tells"

    def direct_measurements(self, counted: Counted) -> Mapping[str, DirectMeasurement]:
        """
        Return what criteria measure by the larger of the two counts, by name.

        Those are left out of which the pages show nothing, or what can't be measured.
        """
        at, result = self._clock.now(), dict[str, DirectMeasurement]()
        for criterion in self._criteria():
            read = self._counters.get(metric_of(self.exposed, criterion))
            if read is None or not any(read.requests().values()):
                continue
            both = self._larger(read, counted)
            requests = self._counters.get(requests_of(self.exposed, criterion), read)
            found = measure(criterion, both, self._larger(requests, counted), self.exposed, at)
            if not found.error:
                whose = (
                    "the router's" if is_counted_by_router(self.exposed.spec, criterion) else "the"
                )
                shown = f"as {whose} pods themselves show it"
                note = "; ".join(filter(None, (found.note, shown)))
                result[criterion.name] = DirectMeasurement(criterion, replace(found, note=note))
        return result

    def _larger(self, read: PageCounters, counted: Counted) -> ExposureCounters:
        scraped = counted(read.metric)
        if scraped is None:
            scraped = ExposureCounters(
                read.metric, self.exposed.exposed_at, self._restart_seconds / 20, (), ()
            )
        result = copy(scraped)
        result.windows = larger(scraped.windows, read)
        return result


def _wanted(metrics: Iterable[Metric]) -> WantedSeries:
    """Return what a page is asked for: where it has the counters of many releases, the canary's alone."""
    questions = [each.series for each in metrics]
    names = (*sorted({each.name for each in questions}), STARTED)
    labels = {each.canary_label for each in questions}
    if len(labels) > 1 or not all(each.canary_begins for each in questions):
        return WantedSeries(names)
    return WantedSeries(
        names, labels.pop(), tuple(sorted({each.canary_begins for each in questions}))
    )
