"""
How much CPU pods use: the time that the kernel counted for their processes, over a window.

A pod's containers name their process in status (`process://PID`). Its ended children count
as well, children that run do not.
"""

import os
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from rollouts.model.kinds import FrozenJSON
from rollouts.sandbox.apiserver.objects import get_path

_SCHEME = "process://"
_TICKS = os.sysconf("SC_CLK_TCK")
_LEAST_SECONDS = 0.2  # the kernel counts in hundredths: less would be noise

CpuSeconds = Callable[[int], float | None]
Sample = tuple[float, float]


def cpu_seconds(pid: int) -> float | None:
    """Return the CPU time of a process since it began, None when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / _TICKS


class CpuUsage:
    """Remembers what it read of each container, for the last `window_seconds`."""

    def __init__(
        self,
        window_seconds: float = 5.0,
        *,
        read: CpuSeconds = cpu_seconds,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._window = window_seconds
        self._read = read
        self._clock = clock
        self._samples: dict[str, deque[Sample]] = {}

    def cores(self, pod: FrozenJSON) -> float | None:
        """Return how many cores the pod uses; None until it has been looked at for a while."""
        containers = get_path(pod, "status.containerStatuses", [])
        used = [
            self._cores(pod["metadata"]["uid"], each.get("containerID", "")) for each in containers
        ]
        known = [each for each in used if each is not None]
        return sum(known) if known and len(known) == len(used) else None

    def forget_others(self, uids: set[str]) -> None:
        """Drop what is known of pods that are not among these."""
        for key in [key for key in self._samples if key.partition(" ")[0] not in uids]:
            del self._samples[key]

    def _cores(self, uid: str, container: str) -> float | None:
        pid = container.removeprefix(_SCHEME)
        spent = self._read(int(pid)) if pid.isdigit() else None
        if spent is None:
            return None
        now = self._clock()
        samples = self._samples.setdefault(f"{uid} {pid}", deque())
        samples.append((now, spent))
        while len(samples) > 2 and samples[1][0] <= now - self._window:
            samples.popleft()
        began, before = samples[0]
        return (spent - before) / (now - began) if now - began >= _LEAST_SECONDS else None
