"""
What can be counted of a canary and its stable twin, whoever counts it.

One implementation per exporter (`ingress_counters`, `app_counters`); `readings` adds up.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from rollouts.ports import Series

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Meaning:
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


@dataclass(frozen=True, slots=True)
class Question:
    """What Prometheus is asked to know of one metric."""

    name: str
    """The metric's name."""
    selectors: tuple[str, ...]
    """Of both arms' series: by their labels as exported, and as Prometheus may rename them."""
    hint: str
    """What to ask oneself when there are no new samples any more."""
    status_label: str = "its label status"
    """What has the status of an answer, in words, and where that is set."""
    up_matchers: str = ""
    """The matchers of the processes that are scraped, as `up` has their labels; "": nobody knows."""


class Metric(Protocol):
    """One metric of one exposure."""

    @property
    def question(self) -> Question:
        """Return how its series are asked for."""
        ...

    def meaning(self, labels: Mapping[str, str]) -> Meaning:
        """Return what the series of these labels says."""
        ...

    def process(self, labels: Mapping[str, str]) -> str:
        """Return what tells the process that exports it from others, whoever scrapes it."""
        ...


def labels_of(series: Series) -> Labels:
    """Return the labels of a series as a key."""
    return tuple(sorted(series.labels.items()))


def newest(found: Iterable[Series]) -> float:
    """Return the time of the newest sample; 0 without any."""
    return max((at for each in found for at, _ in each.samples), default=0.0)


def quoted(text: str) -> str:
    """Return `text` as a PromQL string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def selector(metric: str, *matchers: str) -> str:
    """Return a PromQL selector; matchers that are empty are left out."""
    given = ",".join(filter(None, matchers))
    return f"{metric}{{{given}}}" if given else metric


def any_of(names: Collection[str]) -> str:
    """Return the regular expression that matches these names."""
    return "|".join(re.escape(name) for name in names)
