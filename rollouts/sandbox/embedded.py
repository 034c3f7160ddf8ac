"""The sandbox's own control plane: its store with an API server, controllers and autoscalers, in this process."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack

from rollouts.errors import Permanent
from rollouts.model.kinds import JSON
from rollouts.sandbox.apiserver.ownership import Writer
from rollouts.sandbox.apiserver.server import ApiServer
from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.apiserver.writes import IN_PROCESS
from rollouts.sandbox.autoscaling import Autoscaling
from rollouts.sandbox.crds import definitions
from rollouts.sandbox.credentials import Credentials, Kubeconfigs, write_kubeconfig
from rollouts.sandbox.network import LOOPBACK, free_port
from rollouts.sandbox.processes import Process
from rollouts.sandbox.stored_cluster import StoredCluster
from rollouts.sandbox.tasks import cancel
from rollouts.sandbox.workloads import Controllers


class EmbeddedControlPlane:
    """
    Answers on `address` from `start` to `stop`, and has `manifests` from the beginning.

    External metrics for autoscalers come from the Prometheus at `prometheus_url`.
    """

    told_as = LOOPBACK
    processes: Mapping[str, Process] = {}

    def __init__(self, address: str, manifests: Sequence[JSON], prometheus_url: str) -> None:
        self.store = Store()
        self.cluster = StoredCluster(self.store)
        self.logs = self.store.logs
        self._manifests = manifests
        self._credentials = Credentials(manifests)
        self.api = ApiServer(
            self.store, address, free_port(address, 6443), tokens=self._credentials.tokens
        )
        self._controllers = Controllers(self.store)
        self._autoscaling = Autoscaling(self.store, prometheus_url)
        self._stack = AsyncExitStack()

    @property
    def url(self) -> str:
        return self.api.url

    async def start(self, kubeconfigs: Kubeconfigs) -> None:
        """Answer, and write how: for people, and for the controller."""
        for manifest in (*definitions(), *self._manifests):
            install(self.store, manifest)
        await self.api.start()
        self._stack.push_async_callback(self.api.stop)
        write_kubeconfig(kubeconfigs.admin, self.url)
        write_kubeconfig(kubeconfigs.controller, self.url, token=self._credentials.controller_token)
        self._controllers.start()
        self._stack.push_async_callback(self._controllers.stop)
        autoscaling = asyncio.create_task(self._autoscaling.run(), name="autoscaling")
        self._stack.push_async_callback(cancel, autoscaling)

    async def stop(self) -> None:
        await self._stack.aclose()


def install(store: Store, manifest: JSON, writer: Writer = IN_PROCESS) -> None:
    """
    Store a manifest as `kubectl create` would.

    Raises:
        Permanent: nothing of that kind is served.
    """
    for resource in store.registry:
        if (resource.kind.api_version, resource.kind.name) == (
            manifest.get("apiVersion"),
            manifest.get("kind"),
        ):
            store.create(resource.kind, manifest, writer)
            return
    raise Permanent(
        f"the sandbox's API server has no kind {manifest.get('kind')} ({manifest.get('apiVersion')});"
        " create its CustomResourceDefinition first"
    )
