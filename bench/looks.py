"""
What do the looks of many canaries cost, and how soon do they see what was scraped?

    python -m bench.looks --prometheus PROGRAM [--canaries 1000] [--scrapes 5] [--interval 5]
                          [--seconds 60] [--against COMMIT] [--output json]

A real Prometheus scrapes one exporter, which counts as ingress-nginx does for every canary; the real
monitor measures two criteria of each. Nothing else of the controller runs. Prometheus itself counts
the queries; a task that wakes every few milliseconds tells how long the event loop stood still.

Prints a Markdown table, or one JSON document.
"""

import argparse
import asyncio
import json
import multiprocessing
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from statistics import median, quantiles

from bench.leaning import quieten
from bench.other_commit import sides
from bench.progress import say
from rollouts.analysis.exposed_canary import ExposedCanary
from rollouts.analysis.monitor import Monitor
from rollouts.controller.clock import SystemClock
from rollouts.controller.metrics import ControllerMetrics
from rollouts.metrics.prometheus import PrometheusSource
from rollouts.model.kinds import JSON
from rollouts.model.rollout_key import Key
from rollouts.model.status import Revision
from rollouts.model.validation import parse_rollout
from rollouts.ports import MetricSources
from rollouts.traffic.nginx.counters import BUCKETS, REQUESTS
from tests.fakes.kubernetes import rollout

HOST = "127.0.0.1"
PER_NAMESPACE = 50
BOUNDS = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf")
CRITERIA: list[JSON] = [
    {"name": "errors", "errorRate": {"max": "1%"}},
    {"name": "p99", "latency": {"quantile": 0.99, "max": "500ms"}},
]
WARM_UP_SCRAPES = 5
BEAT_SECONDS = 0.005
COUNTED = 'prometheus_http_requests_total{code="200",handler="/api/v1/query"}'


def key_of(number: int) -> Key:
    return Key(f"team-{number // PER_NAMESPACE}", f"shop-{number % PER_NAMESPACE}")


def page(canaries: int) -> str:
    """Return what the exporter says now: each canary has 5 requests a second, stable 45."""
    seconds = time.monotonic()
    lines = []
    for number in range(canaries):
        key = key_of(number)
        for arm, rate in (("", 45), (f"{key.namespace}-{key.name}-canary-80", 5)):
            facts = (
                f'ingress="{key.name}",namespace="{key.namespace}",service="{key.name}",'
                f'canary="{arm}",status="200"'
            )
            count = int(seconds * rate)
            lines.append(f"{REQUESTS}{{{facts}}} {count}")
            lines += [f'{BUCKETS}{{{facts},le="{bound}"}} {count}' for bound in BOUNDS]
    return "\n".join(lines) + "\n"


def export(canaries: int, port: int) -> None:
    """Serve the page, in a process of its own."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = page(canaries).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    HTTPServer((HOST, port), Page).serve_forever()


def free_port() -> int:
    with socket.socket() as found:
        found.bind((HOST, 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def scraped(program: str, canaries: int, scrape_seconds: int) -> Iterator[str]:
    """Give the URL of a Prometheus that scrapes the exporter; both are gone afterwards."""
    exporter_port, port = free_port(), free_port()
    exporter = multiprocessing.get_context("spawn").Process(
        target=export, args=(canaries, exporter_port), daemon=True
    )
    exporter.start()
    with tempfile.TemporaryDirectory(prefix="rollouts-looks-") as parent:
        configuration = Path(parent) / "prometheus.yml"
        every = f"{{scrape_interval: {scrape_seconds}s, scrape_timeout: {scrape_seconds}s}}"
        configuration.write_text(
            f"global: {every}\nscrape_configs:\n- job_name: nginx\n"
            f"  static_configs: [{{targets: ['{HOST}:{exporter_port}']}}]\n"
        )
        server = subprocess.Popen(
            [
                program,
                f"--config.file={configuration}",
                f"--storage.tsdb.path={parent}/data",
                f"--web.listen-address={HOST}:{port}",
                "--log.level=error",
            ]
        )
        try:
            yield f"http://{HOST}:{port}"
        finally:
            server.terminate()
            server.wait()
            exporter.terminate()
            exporter.join()


def queries(url: str) -> float:
    """Return how many queries Prometheus has answered."""
    with urllib.request.urlopen(f"{url}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(COUNTED))


class Looks:
    """Follows the canaries, and notes how old a sample was when it was first seen."""

    def __init__(self, url: str, canaries: int, interval_seconds: float) -> None:
        self._clock = SystemClock()
        self._source = PrometheusSource(url)
        sources = MetricSources(self._source, self._source)
        self._monitor = Monitor(
            sources,
            self._clock,
            ControllerMetrics(),
            self._on_measured,
            interval_seconds=interval_seconds,
        )
        self._keys = [key_of(number) for number in range(canaries)]
        self._seen: dict[Key, datetime] = {}
        self.ages: list[float] = []
        self.rounds = 0
        self.errors: dict[str, int] = {}
        self.pauses: list[float] = []

    def follow(self) -> None:
        now = self._clock.now()
        for key in self._keys:
            services = {"stableService": key.name, "canaryService": f"{key.name}-canary"}
            body = rollout([{"setWeight": 10}], successCriteria=CRITERIA)
            canary = body["spec"]["strategy"]["canary"]
            canary |= services
            canary["trafficRouting"]["nginx"] = {"stableIngresses": [key.name]}
            spec = parse_rollout(body)
            revisions = Revision(number=2, hash="canary"), Revision(number=1, hash="stable")
            exposed = ExposedCanary(key, spec, now, now + timedelta(seconds=1), *revisions)
            self._monitor.follow(exposed)

    def forget_what_was(self) -> None:
        self.ages.clear()
        self.pauses.clear()
        self.errors.clear()
        self.rounds = 0

    async def beat(self) -> None:
        """Note how long the event loop stood still."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(BEAT_SECONDS)
            self.pauses.append(time.monotonic() - before - BEAT_SECONDS)

    def _on_measured(self, key: Key) -> None:
        latest = self._monitor.latest(key)
        assert latest is not None
        self.rounds += 1
        for found in latest.measurements.values():
            if found.error:
                self.errors[found.error] = self.errors.get(found.error, 0) + 1
        seen = latest.seen_at
        if seen is not None and seen > self._seen.get(key, datetime.min.replace(tzinfo=UTC)):
            self._seen[key] = seen
            self.ages.append((self._clock.now() - seen).total_seconds())

    async def close(self) -> None:
        await self._monitor.close()
        await self._source.close()


