"""
Finding Prometheus: on PATH, in our cache, or in Debian's or Ubuntu's package.

The package is unpacked into the cache, and nothing is installed.
"""

import asyncio
import contextlib
import fcntl
import os
import platform
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import rollouts
from rollouts.errors import Permanent
from rollouts.sandbox.debian_package import can_unpack, unpack

Say = Callable[[str], None]


async def find_prometheus(say: Say) -> Path:
    """
    Return the program `prometheus`, downloading it when there is none; `say` tells of that.

    Two that look at once download it once, and a crash half-way leaves nothing half-done.

    Raises:
        Permanent: it is neither here nor can it be downloaded; the message says what to do.
    """
    on_path = shutil.which("prometheus")
    if on_path:
        return Path(on_path)
    directory = cache_directory() / "prometheus"
    program = directory / f"prometheus-{platform.machine()}"
    if program.exists():
        return program
    if not can_unpack():
        raise _not_found("this is not Debian or Ubuntu, so it can't be downloaded for you")
    directory.mkdir(parents=True, exist_ok=True)
    async with _locked(directory / "lock", say):
        if not program.exists():
            await _download(program, say)
    return program


def cache_directory() -> Path:
    """Return `$ROLLOUTS_CACHE`, or `.cache` of the checkout we run from, or the user's own cache."""
    configured = os.environ.get("ROLLOUTS_CACHE")
    if configured:
        return Path(configured)
    checkout = Path(rollouts.__file__).resolve().parent.parent
    if (checkout / "pyproject.toml").exists() and os.access(checkout, os.W_OK):
        return checkout / ".cache"
    users = os.environ.get("XDG_CACHE_HOME")
    return (Path(users) if users else Path.home() / ".cache") / "rollouts"


def _not_found(reason: str) -> Permanent:
    return Permanent(
        f"Prometheus is needed, and not on PATH: {reason}. Install it (Debian, Ubuntu: "
        "apt-get install prometheus), or put the program of a Prometheus release on PATH."
    )


@contextlib.asynccontextmanager
async def _locked(path: Path, say: Say) -> AsyncIterator[None]:
    waiting = False
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not waiting:
                    say("Waiting for another sandbox to download Prometheus …")
                waiting = True
                await asyncio.sleep(0.2)
        yield


async def _download(program: Path, say: Say) -> None:
    """Put the package's program at `program`, in one step at the end. The lock is held."""
    for left_over in program.parent.glob("download-*"):
        shutil.rmtree(left_over, ignore_errors=True)
    say("Downloading Prometheus (Debian's package, about 20 MB, once) …")
    try:
        await unpack("prometheus", "usr/bin/prometheus", program)
    except Permanent as reason:
        raise _not_found(str(reason)) from None
    say("Prometheus is in the cache now.")
