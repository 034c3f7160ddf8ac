"""A `PageSource` over the counters of `FakeMetrics`, as they are now and nobody has scraped them."""

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
        own = page.labels.items()
        return tuple(
            Series(dict(labels), ((at.timestamp(), value),))
            for labels, value in self.metrics.values.items()
            if own <= dict(labels).items() and dict(labels)["__name__"] in wanted.names
        )
