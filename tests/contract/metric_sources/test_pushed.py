"""Metrics that pods push by OTLP: nobody scrapes them, and no `up` tells who was there."""

import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest

from rollouts.errors import Permanent
from rollouts.metrics.prometheus import PrometheusSource
from rollouts.model.evidence import Counts
from tests.contract.metric_sources.scraped_apps import ERRORS, P90, ScrapedApps, pod_labels
from tests.metric_servers.choice import each_of
from tests.metric_servers.servers import PROMETHEUS, MetricServer

pytestmark = pytest.mark.sandbox

NAMES = {
    "requests": "http_server_requests_total",
    "codeLabel": "http_response_status_code",
    "durations": "http_server_request_duration_seconds",
    "namespaceLabel": "k8s_namespace_name",
    "podLabel": "k8s_pod_name",
}
RECEIVED = {"otlp": {"promote_resource_attributes": ["k8s.namespace.name", "k8s.pod.name"]}}
CUMULATIVE = 2


def attributes(of: Mapping[str, str]) -> list[Any]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in of.items()]


class Pushing:
    """The pods' exporters."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = f"{url}/api/v1/otlp/v1/metrics"

    async def push(self, arm: str, requests: Mapping[str, int], *, after: float) -> None:
        """Push what a pod had counted, by status, so many seconds from now."""
        at = str(time.time_ns() + round(after * 1e9))
        points = [
            {
                "timeUnixNano": at,
                "asInt": str(count),
                "attributes": attributes({"http.response.status_code": code}),
            }
            for code, count in requests.items()
        ]
        total = {"isMonotonic": True, "aggregationTemporality": CUMULATIVE, "dataPoints": points}
        await self._send(arm, {"name": "http.server.requests", "sum": total})

    async def push_durations(self, arm: str, fast: int, slow: int, *, after: float) -> None:
        """Push that so many took from 0.25 to 0.5 s, and so many from 2 to 4 s, as an exponential histogram."""
        at = str(time.time_ns() + round(after * 1e9))
        counts = [str(fast), "0", "0", str(slow)]  # by twos: from 0.25, 0.5, 1 and 2 s
        point = {
            "timeUnixNano": at,
            "count": str(fast + slow),
            "sum": 0.4 * fast + 3 * slow,
            "scale": 0,
            "positive": {"offset": -2, "bucketCounts": counts},
        }
        durations = {"aggregationTemporality": CUMULATIVE, "dataPoints": [point]}
        name = "http.server.request.duration"
        await self._send(arm, {"name": name, "unit": "s", "exponentialHistogram": durations})

    async def _send(self, arm: str, metric: Mapping[str, Any]) -> None:
        pod = pod_labels(arm)
        resource = {
            "service.name": "checkout",
            "service.instance.id": pod["pod"],
            "k8s.namespace.name": pod["namespace"],
            "k8s.pod.name": pod["pod"],
        }
        body = {
            "resourceMetrics": [
                {
                    "resource": {"attributes": attributes(resource)},
                    "scopeMetrics": [{"metrics": [metric]}],
                }
            ]
        }
        headers = {"Content-Type": "application/json"}
        async with self._http.post(self._url, data=json.dumps(body), headers=headers) as response:
            assert response.status == 200, await response.text()


@pytest.fixture
async def pushing(server: MetricServer) -> AsyncIterator[Pushing]:
    server.configure({}, more=RECEIVED, flags=["--web.enable-otlp-receiver"])
    await server.start()
    async with aiohttp.ClientSession() as http:
        yield Pushing(http, server.url)


@each_of(PROMETHEUS)
async def test_the_first_push_of_a_canary_is_counted(
    source: PrometheusSource, pushing: Pushing
) -> None:
    for count, after in ((10, -3), (20, -2), (30, -1)):
        await pushing.push("stable", {"200": count}, after=after)
    apps = ScrapedApps({}, source)
    apps.measure(ERRORS, appMetrics=NAMES)
    await pushing.push("stable", {"200": 40}, after=0.01)
    await pushing.push("canary", {"200": 15, "503": 5}, after=0.01)
    found = await apps.measured("errors", 20)
    assert (found.error, found.canary, found.stable) == ("", Counts(20, 5), Counts(10, 0))


@each_of(PROMETHEUS)
async def test_exponential_histograms_are_read(source: PrometheusSource, pushing: Pushing) -> None:
    for fast, after in ((10, -3), (20, -2), (30, -1)):
        await pushing.push_durations("stable", fast, 0, after=after)
    apps = ScrapedApps({}, source)
    apps.measure(P90, appMetrics=NAMES)
    await pushing.push_durations("stable", 40, 0, after=0.01)
    await pushing.push_durations("canary", 15, 5, after=0.01)
    found = await apps.measured("p90", 20)
    assert (found.error, found.canary, found.stable) == ("", Counts(20, 5), Counts(10, 0))
    assert "judged at 500ms, where the native histogram's bucket around 400ms ends" in found.note
    assert found.value is not None
    assert 2 < found.value <= 4
    with pytest.raises(Permanent, match="native histogram"):
        await source.value(f'{NAMES["durations"]}{{k8s_pod_name=~".+canary.+"}}', at=found.at)
    nothing = await source.value(f"sum({NAMES['durations']}) > 0", at=found.at)
    assert nothing.number is None
    assert any(each.startswith("PromQL info") for each in nothing.warnings)
