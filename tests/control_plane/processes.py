"""Where the tests find a real control plane, and how they run one that all of them share."""

import asyncio
import os
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Self, TypeVar

from rollouts.sandbox.control_plane import running
from rollouts.sandbox.control_plane.programs import PROGRAMS, Programs, are_in
from rollouts.sandbox.network import Network
from rollouts.sandbox.processes import Processes
from tests.control_plane.build import BUILT, DEFAULT_VERSION

Result = TypeVar("Result")


class Absent(Exception):
    """There are no binaries; the text says where they were looked for, and what makes them."""


def binaries() -> Path:
    """
    Return the directory of the three programs: KUBEBUILDER_ASSETS, or else what we have built.

    Raises:
        Absent: they are not there.
    """
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets:
        if not are_in(Path(assets)):
            raise Absent(f"KUBEBUILDER_ASSETS={assets} lacks one of {', '.join(PROGRAMS)}")
        return Path(assets)
    built = BUILT / DEFAULT_VERSION
    if not are_in(built):
        raise Absent("there is no real control plane; `make control-plane` builds one")
    return built


class ControlPlane:
    """
    `with ControlPlane(binaries(), directory) as real:` – it answers from then on.

    There is no kubelet and no scheduler, so pods stay as tests make them. It runs in a thread with
    a loop of its own, since tests have theirs.
    """

    def __init__(self, programs: Path, directory: Path) -> None:
        self._network = Network.claim()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="control plane")
        self.address = self._network.control_plane
        self.programs = Programs(programs, directory, self.address)
        self._plane = running.ControlPlane(self.programs, Processes(directory / "logs"))
        self.kubeconfig = self.programs.kubeconfig
        self.url = self.programs.url

    @property
    def certificate(self) -> tuple[Path, Path]:
        """What the API server proves with that it is at `address`, and the key; its kubeconfig trusts it."""
        return self.programs.authority, self.programs.authority.with_suffix(".key")

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._do(self._plane.start())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._plane.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._network.release()

    def compact(self) -> None:
        """Have etcd forget everything but the present."""
        self._do(self._plane.compact())

    def _do(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def is_alive(pid: int) -> bool:
    """Return whether a process runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
