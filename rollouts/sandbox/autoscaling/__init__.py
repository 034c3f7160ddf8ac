"""
Autoscaling in the sandbox: HorizontalPodAutoscalers, and KEDA's ScaledObjects on top of them.

Targets are scaled through their /scale subresource and in no other way, so whatever has one
can be a target: a Deployment, a ReplicaSet, a Rollout.
"""

import asyncio

from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.autoscaling.autoscaler import Autoscalers
from rollouts.sandbox.autoscaling.external import PrometheusMetricValues
from rollouts.sandbox.autoscaling.replica_calculator import ReplicaCalculator, Timing
from rollouts.sandbox.autoscaling.scaled_objects import ScaledObjects
from rollouts.sandbox.autoscaling.usage import CpuUsage

__all__ = ["Autoscaling", "Timing"]


class Autoscaling:
    """
    Looks at every autoscaler of a store once in `timing.sync_seconds`.

    External metrics come from the Prometheus at `prometheus_url`; without one there are none.
    """

    def __init__(
        self, store: Store, prometheus_url: str = "", timing: Timing | None = None
    ) -> None:
        self._timing = timing or Timing()
        self._metric_values = PrometheusMetricValues(prometheus_url)
        cpu = CpuUsage(self._timing.cpu_window_seconds)
        self._scaled_objects = ScaledObjects(store, self._metric_values)
        self._autoscalers = Autoscalers(
            store, ReplicaCalculator(store, self._metric_values, cpu, self._timing)
        )

    async def run(self) -> None:
        """Keep on looking until cancelled."""
        try:
            while True:
                await self._scaled_objects.sync()
                await self._autoscalers.sync()
                await asyncio.sleep(self._timing.sync_seconds)
        finally:
            await self._metric_values.close()
