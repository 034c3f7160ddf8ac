"""A `PageSource` over the counters of `FakeMetrics`, as they are now and nobody has scraped them."""

from collections.abc import Mapping
from datetime import datetime

from rollouts.errors import Unavailable
from rollouts.ports import MetricsPage, Series, WantedSeries
from tests.fakes.metrics import FakeMetrics


class FakePages:
    """Each pod shows its own counters. `failing` has why a page, by its URL, can't be read."""

    def __init__(self, metrics: FakeMetrics) -> None:
        self.metrics = metrics
        self.failing: dict[str, str] = {}
        self.read_at: list[tuple[str, datetime]] = []
        """Which pages were asked for, and when."""

    async def read(
        self, page: MetricsPage, wanted: WantedSeries, *, at: datetime
    ) -> tuple[Series, ...]:
        self.read_at.append((page.url, at))
        if page.url in self.failing:
            raise Unavailable(f"no metrics at {page.url}: {self.failing[page.url]}")
        shown = [(dict(labels), value) for labels, value in self.metrics.values.items()]
        return tuple(
            Series(labels, ((at.timestamp(), value),))
            for labels, value in shown
            if page.labels.items() <= labels.items() and _is_wanted(labels, page, wanted)
        )


def _is_wanted(labels: Mapping[str, str], page: MetricsPage, wanted: WantedSeries) -> bool:
    has_labels = labels.keys() - page.labels.keys() - {"__name__"}
    fits = not (wanted.begins and has_labels) or labels.get(wanted.label, "").startswith(
        wanted.begins
    )
    return labels["__name__"] in wanted.names and fits
