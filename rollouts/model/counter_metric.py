"""
What can be counted of a canary and its stable twin, whoever counts it.

One implementation per exporter: a router's data plane (`rollouts.traffic`), or the app's own pods
(`rollouts.analysis.app_counters`), which the rooms that count know by this alone.
"""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

BOUND = "le"
"""The label of a bucket with its upper bound."""
_BARE_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
_BARE_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
BUCKET, COUNT = "_bucket", "_count"
"""What the names of a histogram's series end in: of its buckets, and of all that it has counted."""


@dataclass(frozen=True, slots=True)
class SeriesMeaning:
    """What one series says of a release."""

    canary: bool
    """Whose requests it counts: the canary's, or stable's."""
    failed: bool = False
    """It counts answers with a 5xx status."""
    has_status: bool = True
    """It says which status its answers have; else nobody knows whether they failed."""
    bound: float | None = None
    """It counts what took so many seconds at most; a bucket of a histogram."""
    shows_canary: bool = True
    """While it has new samples, the canary is watched."""
    is_new_process: bool = False
    """It is from a process made for this release, unless something shows that it was there before."""

    @property
    def counts_requests(self) -> bool:
        """Whether it counts requests, each once: it is no bucket, or the one that has all of them."""
        return self.bound in (None, math.inf)


@dataclass(frozen=True, slots=True)
class CounterSeries:
    """What Prometheus is asked to know of one metric."""

    name: str
    """The metric's name."""
    selectors: tuple[str, ...]
    """Of both arms' series: by their labels as exported, and as Prometheus may rename them."""
    hint: str
    """What to ask oneself when there are no new samples any more."""
    status_label: str = "its label status"
    """What has the status of an answer, in words, and where that is set."""
    absent: str = ""
    """What to say where Prometheus has no such series at all; "": nothing can be told from that."""
    up_matchers: str = ""
    """The matchers of the processes that are scraped, as `up` has their labels; "": nobody knows."""
    natives: tuple[str, ...] = ()
    """Of native histograms that may stand in for the series; spelled as `selectors` are."""
    bounds: tuple[float, ...] = ()
    """Of a histogram: the durations, in seconds, that criteria ask about."""
    canary_label: str = ""
    """Where one process counts for many releases: the label by which its page tells the canary's series."""
    canary_begins: str = ""
    """What that label begins with."""


class Metric(Protocol):
    """One metric of one exposure."""

    @property
    def series(self) -> CounterSeries:
        """Return how its series are asked for."""
        ...

    def is_asked(self, labels: Mapping[str, str]) -> bool:
        """Return whether the series of these labels, its name among them, is one that is asked for."""
        ...

    def meaning(self, labels: Mapping[str, str]) -> SeriesMeaning:
        """Return what the series of these labels says."""
        ...

    def process(self, labels: Mapping[str, str]) -> str:
        """Return what tells the process that exports it from others, whoever scrapes it."""
        ...


def bound_of(labels: Mapping[str, str]) -> float | None:
    """
    Return the upper bound of a bucket; None for what is no bucket.

    Raises:
        ValueError: the bound is no number.
    """
    text = labels.get(BOUND)
    if text is None:
        return None
    bound = float(text)
    # Python reads more than Prometheus writes: "1_0", " 10", digits of other scripts.
    if math.isnan(bound) or not text.isascii() or "_" in text or text != text.strip():
        raise ValueError(f"{text} is no bound")
    return bound


def quoted(text: str) -> str:
    """Return `text` as a PromQL string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def label(name: str) -> str:
    """Return the name of a label as PromQL writes it: quoted, as Prometheus 3 reads it, where it has to be."""
    return name if _BARE_LABEL.fullmatch(name) else quoted(name)


def selector(metric: str, *matchers: str) -> str:
    """Return a PromQL selector; matchers that are empty are left out."""
    is_bare = _BARE_METRIC.fullmatch(metric)
    given = ",".join(filter(None, ("" if is_bare else quoted(metric), *matchers)))
    bare = metric if is_bare else ""
    return f"{bare}{{{given}}}" if given else bare


def native_name(metric: str) -> str:
    """Return what a native histogram is called that may stand in for a metric; "" where none can."""
    for end in (BUCKET, COUNT):
        if metric.endswith(end) and metric != end:
            return metric.removesuffix(end)
    return ""


def any_of(names: Collection[str]) -> str:
    """Return the regular expression that matches these names."""
    return "|".join(re.escape(name) for name in names)
