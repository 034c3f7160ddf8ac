"""
Finding Prometheus: on PATH, in our cache, or in Debian's or Ubuntu's package.

The package is downloaded and unpacked into the cache without root, nothing is installed.
apt keeps its lists in a directory of ours meanwhile, for on a fresh machine its own are
empty and only root may fill them. dpkg unpacks: where there is apt-get there is dpkg.
"""

import asyncio
import contextlib
import fcntl
import os
import platform
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import rollouts
from rollouts.errors import Permanent

Say = Callable[[str], None]

_APT_SECONDS = 300
_UNPACK_SECONDS = 120


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
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
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
    with tempfile.TemporaryDirectory(prefix="download-", dir=program.parent) as name:
        work = Path(name)
        say("Downloading Prometheus (Debian's package, about 20 MB, once) …")
        apt = _apt_get(work)
        # Not fatal by itself: one unreachable source among many makes it fail.
        updated = await _run([*apt, "update"], work, _APT_SECONDS)
        downloaded = await _run([*apt, "download", "prometheus"], work, _APT_SECONDS)
        package = _package(work)
        if package is None:
            raise _not_found(f"downloading it failed ({_last_line(downloaded or updated)})")
        output = await _run(["dpkg-deb", "-x", str(package), "unpacked"], work, _UNPACK_SECONDS)
        unpacked = work / "unpacked/usr/bin/prometheus"
        if not unpacked.exists():
            raise _not_found(f"its package could not be unpacked ({_last_line(output)})")
        unpacked.replace(program)
        say("Prometheus is in the cache now.")


def _package(work: Path) -> Path | None:
    return next(work.glob("prometheus_*.deb"), None)


def _apt_get(work: Path) -> list[str]:
    """Return apt-get with all that it writes under `work`, whoever we are."""
    for each in ("lists/partial", "cache/archives/partial"):
        (work / each).mkdir(parents=True)
    options = {
        "Dir::State::Lists": work / "lists",
        "Dir::Cache": work / "cache",
        "Dir::Cache::Archives": work / "cache/archives",
        "APT::Sandbox::User": "",  # root's apt would drop to a user that can't write here
        "Acquire::Languages": "none",
        "Acquire::Retries": 2,
        "Acquire::http::Timeout": 20,
        "Acquire::https::Timeout": 20,
        "Debug::NoLocking": 1,
    }
    flags = [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
    return ["apt-get", "-q", *flags]


async def _run(argv: list[str], directory: Path, timeout_seconds: float) -> str:
    """Run a program to its end and return what it printed; it is killed when time is up."""
    child = await asyncio.create_subprocess_exec(
        *argv,
        cwd=directory,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ | {"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
    )
    try:
        async with asyncio.timeout(timeout_seconds):
            output, _ = await child.communicate()
    except TimeoutError:
        return f"{argv[0]} was given up after {timeout_seconds:g} s"
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    return output.decode(errors="replace")


def _last_line(text: str) -> str:
    """Return the line that says what went wrong: the first error, or the last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("E:", "Err:"))]
    return (errors or lines or ["it said nothing"])[0 if errors else -1]
