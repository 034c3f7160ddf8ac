"""
`sandbox.json`: what another process has to know of a sandbox, to use it and to end it.

Addresses for people and programs, and the processes by pid *and* start time, because pids
are used again.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rollouts.sandbox import sweep

FILE_NAME = "sandbox.json"


@dataclass(frozen=True, slots=True)
class Member:
    """One process: `started` is in clock ticks since boot, as in /proc/PID/stat."""

    name: str
    pid: int
    started: int

    @property
    def alive(self) -> bool:
        """Whether that very process is still there (a zombie is not)."""
        found = sweep.look_up(self.pid)
        return found is not None and found.started == self.started and found.state not in "ZX"


@dataclass(frozen=True, slots=True)
class SandboxState:
    """The sandbox process `owner`, its children but the pods, and where everything answers."""

    owner: Member
    ready: bool = False
    network: str = ""
    kubeconfig: str = ""
    urls: Mapping[str, str] = field(default_factory=dict)
    data_plane: str = ""
    scrape_seconds: float = 1.0
    processes: Sequence[Member] = ()

    def write(self, directory: Path) -> None:
        """Replace the file in one step: a reader sees the old state or the new one."""
        draft = directory / f"{FILE_NAME}.draft"
        draft.write_text(json.dumps(asdict(self), indent=2) + "\n")
        draft.replace(directory / FILE_NAME)

    @classmethod
    def read(cls, directory: Path) -> "SandboxState | None":
        """Return the state of the sandbox in `directory`, None when there is none."""
        try:
            found = json.loads((directory / FILE_NAME).read_text())
        except FileNotFoundError:
            return None
        found["owner"] = Member(**found["owner"])
        found["processes"] = tuple(Member(**each) for each in found["processes"])
        return cls(**found)


def member(name: str, pid: int) -> Member:
    """Return a living process as a member."""
    found = sweep.look_up(pid)
    return Member(name, pid, found.started if found else 0)
