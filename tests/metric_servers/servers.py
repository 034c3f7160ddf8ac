"""
The servers that metrics are measured in, as people run them, each on loopback with its data in a directory.

One configuration goes for all of them: that of Prometheus, which VictoriaMetrics reads as well.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from rollouts.sandbox.processes import Process, Processes
from rollouts.sandbox.prometheus_package import find_prometheus
from rollouts.sandbox.readiness import until_ready
from tests.metric_servers.build import (
    BUILT,
    OLD_VICTORIA_METRICS,
    PROMETHEUS_3,
    VICTORIA_METRICS,
    FromDebian,
    FromGo,
)

START_SECONDS = 60.0
STOP_SECONDS = 10.0
SCRAPE_SECONDS = 0.2
REQUIRED = os.environ.get("ROLLOUTS_METRIC_SERVERS") == "required"
"""Whether a test that needs one of them fails without it, rather than being skipped."""


class Absent(Exception):
    """The program is not there; the text says where it was looked for, and what makes it."""


@dataclass(frozen=True, slots=True)
class ServerKind:
    """One of the servers; without `made` it is the sandbox's own Prometheus."""

    name: str
    speaks: Literal["prometheus", "victoria-metrics"]
    made: FromGo | FromDebian | None = None

    async def program(self) -> Path:
        """
        Return the program.

        Raises:
            Absent: it has not been made.
        """
        if self.made is None:
            return await find_prometheus(lambda _: None)
        found = BUILT / self.made.name
        if not os.access(found, os.X_OK):
            raise Absent(f"there is no {self.made.name}; `make metric-servers` makes it")
        return found

    @property
    def is_victoria_metrics(self) -> bool:
        return self.speaks == "victoria-metrics"

    @property
    def shows_within_seconds(self) -> float:
        """After how long all that was scraped can be asked for: a buffer of 2 s, looked at every 2 s, or none."""
        return 5.0 if self.is_victoria_metrics else 0.0


PROMETHEUS_OF_DEBIAN = ServerKind("prometheus-debian", "prometheus")
PROMETHEUS = ServerKind("prometheus-3", "prometheus", PROMETHEUS_3)
OLD_VICTORIA = ServerKind("victoria-metrics-debian", "victoria-metrics", OLD_VICTORIA_METRICS)
VICTORIA = ServerKind("victoria-metrics", "victoria-metrics", VICTORIA_METRICS)
KINDS = (PROMETHEUS_OF_DEBIAN, PROMETHEUS, OLD_VICTORIA, VICTORIA)


STARTED = "started"
"""The file that tells that a stand-in for `prometheus` was started."""
_STAND_IN = """#!/bin/sh
: > "$(dirname "$0")/started"
"""
_WITH_ITS_FLAGS = """
for flag in "$@"; do
    case "$flag" in
    --config.file=*) configuration=${flag#*=} ;;
    --storage.tsdb.path=*) data=${flag#*=} ;;
    --web.listen-address=*) address=${flag#*=} ;;
    esac
done
set -- -promscrape.config="$configuration" -promscrape.config.strictParse=false \\
    -storageDataPath="$data" -httpListenAddr="$address" -memory.allowedBytes=64MB -loggerLevel=WARN
"""


def put_as_prometheus(kind: ServerKind, program: Path, directory: Path) -> None:
    """Put a `prometheus` into a directory, for PATH, that is this server and takes Prometheus' flags."""
    directory.mkdir()
    found = directory / "prometheus"
    flags = _WITH_ITS_FLAGS if kind.is_victoria_metrics else ""
    found.write_text(f'{_STAND_IN}{flags}exec {program} "$@"\n')
    found.chmod(0o755)


def present() -> str:
    """Return which of those that have to be made are there, in words."""
    made = [kind.made.name for kind in KINDS if kind.made is not None]
    there = [name for name in made if os.access(BUILT / name, os.X_OK)]
    absent = [name for name in made if name not in there]
    said = f"Debian's Prometheus{''.join(f', {name}' for name in there)}"
    if absent:
        said += f"; without {', '.join(absent)} their tests are skipped (`make metric-servers`)"
    return said


class MetricServer:
    """
    One server on `address`, with its configuration and data in `directory`.
    """

    def __init__(
        self,
        kind: ServerKind,
        program: Path,
        processes: Processes,
        directory: Path,
        address: str,
    ) -> None:
        self.kind = kind
        self._program = program
        self._processes = processes
        self._directory = directory
        self._listen = f"{address}:9090"
        self._process: Process | None = None
        self._flags: Sequence[str] = ()

    @property
    def url(self) -> str:
        return f"http://{self._listen}"

    def configure(
        self,
        targets: Mapping[str, Mapping[str, str]],
        *,
        settings: Mapping[str, Any] | None = None,
        more: Mapping[str, Any] | None = None,
        flags: Sequence[str] = (),
    ) -> None:
        """
        Write what is to be scraped as the job "app", by address:port, with which labels; read at the next `start`.

        `settings` are of the `global` section, `more` are other sections, and `flags` are added to the
        command line.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        every = f"{round(SCRAPE_SECONDS * 1000)}ms"
        groups = [
            {"targets": [address], "labels": dict(labels)} for address, labels in targets.items()
        ]
        job = {"job_name": "app", "static_configs": groups}
        configuration = {
            "global": {"scrape_interval": every, "scrape_timeout": every, **(settings or {})},
            "scrape_configs": [job] if targets else [],
            **(more or {}),
        }
        (self._directory / "scrape.yml").write_text(yaml.safe_dump(configuration))
        self._flags = flags

    def become(self, kind: ServerKind, program: Path) -> None:
        """Be another one from the next `start` on, with the same configuration and data."""
        self.kind, self._program = kind, program

    async def start(self) -> None:
        """
        Return when it answers queries.

        Raises:
            Unavailable: it does not get ready; its log says why.
        """
        process = await self._processes.start(self.kind.name, self._command())
        self._process = process
        path = "health" if self.kind.is_victoria_metrics else "-/ready"
        await until_ready(process, f"{self.url}/{path}", START_SECONDS)

    async def stop(self) -> None:
        """Stop it, and keep its data."""
        process, self._process = self._process, None
        if process is not None:
            await self._processes.stop(process, STOP_SECONDS)

    def _command(self) -> list[str]:
        configuration, data = self._directory / "scrape.yml", self._directory / "data"
        if self.kind.is_victoria_metrics:
            flags = [
                f"-promscrape.config={configuration}",
                f"-storageDataPath={data}",
                f"-httpListenAddr={self._listen}",
                "-memory.allowedBytes=64MB",
                "-loggerLevel=WARN",
            ]
        else:
            flags = [
                f"--config.file={configuration}",
                f"--storage.tsdb.path={data}",
                "--storage.tsdb.wal-segment-size=10MB",
                f"--web.listen-address={self._listen}",
                "--log.level=warn",
                "--scrape.discovery-reload-interval=100ms",  # else the first scrape is 5 s away
            ]
        return [str(self._program), *flags, *self._flags]
