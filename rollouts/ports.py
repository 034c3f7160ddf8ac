"""
The few Protocols through which the loop talks to the world, and the words it uses there.

A port has two to four methods. What implements one lives on the floor above
(`kube`, `metrics`, `notify`); what uses one never knows which implementation it got.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from rollouts.model.kinds import JSON, FrozenJSON, Kind, Ref

EventType = Literal["Normal", "Warning"]


@dataclass(frozen=True, slots=True)
class Create:
    """
    Create `body`; that it exists already raises `Conflict`.

    `strict`: a field that the API server does not know raises `Permanent`, and is not dropped.
    """

    kind: Kind
    body: FrozenJSON
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Apply:
    """
    Server-side apply `body` with our field manager, taking over the fields it names.

    `within_seconds` is how long it may take, where something else would do; None: as long as any write.
    """

    kind: Kind
    body: FrozenJSON
    within_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Patch:
    """
    Merge-patch (RFC 7386) the object, or its `subresource` ("status", "scale").

    A `metadata.resourceVersion` inside `body` makes it optimistic: `Conflict` when
    somebody wrote in between.
    """

    ref: Ref
    body: FrozenJSON
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the object; `uid`, when given, must still be its own. Absent is success."""

    ref: Ref
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Evict:
    """
    Ask the pod to go, as far as PodDisruptionBudgets allow it now. Absent is success.

    Raises `RetryLater` with the budget's reason when one does not. The watch tells when the
    pod begins to go.
    """

    ref: Ref


@dataclass(frozen=True, slots=True)
class Record:
    """
    Record a Kubernetes Event about `regarding`; equal ones are counted up, not repeated.

    `may_wait`: it may be told later, in one Event with what follows.
    """

    regarding: FrozenJSON
    type: EventType
    reason: str
    message: str
    may_wait: bool = False


Write = Create | Apply | Patch | Delete | Evict | Record


@dataclass(frozen=True, slots=True)
class Scope:
    """
    What the caches hold of one kind: the objects that carry `label`, and of each these `fields`.

    A field is a path such as `status.conditions`; one that leads through a list means that
    field of every item. Empty means all.
    """

    label: str = ""
    fields: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    """Only the objects of these names; each is watched by itself. Empty means all."""
    versions: tuple[str, ...] = ()
    """
    The kind comes with a CRD, and is read at the first of these versions that the CRD serves.

    While it serves none, there are no objects. Needs the kind CRD among the kinds watched.
    """
    owners: tuple[str, ...] = ()
    """
    The fields of which the objects say who else owns them by server-side apply.

    `metadata.managedFields` then has one entry `{manager, operation, fieldsV1}` for each such
    manager, whose `fieldsV1` names those of these paths that it owns, and nothing below them.
    Without an owner, and for the empty default, there is no `managedFields`.
    """
    needed: bool = True
    """
    Whether the caches count as filled only with it.

    When it may not be read, one that is not needed is empty until it may, and `Reads.refusal` says so.
    """


class Reads(Protocol):
    """The half of a cluster that is looked at. What it returns nobody changes: one that has changed is another object."""

    def get(self, ref: Ref) -> JSON | None:
        """Return the object as last seen, or None."""
        ...

    def select(
        self, kind: Kind, namespace: str, labels: Mapping[str, str] | None = None
    ) -> list[JSON]:
        """Return the namespace's objects (all namespaces for "") whose labels include `labels`."""
        ...

    def refusal(self, kind: Kind, namespace: str) -> str:
        """Return why what there is of a kind can't be seen: it may not be read; empty where it may."""
        ...


class Cluster(Reads, Protocol):
    """
    The cluster: reads come from watch caches and cost no request, writes go to the API server.

    A kind that comes with a CRD keeps its name, whichever version is served: what is read says
    in its `apiVersion` which one that is, a body that is written goes to the one that it names.

    What a write returned is in the cache when `write` returns, so that a reconcile
    never acts on a state that is older than its own last write.
    """

    async def write(self, write: Write) -> None:
        """
        Carry out one write.

        Raises:
            Conflict: it exists already, or somebody wrote in between.
            NotFound: the object to patch is gone, or its kind is not served.
            Forbidden: a permission is missing.
            Unavailable: the API server did not answer in time.
            InvalidSpec: the API server refused the body (422).
        """
        ...

    def changes(self) -> AsyncIterator[Ref]:
        """
        Yield the reference of every object that appeared, changed or went.

        First all that exist when the caches are filled; after a reconnect what differs. The CRD of a kind
        is yielded too when its `refusal` comes or goes.
        A deleted object can no longer be got, only its reference is yielded.
        """
        ...


