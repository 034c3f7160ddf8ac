"""
Kill what a sandbox left running and remove its directory, once the sandbox is gone.

    python -I -S sweep.py [DIRECTORY]

Reads lines from standard input, the read end of a pipe that only the sandbox process
writes to: `+ PID START_TIME` for a child that began, `- PID` for one that has ended.
End of file means that the sandbox process has ended, in whatever way (SIGKILL too).
Then every process group still listed is killed, and DIRECTORY removed.

Never hits a stranger: a process is known by its pid *and* its start time (field 22 of
/proc/PID/stat), because pids are used again; a directory is removed only when it carries
our marker file. Uses nothing but the standard library and ignores the terminal's signals.
"""

import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

MARKER = ".rollouts-sandbox"
_PROC = Path("/proc")
_PATIENCE_SECONDS = 10.0


class Entry(NamedTuple):
    """What /proc/PID/stat says of a process; `started` is in clock ticks since boot."""

    pid: int
    state: str
    group: int
    session: int
    started: int


def look_up(pid: int) -> Entry | None:
    """Return what the kernel says of `pid`, None when there is no such process."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold anything
    return Entry(pid, fields[0], int(fields[2]), int(fields[3]), int(fields[19]))


def living_members(leader: int, started: int) -> list[int]:
    """
    Return the pids that live in the session that `leader`, started at `started`, made.

    When another process has that pid by now, nothing of the group can be left: the
    kernel gives a number out again only when no group or session bears it.
    """
    now = look_up(leader)
    if (now is not None and now.started != started) or not _has_members(leader):
        return []
    entries = (look_up(int(path.name)) for path in _PROC.iterdir() if path.name.isdigit())
    return [
        entry.pid
        for entry in entries
        if entry is not None
        and entry.group == entry.session == leader
        and entry.started >= started
        and entry.state not in "ZX"
    ]


def _has_members(group: int) -> bool:
    """Return whether the kernel knows a process group, which spares a look at every process."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def kill_group(leader: int, started: int) -> bool:
    """Send SIGKILL to everything of the group; return whether anything was alive."""
    members = living_members(leader, started)
    for pid in members:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return bool(members)


def remove(directory: Path) -> bool:
    """Remove a sandbox's directory; return whether it is gone. Another's is left alone."""
    if not directory.exists():
        return True
    if not (directory / MARKER).exists():
        return False
    marker = directory / MARKER
    for path in directory.iterdir():
        if path == marker:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    if [path.name for path in directory.iterdir()] == [MARKER]:
        marker.unlink()
        directory.rmdir()
    return not directory.exists()


def sweep(children: dict[int, int], directory: Path | None) -> None:
    """Kill and remove, again until nothing is left or patience is out."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        alive = [pid for pid, started in children.items() if kill_group(pid, started)]
        if not alive:
            break
        time.sleep(0.02)
    while directory is not None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if remove(directory) or not (directory / MARKER).exists():
                return
        time.sleep(0.05)


def told(lines: Iterable[str]) -> dict[int, int]:
    """Follow the lines to their end; return pid → start time of what is still running."""
    children: dict[int, int] = {}
    for line in lines:
        match line.split():
            case ["+", pid, started]:
                children[int(pid)] = int(started)
            case ["-", pid]:
                children.pop(int(pid), None)
            case _:
                pass  # a line cut short by the writer's death
    return children


def main(arguments: list[str]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    os.chdir("/")
    sweep(told(sys.stdin), Path(arguments[0]) if arguments else None)


if __name__ == "__main__":
    main(sys.argv[1:])
