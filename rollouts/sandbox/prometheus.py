"""
The sandbox's Prometheus: a real one, scraping the exporter, the controller and the pods.

Its data lives in the sandbox's directory and outlives `stop`, so a restart shows a gap and
not a new beginning. Runs with Prometheus 2.24 (Debian 11) and newer.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from rollouts.model.kinds import JSON
from rollouts.sandbox.processes import Process, Processes
from rollouts.sandbox.readiness import until_ready

READY_WITHIN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Job:
    """
    What is scraped as `name`: fixed `targets` (address:port), or those in `targets_file`.

    With `honor_labels` the target's own labels `namespace` and `service` stay as they are.
    """

    name: str
    targets: tuple[str, ...] = ()
    targets_file: Path | None = None
    honor_labels: bool = False


class Prometheus:
    """
    One Prometheus, with its configuration and data in `directory`.

    `find` returns its program; it is asked at the first `start`.
    """

    def __init__(
        self,
        find: Callable[[], Awaitable[Path]],
        processes: Processes,
        directory: Path,
        *,
        address: str,
        port: int = 9090,
        scrape_seconds: float = 1.0,
    ) -> None:
        self.scrape_seconds = scrape_seconds
        self._find = find
        self._program: Path | None = None
        self._processes = processes
        self._directory = directory
        self._listen = f"{address}:{port}"
        self._process: Process | None = None

    @property
    def url(self) -> str:
        return f"http://{self._listen}"

    @property
    def process(self) -> Process | None:
        """The running process, None while it is stopped."""
        return self._process

    def configure(self, jobs: Sequence[Job]) -> None:
        """Write what is to be scraped; read at the next `start`."""
        self._directory.mkdir(parents=True, exist_ok=True)
        interval = f"{round(self.scrape_seconds * 1000)}ms"
        configuration = {
            "global": {"scrape_interval": interval, "scrape_timeout": interval},
            "scrape_configs": [_job(job) for job in jobs],
        }
        (self._directory / "prometheus.yml").write_text(yaml.safe_dump(configuration))

    async def start(self) -> Process:
        """
        Return its process when it is ready to answer queries. Nothing happens when it runs.

        Raises:
            Permanent: there is no Prometheus, and none can be had.
            Unavailable: it does not get ready; its log says why.
        """
        if self._process and self._process.returncode is None:
            return self._process
        self._program = self._program or await self._find()
        process = await self._processes.start("prometheus", self._command(self._program))
        self._process = process
        await until_ready(process, f"{self.url}/-/ready", READY_WITHIN_SECONDS)
        return process

    async def stop(self) -> None:
        """Stop it, and keep its data."""
        process, self._process = self._process, None
        if process:
            await self._processes.stop(process, 10)

    def _command(self, program: Path) -> list[str]:
        return [
            str(program),
            f"--config.file={self._directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._directory / 'data'}",
            "--storage.tsdb.retention.time=6h",
            "--storage.tsdb.retention.size=512MB",
            "--storage.tsdb.wal-segment-size=10MB",
            f"--web.listen-address={self._listen}",
            "--log.level=warn",
        ]


def _job(job: Job) -> JSON:
    found: JSON = {"job_name": job.name, "honor_labels": job.honor_labels}
    if job.targets:
        found["static_configs"] = [{"targets": list(job.targets)}]
    if job.targets_file:
        found["file_sd_configs"] = [{"files": [str(job.targets_file)], "refresh_interval": "5s"}]
    return found
