"""A pod of the canary's and one of stable's that a real server scrapes, and what criteria measure of them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from rollouts.analysis.limited_sources import LimitedSources
from rollouts.analysis.measurement_round import Measurer
from rollouts.analysis.series import REPLICA_LABELS
from rollouts.analysis.series_check import check_series
from rollouts.metrics.prometheus import PrometheusSource
from rollouts.model.evidence import Measurement
from rollouts.model.kinds import JSON
from rollouts.ports import MetricSources
from tests.contract.metric_sources.conftest import Exporter
from tests.metric_servers.servers import SCRAPE_SECONDS
from tests.unit.analysis.app_harness import BY_REPLICAS, HASHES, target
from tests.waiting import answer, until

ERRORS: JSON = {"name": "errors", "errorRate": {"max": "1%"}}
P90: JSON = {"name": "p90", "latency": {"quantile": 0.9, "max": "400ms"}}
SCRAPES = 4
"""So often both pods are scraped before the canary is exposed, as a rule."""


def pod_labels(arm: str) -> dict[str, str]:
    """Return what scraping a pod adds."""
    return {"namespace": "shop", "pod": f"checkout-{HASHES[arm]}-1"}


@dataclass
class App:
    """What one pod counts: requests by their status, and how long they took."""

    bounds: tuple[str, ...] = ("0.1", "0.5", "1")
    typed: bool = True
    requests: dict[str, int] = field(default_factory=dict)
    took: list[float] = field(default_factory=list)

    def serve(self, count: int, seconds: float, code: str = "200") -> None:
        self.requests[code] = self.requests.get(code, 0) + count
        self.took += [seconds] * count

    def text(self) -> str:
        """Return it in Prometheus' text format."""
        requests, durations = "http_requests_total", "http_request_duration_seconds"
        lines = [f'{requests}{{code="{code}"}} {n}' for code, n in self.requests.items()]
        lines += [f"# TYPE {durations} histogram"] if self.typed else []
        for bound in (*self.bounds, "+Inf"):
            within = sum(
                each <= (float(bound) if bound != "+Inf" else math.inf) for each in self.took
            )
            lines.append(f'{durations}_bucket{{le="{bound}"}} {within}')
        lines.append(f"{durations}_count {len(self.took)}")
        lines.append(f"{durations}_sum {sum(self.took)}")
        return "\n".join([*lines, ""])


class ScrapedApps:
    """The two pods, and a measurer of the canary from `expose` on."""

    def __init__(self, exporters: Mapping[str, Exporter], source: PrometheusSource) -> None:
        self.pods = {arm: App() for arm in exporters}
        self._exporters = exporters
        self._source = source
        self._measurer: Measurer | None = None
        for arm, exporter in exporters.items():
            exporter.says = self.pods[arm].text

    @property
    def targets(self) -> dict[str, dict[str, str]]:
        """Return what a server has to scrape."""
        return {each.target: pod_labels(arm) for arm, each in self._exporters.items()}

    async def expose(self, *criteria: JSON, scrapes: int = SCRAPES, **spec: Any) -> None:
        """Begin to measure, when both pods have been scraped so often."""
        before = {arm: each.scrapes for arm, each in self._exporters.items()}
        await until(
            lambda: all(
                each.scrapes >= before[arm] + scrapes for arm, each in self._exporters.items()
            ),
            20,
        )
        self.measure(*criteria, **spec)

    def measure(self, *criteria: JSON, **spec: Any) -> None:
        """Begin to measure now."""
        exposed = target(BY_REPLICAS, criteria, **spec)
        sources = LimitedSources(MetricSources(self._source, self._source))
        exposed = replace(exposed, exposed_at=datetime.now(UTC))
        self._measurer = Measurer(exposed, sources, SCRAPE_SECONDS, REPLICA_LABELS)

    async def measured(self, name: str, requests: int) -> Measurement:
        """Return what a criterion measures, once so many of the canary's requests are known to it."""

        async def known() -> Measurement | None:
            found = await self.look(name)
            return found if found.canary.requests >= requests else None

        return await answer(known, 20)

    async def check(self) -> list[str]:
        """Return what is found of each criterion's series before a release: of the stable revision's."""
        assert self._measurer is not None
        target, now = self._measurer.exposed, datetime.now(UTC)
        checks = await check_series(self._source, target.key, target.spec, target.stable, now)
        return [each.found for each in checks]

    @property
    def scrape_interval_seconds(self) -> float:
        """How far apart scrapes were measured to be."""
        assert self._measurer is not None
        return self._measurer.scrape_interval_seconds

    async def look(self, name: str) -> Measurement:
        """Return what a criterion measures now."""
        assert self._measurer is not None
        now = datetime.now(UTC)
        at = now.replace(microsecond=now.microsecond // 1000 * 1000)
        due = self._measurer.exposed.spec.success_criteria
        return (await self._measurer.measure(at, due)).measurements[name]
