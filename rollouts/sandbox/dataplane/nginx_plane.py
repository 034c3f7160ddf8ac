"""The data plane as one piece: nginx, its configurator, its access log and its exporter."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from rollouts.sandbox.cluster import Cluster
from rollouts.sandbox.dataplane import initial_objects, metrics_service
from rollouts.sandbox.dataplane.configurator import Configurator
from rollouts.sandbox.dataplane.exporter import AccessLog, Exporter
from rollouts.sandbox.dataplane.ingress_metrics import IngressMetrics
from rollouts.sandbox.dataplane.ingresses import IngressSettings
from rollouts.sandbox.dataplane.nginx import Listener, Nginx
from rollouts.sandbox.network import LOOPBACK, PodNetwork
from rollouts.sandbox.processes import Process, Processes
from rollouts.sandbox.prometheus import Job
from rollouts.sandbox.readiness import ended
from rollouts.sandbox.tasks import cancel


class NginxPlane:
    """
    Serves a cluster's Ingresses, HTTPRoutes and GRPCRoutes on `listener` from `start` to `stop`.

    The exporter listens on the address and port `exporter`; `job` is what scrapes it.
    """

    name = "nginx"

    def __init__(
        self,
        cluster: Cluster,
        network: PodNetwork,
        processes: Processes,
        directory: Path,
        *,
        listener: Listener,
        exporter: tuple[str, int],
    ) -> None:
        self.listener = listener
        self.url = listener.url
        self.gateway_url = listener.gateway_url
        address, port = exporter
        self.job = Job("ingress-nginx", (f"{address}:{port}",), honor_labels=True)
        self._cluster = cluster
        self.metrics = IngressMetrics()
        self._network = network
        self._processes = processes
        self._exporter_at = exporter
        self._nginx = Nginx(directory, listener)
        self._configurator = Configurator(cluster, self._nginx, IngressSettings(network))
        self._access_log = AccessLog(self._nginx.access_log, self.metrics)
        self._stack = AsyncExitStack()

    async def start(self) -> Process:
        """
        Return nginx's process when everything answers and the cluster's routes are in force.

        Raises:
            Permanent: there is no nginx for this machine.
            Unavailable: nginx does not get ready; its log says why.
        """
        async with AsyncExitStack() as stack:
            command = self._nginx.prepare()
            self._access_log.open()
            stack.callback(self._access_log.close)
            stack.push_async_callback(self._nginx.close)
            process = await self._processes.start("nginx", command)
            stack.push_async_callback(self._processes.stop, process)
            await self._nginx.wait_ready(lambda: ended(process))
            exporter = Exporter(self._access_log, self.metrics)
            await exporter.start(*self._exporter_at)
            stack.push_async_callback(exporter.stop)
            await initial_objects.create(self._cluster)
            if self._network.told_as == LOOPBACK:  # a real API server refuses endpoints there
                await metrics_service.create(self._cluster, *self._exporter_at)
            await self._configurator.apply()
            configuring = asyncio.create_task(self._configurator.run(), name="configurator")
            stack.push_async_callback(cancel, configuring)
            self._stack = stack.pop_all()
        return process

    async def stop(self) -> None:
        """Stop all of it; what was logged until then has been counted."""
        await self._stack.aclose()
