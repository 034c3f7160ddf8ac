"""
One program out of a package of Debian's or Ubuntu's, without root: nothing is installed.

apt keeps its lists in a directory of ours meanwhile, for on a fresh machine its own are
empty and only root may fill them. dpkg unpacks: where there is apt-get there is dpkg.
"""

import asyncio
import os
import shutil
import tempfile
from pathlib import Path

from rollouts.errors import Permanent

_APT_SECONDS = 300
_UNPACK_SECONDS = 120


def can_unpack() -> bool:
    """Return whether this is a machine with packages of that kind."""
    return bool(shutil.which("apt-get") and shutil.which("dpkg-deb"))


async def unpack(package: str, inside: str, target: Path) -> None:
    """
    Download a package, and put the file that it has at the path `inside` at `target`, in one step at the end.

    Raises:
        Permanent: it can't be downloaded, or has no such file; the message says why.
    """
    with tempfile.TemporaryDirectory(prefix="download-", dir=target.parent) as name:
        work = Path(name)
        apt = _apt_get(work)
        # Not fatal by itself: one unreachable source among many makes it fail.
        updated = await _run([*apt, "update"], work, _APT_SECONDS)
        downloaded = await _run([*apt, "download", package], work, _APT_SECONDS)
        found = _downloaded(work, package)
        if found is None:
            raise Permanent(f"downloading it failed ({_last_line(downloaded or updated)})")
        output = await _run(["dpkg-deb", "-x", str(found), "unpacked"], work, _UNPACK_SECONDS)
        unpacked = work / "unpacked" / inside
        if not unpacked.exists():
            raise Permanent(f"its package could not be unpacked ({_last_line(output)})")
        unpacked.replace(target)


def _downloaded(work: Path, package: str) -> Path | None:
    return next(work.glob(f"{package}_*.deb"), None)


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
