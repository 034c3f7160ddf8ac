"""
Get the metric servers that people run: Prometheus 3 and VictoriaMetrics from their Go modules, an older one of Debian's.

    python -m tests.metric_servers.build

Each comes to lie in `.cache/metric-servers`, in one step at the end; what lies there already is not
made again. The committed go.mod and go.sum of each module name what it is built of. Go's own
settings say where modules come from and where they are kept.
"""

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rollouts.errors import Permanent
from rollouts.sandbox.debian_package import can_unpack, unpack
from tests.control_plane.build import CannotBuild, run

HERE = Path(__file__).resolve().parent
BUILT = HERE.parents[1] / ".cache" / "metric-servers"


@dataclass(frozen=True, slots=True)
class FromGo:
    """What the module in the directory `module` is for: one program of another's."""

    name: str
    """The program and its version, as its file is called."""
    module: str
    package: str
    version_variable: str
    tags: str = ""

    def make(self, target: Path) -> None:
        """
        Put the program at `target`.

        Raises:
            CannotBuild: Go is missing, or a command of Go's has failed.
        """
        if shutil.which("go") is None:
            raise CannotBuild("go is not on PATH; install Go, then `make metric-servers` again")
        stamp = f"-s -w -X {self.version_variable}={self.name.rpartition('-')[2]}"
        flags = ["-o", str(target), "-ldflags", stamp, *(["-tags", self.tags] if self.tags else [])]
        run(HERE / self.module, "build", "-mod=readonly", *flags, self.package)


@dataclass(frozen=True, slots=True)
class FromDebian:
    """A program out of a package, in the version that this machine's Debian or Ubuntu has."""

    name: str
    package: str
    inside: str

    def make(self, target: Path) -> None:
        """
        Put the program at `target`.

        Raises:
            CannotBuild: this is another machine, or the package can't be had.
        """
        if not can_unpack():
            raise CannotBuild(f"{self.name} is a package of Debian's, and this is another system")
        try:
            asyncio.run(unpack(self.package, self.inside, target))
        except Permanent as reason:
            raise CannotBuild(f"{self.name}: {reason}") from None


PROMETHEUS_3 = FromGo(
    "prometheus-3.16.0",
    "prometheus",
    "github.com/prometheus/prometheus/cmd/prometheus",
    "github.com/prometheus/common/version.Version",
    tags="remove_all_sd",  # a file says what is scraped: the clients of clouds would be half of it
)
VICTORIA_METRICS = FromGo(
    "victoria-metrics-1.151.0",
    "victoria_metrics",
    "github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-metrics",
    "github.com/VictoriaMetrics/VictoriaMetrics/lib/buildinfo.Version",
)
OLD_VICTORIA_METRICS = FromDebian(
    "victoria-metrics-debian", "victoria-metrics", "usr/bin/victoria-metrics"
)
PROGRAMS = (PROMETHEUS_3, VICTORIA_METRICS, OLD_VICTORIA_METRICS)


def get(program: FromGo | FromDebian, say: Callable[[str], None]) -> Path:
    """
    Return where a program is, made when it is not there.

    Raises:
        CannotBuild: what it is made with is missing, or has failed.
    """
    target = BUILT / program.name
    if os.access(target, os.X_OK):
        say(f"{target} is there already")
        return target
    BUILT.mkdir(parents=True, exist_ok=True)
    say(f"making {program.name}; with nothing built before it takes minutes")
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f".{program.name}-", dir=BUILT) as aside:
        made = Path(aside, program.name)
        program.make(made)
        made.replace(target)
    say(f"{program.name} was made in {time.monotonic() - begun:.0f} s")
    return target


def main() -> None:
    """Make all of them."""
    for program in PROGRAMS:
        get(program, lambda line: print(f"metric servers: {line}", flush=True))


if __name__ == "__main__":
    try:
        main()
    except CannotBuild as reason:
        sys.exit(f"metric servers: {reason}")
