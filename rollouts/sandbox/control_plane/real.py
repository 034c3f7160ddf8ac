"""A real control plane as a sandbox has it: started, given its first objects, and followed."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from rollouts.errors import UsageError
from rollouts.model.kinds import JSON, POD
from rollouts.sandbox.apiserver.builtins import CONFIG_MAP, SECRET
from rollouts.sandbox.apiserver.store import NODE_NAME as NODE
from rollouts.sandbox.apiserver.users import ADMIN_NAME
from rollouts.sandbox.control_plane.audit_file import AuditFile
from rollouts.sandbox.control_plane.client import Client
from rollouts.sandbox.control_plane.initial_objects import (
    NodeEntry,
    create_initial_objects,
    token_of,
)
from rollouts.sandbox.control_plane.log_server import LogServer
from rollouts.sandbox.control_plane.programs import NODE_NAME, PROGRAMS, Ports, Programs, are_in
from rollouts.sandbox.control_plane.remote_cluster import RemoteCluster
from rollouts.sandbox.control_plane.running import ControlPlane
from rollouts.sandbox.crds import definitions
from rollouts.sandbox.credentials import Kubeconfigs, controller_account, write_kubeconfig
from rollouts.sandbox.dataplane import snapshot
from rollouts.sandbox.network import TOLD_ELSEWHERE, Network, free_port
from rollouts.sandbox.processes import Process, Processes

NEEDED = (
    *(POD, CONFIG_MAP, SECRET),  # by the kubelet
    *snapshot.READ,  # by the data plane
)


class RealControlPlane:
    """
    The programs in `home`, run among `processes` on the first address of `network`.

    It has `manifests` from the beginning. Of its objects those of the kinds `NEEDED` can be read in
    `cluster`, and those that it is told to follow. There are no metrics of pods, and nobody looks
    after ScaledObjects.
    """

    told_as = TOLD_ELSEWHERE

    def __init__(
        self,
        home: Path,
        directory: Path,
        network: Network,
        processes: Processes,
        manifests: Sequence[JSON],
    ) -> None:
        self._home = home
        address = network.control_plane
        ports = Ports.free(lambda usual: free_port(address, usual))
        self.programs = Programs(home, directory, address, ports)
        self.plane = ControlPlane(self.programs, processes)
        self.cluster = RemoteCluster(self._client(NODE_NAME), NEEDED)
        self.audit = AuditFile(self.programs.audit_log)
        self.logs: dict[tuple[str, str, str], Path] = {}
        self._log_server = LogServer(address, free_port(address, 10250), self.logs)
        self._node = NodeEntry(NODE, address, self._log_server.port)
        self._manifests = (*definitions(), *manifests)
        self._stack = AsyncExitStack()

    @property
    def url(self) -> str:
        return self.programs.url

    @property
    def processes(self) -> Mapping[str, Process]:
        return self.plane.running

    async def start(self, kubeconfigs: Kubeconfigs) -> None:
        """
        Answer, and write how: for people, and for the controller.

        Raises:
            UsageError: one of the programs is not there.
            ApiError: a manifest is refused.
            Unavailable: a program does not get ready; the message names the logs.
        """
        if not are_in(self._home):
            raise UsageError(
                f"{self._home} lacks one of {', '.join(PROGRAMS)}: give --control-plane a directory that has"
                " them, such as `make control-plane` makes"
            )
        self._stack.push_async_callback(self.plane.stop)
        await self.plane.start()
        admin = self._client(ADMIN_NAME)
        try:
            await create_initial_objects(admin, self._node, self._manifests)
            account = controller_account(self._manifests)
            token = await token_of(admin, *account) if account else self._token(ADMIN_NAME)
        finally:
            await admin.close()
        authority = self.programs.authority
        write_kubeconfig(kubeconfigs.admin, self.url, self._token(ADMIN_NAME), authority)
        write_kubeconfig(kubeconfigs.controller, self.url, token, authority)
        await self._log_server.start(authority, authority.with_suffix(".key"))
        self._stack.push_async_callback(self._log_server.stop)
        self._stack.push_async_callback(self.cluster.stop)
        await self.cluster.start()

    async def stop(self) -> None:
        await self._stack.aclose()

    def _client(self, name: str) -> Client:
        return Client(self.url, self._token(name), self.programs.authority)

    def _token(self, name: str) -> str:
        return self.programs.tokens[name]
