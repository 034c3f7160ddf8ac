"""Stand-ins for a source that there is none of: each says so when it is asked, and what to do."""

from datetime import datetime

from rollouts.errors import Unavailable
from rollouts.ports import MetricSources, Series, Value

NO_PROMETHEUS = "no Prometheus is named; start the controller with --prometheus URL"
NO_COUNTERS = (
    "errorRate and latency are counted from raw samples, and the provider of metrics that is named"
    " only answers queries: start the controller with --prometheus URL, or ask for it with a query"
)


class NoCounterSource:
    """A `CounterSource` for a controller that has none; `why` is what every criterion says that needs it."""

    def __init__(self, why: str = NO_COUNTERS) -> None:
        self._why = why

    async def samples(
        self,
        selector: str,  # noqa: ARG002 - the port's names
        *,
        until: datetime,  # noqa: ARG002
        window_seconds: float,  # noqa: ARG002
    ) -> tuple[Series, ...]:
        raise Unavailable(self._why)

    async def last_scrape(self, up: str, *, at: datetime) -> float:  # noqa: ARG002
        raise Unavailable(self._why)

    async def most_scrapes(self, *, until: datetime, window_seconds: float) -> int:  # noqa: ARG002
        raise Unavailable(self._why)


class NoQuerySource:
    """A `QuerySource` for a controller that has none."""

    def __init__(self, why: str) -> None:
        self._why = why

    async def value(self, query: str, *, at: datetime) -> Value:  # noqa: ARG002
        raise Unavailable(self._why)


def no_sources() -> MetricSources:
    """Return the sources of a controller that was told of no provider at all."""
    return MetricSources(NoCounterSource(NO_PROMETHEUS), NoQuerySource(NO_PROMETHEUS))
