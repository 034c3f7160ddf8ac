"""
How fast is a bad release stopped? Real nginx, real Prometheus, real processes.

    python -m bench.time_to_rollback [--trials 30] [--rate 50] [--weight 25] [--error-rate 8%]

Each trial releases a version that fails some of its requests, under steady traffic, and
measures from its first failed response to the moment when the canary's weight is 0, and to
its last response. Prints the distribution, or one JSON document with --json.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rollouts.controller.manifests import manifests
from rollouts.model.kinds import INGRESS, JSON, ROLLOUT, SERVICE
from rollouts.sandbox.environment import Sandbox
from rollouts.sandbox.load import Load, Target

NAMESPACE = "default"
HOST = "bench.example"


@dataclass(frozen=True)
class Trial:
    """Seconds and requests of one bad release, from its first failed response on."""

    seconds_to_weight_0: float
    seconds_to_last_response: float
    failed_requests: int
    canary_requests: int
    reason: str


def app(weight: int) -> list[tuple[object, JSON]]:
    """Return the app: a Service, an Ingress and a Rollout with the default criteria."""
    labels = {"app": "bench"}
    backend = {"service": {"name": "bench", "port": {"number": 80}}}
    rule = {
        "host": HOST,
        "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]},
    }
    meta = {"name": "bench", "namespace": NAMESPACE}
    canary = {
        "stableService": "bench",
        "trafficRouting": {"nginx": {"stableIngresses": ["bench"]}},
        "abortScaleDownDelaySeconds": 1,
        "steps": [{"setWeight": weight}, {"pause": {}}],
    }
    rollout = {
        "replicas": 2,
        "selector": {"matchLabels": labels},
        "template": template("1", "0%"),
        "strategy": {"canary": canary},
        "successCriteria": [
            {"name": "errors", "errorRate": {"max": "1%"}},
            {"name": "p99", "latency": {"quantile": 0.99, "max": "500ms"}},
        ],
    }
    port = {"name": "http", "port": 80, "targetPort": 8080}
    return [
        (SERVICE, {"metadata": meta, "spec": {"selector": labels, "ports": [port]}}),
        (INGRESS, {"metadata": meta, "spec": {"ingressClassName": "nginx", "rules": [rule]}}),
        (ROLLOUT, {"metadata": meta, "spec": rollout}),
    ]


def template(version: str, error_rate: str) -> JSON:
    """Return the pod template of one version."""
    env = [{"name": "VERSION", "value": version}, {"name": "ERROR_RATE", "value": error_rate}]
    probe = {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1}
    container = {
        "name": "web",
        "image": f"bench:{version}",
        "ports": [{"containerPort": 8080}],
        "env": env,
        "readinessProbe": probe,
    }
    return {"metadata": {"labels": {"app": "bench"}}, "spec": {"containers": [container]}}


async def until(condition: object, what: str, within_seconds: float = 90.0) -> None:
    """Return when `condition()` holds."""
    assert callable(condition)
    end = asyncio.get_running_loop().time() + within_seconds
    while not condition():
        if asyncio.get_running_loop().time() > end:
            raise TimeoutError(f"{what}: not within {within_seconds} s")
        await asyncio.sleep(0.01)


def status(sandbox: Sandbox) -> JSON:
    """Return the Rollout's status as it is now."""
    found = sandbox.store.get(ROLLOUT, NAMESPACE, "bench") or {}
    return dict(found.get("status") or {})


def canary_weight(sandbox: Sandbox) -> int:
    """Return what the canary Ingress says; 0 without one."""
    ingress = sandbox.store.get(INGRESS, NAMESPACE, "bench-bench-canary")
    if ingress is None:
        return 0
    return int(ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"])


async def trial(sandbox: Sandbox, load: Load, version: str, error_rate: str) -> Trial:
    """Release one bad version, and measure how it ends."""
    rollout = sandbox.store.get(ROLLOUT, NAMESPACE, "bench")
    assert rollout is not None
    spec = {**rollout["spec"], "template": template(version, error_rate)}
    sandbox.store.patch(ROLLOUT, NAMESPACE, "bench", {"spec": {"template": spec["template"]}})
    await until(lambda: canary_weight(sandbox) > 0, f"version {version} gets traffic")
    await until(lambda: canary_weight(sandbox) == 0, f"version {version} loses its traffic", 300)
    stopped = datetime.now(UTC)
    await until(lambda: status(sandbox).get("abort"), "it is remembered")
    reason = str(status(sandbox)["abort"]["reason"])
    await until(lambda: not status(sandbox).get("retiring"), "its pods go")
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
    with tempfile.TemporaryDirectory() as parent:
        directory = Path(parent) / "sandbox"
        installed = [each for each in manifests() if each["kind"] != "Deployment"]
        async with Sandbox(directory, manifests=installed, say=_say) as sandbox:
            for kind, body in app(arguments.weight):
                sandbox.store.create(kind, body)  # type: ignore[arg-type]
            await until(lambda: status(sandbox).get("phase") == "Healthy", "first deploy")
            load = Load(Target(sandbox.ingress_url, host=HOST), arguments.rate)
            driving = asyncio.create_task(load.run())
            trials = []
            for number in range(arguments.trials):
                trials.append(await trial(sandbox, load, f"bad-{number}", arguments.error_rate))
                _say(f"{number + 1}/{arguments.trials}: {trials[-1]}")
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


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


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
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    trials, load = asyncio.run(run(arguments))
    if arguments.json:
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
