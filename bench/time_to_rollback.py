"""
How fast is a bad release stopped? Real nginx, real Prometheus, real processes.

    python -m bench.time_to_rollback [--trials 30] [--rate 50] [--weight 25] [--error-rate 8%]
        [--scrape 1] [--source ingress] [--output json]

Each trial releases a version that fails some of its requests, under steady traffic, and
measures from its first failed response to the moment when the canary's weight is 0, and to
its last response. Prints the distribution, or one JSON document. With `--source app` the pods' own
counters are judged. The controller reads the pages of whoever counts between two scrapes as well:
`--scrape 30 --weight 10 --error-rate 15%` is a release whose scrapes are far apart.
"""

import argparse
import asyncio
import json
import statistics
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from bench.app import App, sandbox
from bench.manifests import ERRORS, NAME, Body, ingress, rollout, service
from bench.progress import say
from rollouts.model.kinds import JSON
from rollouts.sandbox.environment import Sandbox
from rollouts.sandbox.load import Load, Target

NAMESPACE = "default"
HOST = "bench.example"
P99: JSON = {"name": "p99", "latency": {"quantile": 0.99, "max": "500ms"}}


@dataclass(frozen=True)
class Trial:
    """Seconds and requests of one bad release, from its first failed response on."""

    seconds_to_weight_0: float
    seconds_to_last_response: float
    failed_requests: int
    canary_requests: int
    reason: str


def bodies(weight: int, source: str) -> list[Body]:
    """Return the app: a Service, an Ingress and a Rollout with the default criteria."""
    canary = {
        "stableService": NAME,
        "trafficRouting": {"nginx": {"stableIngresses": [NAME]}},
        "abortScaleDownDelaySeconds": 1,
        "steps": [{"setWeight": weight}, {"pause": {}}],
    }
    return [
        service(NAMESPACE),
        ingress(NAMESPACE, HOST),
        rollout(
            NAMESPACE,
            {"canary": canary},
            successCriteria=[each | {"source": source} for each in (ERRORS, P99)],
        ),
    ]


async def trial(sandbox: Sandbox, load: Load, version: str, error_rate: str) -> Trial:
    """Release one bad version, and measure how it ends."""
    app = App(sandbox, NAMESPACE)
    app.releases(version, error_rate)
    # The counters of the one before have to be at rest, which takes some scrapes.
    rest = 90 + 4 * sandbox.scrape_seconds
    await app.until(lambda: app.canary_weight > 0, f"version {version} gets traffic", rest)
    await app.until(lambda: app.canary_weight == 0, f"version {version} loses its traffic", 300)
    stopped = datetime.now(UTC)
    await app.until(lambda: app.status.get("abort"), "it is remembered")
    reason = str(app.status["abort"]["reason"])
    await app.is_over()
    count = load.report().versions[version]
    first = count.first_failed_at
    assert first is not None
    return Trial(
        seconds_to_weight_0=(stopped - first).total_seconds(),
        seconds_to_last_response=(count.last_at - first).total_seconds(),
        failed_requests=count.failed,
        canary_requests=count.responses,
        reason=reason,
    )


async def run(arguments: argparse.Namespace) -> tuple[list[Trial], JSON]:
    """Return the trials, and the account of the load over all of them."""
    async with sandbox(arguments.scrape) as running:
        app = App(running, NAMESPACE)
        app.create(bodies(arguments.weight, arguments.source))
        await app.until(lambda: app.status.get("phase") == "Healthy", "first deploy")
        load = Load(Target(running.ingress_url, host=HOST), arguments.rate)
        driving = asyncio.create_task(load.run())
        await asyncio.sleep(3 * arguments.scrape)  # so that it is known how far apart scrapes are
        trials = []
        for number in range(arguments.trials):
            trials.append(await trial(running, load, f"bad-{number}", arguments.error_rate))
            say(f"{number + 1}/{arguments.trials}: {trials[-1]}")
        load.stop()
        await driving
        report = load.report()
        return trials, {
            "sent": report.sent,
            "lost": report.lost,
            "lost_reasons": dict(report.lost_reasons),
            "behind": report.behind,
            "p99_seconds": report.p99_seconds,
        }


def describe(values: list[float]) -> str:
    """Return the distribution in one line."""
    ordered = sorted(values)
    at = {q: ordered[min(len(ordered) - 1, int(q * len(ordered)))] for q in (0.1, 0.5, 0.9)}
    return (
        f"min {ordered[0]:.1f}  10% {at[0.1]:.1f}  median {statistics.median(ordered):.1f}"
        f"  90% {at[0.9]:.1f}  max {ordered[-1]:.1f}"
    )


def main() -> int:
    """Run the trials and print what they took; exit 1 when requests were lost."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--rate", type=float, default=50.0)
    parser.add_argument("--weight", type=int, default=25)
    parser.add_argument("--error-rate", default="8%")
    parser.add_argument("--scrape", type=float, default=1.0, help="seconds between two scrapes")
    parser.add_argument("--source", choices=("ingress", "app"), default="ingress")
    parser.add_argument("--output", choices=("text", "json"), default="text")
    arguments = parser.parse_args()
    trials, load = asyncio.run(run(arguments))
    if arguments.output == "json":
        print(json.dumps({"trials": [asdict(each) for each in trials], "load": load}, indent=2))
    else:
        print(
            f"{len(trials)} bad releases, {arguments.error_rate} errors at {arguments.weight} % of {arguments.rate:g}/s"
        )
        print("seconds to weight 0:      ", describe([each.seconds_to_weight_0 for each in trials]))
        print(
            "seconds to last response: ",
            describe([each.seconds_to_last_response for each in trials]),
        )
        print(
            "failed canary requests:   ", describe([float(each.failed_requests) for each in trials])
        )
        print(
            "canary requests:          ", describe([float(each.canary_requests) for each in trials])
        )
        print(f"sent {load['sent']}, lost {load['lost']} {load['lost_reasons'] or ''}")
    return 1 if load["lost"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
