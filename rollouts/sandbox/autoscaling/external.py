"""
External metrics: values that the sandbox's Prometheus knows.

The metric `orders_open` with the selector `shop=berlin` is the sum of the series
`orders_open{shop="berlin"}`; that of a ScaledObject is its trigger's query.
"""

import json
from typing import Protocol

import aiohttp

from rollouts.model.kinds import FrozenJSON
from rollouts.sandbox.apiserver.objects import get_path
from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.autoscaling.recommendation import NoMetrics
from rollouts.sandbox.crds import SCALED_OBJECT

SCALED_OBJECT_LABEL = "scaledobject.keda.sh/name"
_WITHIN_SECONDS = 5.0


class MetricValues(Protocol):
    """Answers PromQL with the values of an instant vector, or with one scalar."""

    async def ask(self, promql: str) -> list[float]:
        """Return the values now. Raises NoMetrics, with the reason, when there is no answer."""
        ...


class PrometheusMetricValues:
    """Asks the Prometheus at `url`; without one, it never has an answer."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._http: aiohttp.ClientSession | None = None

    async def ask(self, promql: str) -> list[float]:
        if not self._url:
            raise NoMetrics("no external metrics API is registered")
        self._http = self._http or aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=_WITHIN_SECONDS)
        )
        try:
            async with self._http.get(
                f"{self._url}/api/v1/query", params={"query": promql}
            ) as answer:
                body = await answer.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise NoMetrics(
                f"Prometheus does not answer: {error or type(error).__name__}"
            ) from error
        if body.get("status") != "success":
            raise NoMetrics(f"Prometheus refuses: {body.get('error', 'no reason given')}")
        result = body["data"]["result"]
        if body["data"]["resultType"] == "scalar":
            return [float(result[1])]
        return [float(series["value"][1]) for series in result]

    async def close(self) -> None:
        """Let go of the connection."""
        if self._http is not None:
            await self._http.close()


def trigger_name(number: int, trigger: FrozenJSON) -> str:
    """Return the name of the external metric that a ScaledObject's trigger becomes."""
    return f"s{number}-{trigger['type']}"


def promql(store: Store, namespace: str, metric: FrozenJSON) -> str:
    """
    Return the query behind an external metric.

    Raises:
        NoMetrics: it is a ScaledObject's, and that has no such trigger.
    """
    labels: dict[str, str] = dict(get_path(metric, "selector.matchLabels", {}))
    owner = labels.pop(SCALED_OBJECT_LABEL, None)
    if owner is None:
        matchers = ",".join(f"{name}={json.dumps(value)}" for name, value in sorted(labels.items()))
        return f"{metric['name']}{{{matchers}}}"
    served = store.registry.served(SCALED_OBJECT)
    found = store.get(SCALED_OBJECT, namespace, owner) if served else None
    for number, trigger in enumerate(get_path(found or {}, "spec.triggers", [])):
        if trigger_name(number, trigger) == metric["name"]:
            return str(get_path(trigger, "metadata.query", ""))
    raise NoMetrics(f"no matching metrics found for {metric['name']}")
