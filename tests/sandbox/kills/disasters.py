"""What can happen to a real control plane: its API server restarts, and etcd is put back to what it was."""

import asyncio
import shutil
import signal
import subprocess
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from rollouts.sandbox.control_plane.programs import (
    API_SERVER,
    CONTROLLER_MANAGER,
    ETCD,
    PROGRAMS,
)
from rollouts.sandbox.control_plane.real import RealControlPlane
from rollouts.sandbox.control_plane.running import STOP_SECONDS, ControlPlane
from tests.sandbox.kills.proxied_controller import KillSandbox

AT_ONCE = 0.0
"""How long a program that is killed is given to end."""


def plane_of(sandbox: KillSandbox) -> ControlPlane:
    """Return the programs of a sandbox that runs on a real control plane."""
    assert isinstance(sandbox.control, RealControlPlane)
    return sandbox.control.plane


async def restart_api_server(plane: ControlPlane, grace_seconds: float = STOP_SECONDS) -> None:
    """
    Stop the API server (SIGTERM; SIGKILL when it has not ended by then), and start it where it was.

    It listens no more at once; watches that are open then are cut after `grace_seconds`.
    """
    await plane.running.pop(API_SERVER).stop(grace_seconds)
    await plane.run(API_SERVER)


async def back_up(plane: ControlPlane, copy: Path) -> None:
    """Copy what etcd has stored by now; it answers nothing meanwhile."""
    etcd = plane.running[ETCD]
    etcd.signal(signal.SIGSTOP)
    try:
        await asyncio.to_thread(_copy, _data_of(plane), copy)
    finally:
        etcd.signal(signal.SIGCONT)


async def come_back(plane: ControlPlane, copy: Path) -> None:
    """
    Put etcd back to what was copied, and return when all answer again.

    As the field's manuals have it: all API servers stop first, and what follows them starts anew.
    """
    for name in reversed(PROGRAMS):
        await plane.running.pop(name).stop(AT_ONCE)
    await asyncio.to_thread(shutil.rmtree, _data_of(plane))
    await asyncio.to_thread(_copy, copy, _data_of(plane))
    for name in (ETCD, API_SERVER, CONTROLLER_MANAGER):
        await plane.run(name)


async def whole(disaster: Coroutine[Any, Any, None]) -> None:
    """Let a disaster run to its end, also when the write that it began at is given up meanwhile."""
    await asyncio.shield(asyncio.create_task(disaster))


def _data_of(plane: ControlPlane) -> Path:
    return plane.programs.directory / "etcd"


def _copy(source: Path, target: Path) -> None:
    """Copy a directory; what etcd keeps free for later takes no place."""
    subprocess.run(["cp", "-r", "--sparse=always", source, target], check=True)