async def measured(url: str, given: argparse.Namespace) -> JSON:
    """Return what so many seconds of looks have cost."""
    looks = Looks(url, given.canaries, given.interval)
    await asyncio.sleep(3 * given.scrapes)
    beating = asyncio.create_task(looks.beat())
    looks.follow()
    await asyncio.sleep(WARM_UP_SCRAPES * given.scrapes)
    warm = {"first queries": round(await asyncio.to_thread(queries, url))}
    looks.forget_what_was()
    asked, cpu = await asyncio.to_thread(queries, url), time.process_time()
    await asyncio.sleep(given.seconds)
    asked = await asyncio.to_thread(queries, url) - asked
    cpu = time.process_time() - cpu
    beating.cancel()
    await looks.close()
    say(f"errors: {looks.errors}")
    scrapes = given.seconds / given.scrapes
    ages = looks.ages or [float("nan")] * 2
    return {
        **warm,
        "queries per scrape interval": round(asked / scrapes, 1),
        "looks per canary and scrape": round(looks.rounds / scrapes / given.canaries, 2),
        "samples seen per canary and scrape": round(len(looks.ages) / scrapes / given.canaries, 2),
        "age of a sample when seen, median s": round(median(ages), 2),
        "age of a sample when seen, p95 s": round(quantiles(ages, n=20)[-1], 2),
        "longest pause of the loop, ms": round(1000 * max(looks.pauses)),
        "pauses over 50 ms": sum(each > 0.05 for each in looks.pauses),
        "CPU per look, ms": round(1000 * cpu / max(1, looks.rounds), 2),
        "CPU, % of a core": round(100 * cpu / given.seconds, 1),
        "errors": sum(looks.errors.values()),
    }


def table(found: JSON) -> str:
    """Return what was measured of each commit side by side."""
    commits = list(found)
    lines = [f"| | {' | '.join(commits)} |", "|---|" + "--:|" * len(commits)]
    for what in found[commits[-1]]:
        cells = " | ".join(str(found[each].get(what, "")) for each in commits)
        lines.append(f"| {what} | {cells} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="bench.looks", description=__doc__)
    parser.add_argument("--prometheus", required=True, metavar="PROGRAM")
    parser.add_argument("--canaries", type=int, default=1000)
    parser.add_argument("--scrapes", type=int, default=5)
    parser.add_argument("--interval", type=float, default=5)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--against", default="", metavar="COMMIT")
    parser.add_argument("--output", choices=("table", "json"), default="table")
    given = parser.parse_args(arguments)
    quieten()

    def here() -> JSON:
        with scraped(given.prometheus, given.canaries, given.scrapes) as url:
            return asyncio.run(measured(url, given))

    found = sides(given.against, "bench.looks", here)
    print(json.dumps({"sides": found}) if given.output == "json" else table(found))


if __name__ == "__main__":
    main()