@dataclass(frozen=True, slots=True)
class Histogram:
    """One sample of a native histogram: how many were observed, and which of its buckets are not empty."""

    count: float
    buckets: tuple[tuple[float, float, float], ...] = ()
    """Each with its lower and upper bound, and how many were observed in it."""


@dataclass(frozen=True, slots=True)
class Series:
    """One time series: its labels, and raw samples (unix seconds, value), oldest first."""

    labels: Mapping[str, str]
    samples: Sequence[tuple[float, float]] = field(default_factory=tuple)
    histograms: Sequence[tuple[float, Histogram]] = field(default_factory=tuple)
    """Its samples that are native histograms: it has these or numbers, or both one after the other."""


class CounterSource(Protocol):
    """
    Where the raw samples of counters come from, which `errorRate` and `latency` are counted from.

    Every method raises `Unavailable` when it can't say. Series are named as Prometheus names them,
    and `up` is the series of who was scraped, 1 when it answered.
    """

    async def samples(
        self, selector: str, *, until: datetime, window_seconds: float
    ) -> tuple[Series, ...]:
        """
        Return the raw samples of `selector` in (until - window, until], per series.

        Raises:
            TooLarge: there are more than can be held; a smaller window may have fewer.
        """
        ...

    async def last_scrape(self, up: str, *, at: datetime) -> float:
        """Return when a target that the selector `up` selects last answered, in unix seconds; 0: none did."""
        ...

    async def most_scrapes(self, *, until: datetime, window_seconds: float) -> int:
        """Return how often the target that was scraped most was, in (until - window, until]; 0 without any."""
        ...


@dataclass(frozen=True, slots=True)
class Value:
    """What a query evaluates to: `number` is None for an empty result, and for NaN or an infinity."""

    number: float | None
    warnings: tuple[str, ...] = ()
    """What the provider says of how it came about, in its own words, as far as that explains it."""


class QuerySource(Protocol):
    """Where the one number comes from that a `query` asks for, in its provider's own language."""

    async def value(self, query: str, *, at: datetime) -> Value:
        """
        Return what `query` evaluates to.

        Raises:
            Permanent: the expression is wrong, or yields more than one number.
            Unavailable: no answer, or nonsense.
        """
        ...


@dataclass(frozen=True, slots=True)
class MetricsPage:
    """Where a process shows its own counters."""

    url: str
    labels: Mapping[str, str]
    """What whoever scrapes it adds to its series, such as the pod's name."""
    created_at: datetime | None = None
    """When its pod was created, as far as is known; to the second. The process started after it."""


@dataclass(frozen=True, slots=True)
class WantedSeries:
    """Which series of a page are wanted."""

    names: tuple[str, ...]
    label: str = ""
    begins: tuple[str, ...] = ()
    """Series that have labels are wanted where `label` begins with one of these; empty: all are."""


class PageSource(Protocol):
    """Pages of counters, as the processes that count show them; read now, and not when somebody scrapes."""

    async def read(
        self, page: MetricsPage, wanted: WantedSeries, *, at: datetime
    ) -> tuple[Series, ...]:
        """
        Return the wanted series, each with the one sample that it shows, at `at`.

        They are named as Prometheus names what it scrapes there: a label of the page's own that the target
        has too begins with `exported_`.

        Raises:
            Unavailable: no answer, or not all of it, or nonsense.
        """
        ...


@dataclass(frozen=True, slots=True)
class MetricSources:
    """Which provider is behind which; it may be one for the first two."""

    counters: CounterSource
    queries: QuerySource
    pages: PageSource | None = None
    """None: no page is read."""
    readings_per_second: float = 0.0
    """How many pages may be read in a second, by all releases together."""


@dataclass(frozen=True, slots=True)
class Notification:
    """What people are told: a release started, is waiting for them, was promoted, was rolled back."""

    rollout: str
    reason: str
    message: str
    at: datetime


class Notifier(Protocol):
    """Tells people. May fail; a release never waits for it."""

    async def notify(self, notification: Notification) -> None:
        """Deliver the notification, or raise `RetryLater`."""
        ...

    async def close(self) -> None:
        """Give back what it holds open."""
        ...


class Clock(Protocol):
    """Time, so that a test may own it."""

    def now(self) -> datetime:
        """Return the present, aware, in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        ...
