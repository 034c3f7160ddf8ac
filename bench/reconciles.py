"""
What does a reconcile cost, with a thousand Rollouts in one cluster?

    python -m bench.reconciles [--rollouts 1000] [--seconds 50] [--against COMMIT] [--output json]

All are deployed, settle, and are released at once: canaries by ingress-nginx of two steps, whose
evidence is good. Cluster and metrics are in memory, and time is virtual. What is measured is the CPU
time of the real reconciler, from the caches to the writes, once a second for each Rollout.

Prints a Markdown table, or one JSON document.
"""

import argparse
import asyncio
import copy
import json
import time
from collections.abc import Sequence
from contextlib import suppress

from bench.leaning import quieten
from bench.other_commit import sides
from bench.progress import say
from rollouts.controller.metrics import ControllerMetrics
from rollouts.controller.notifications import Notifications
from rollouts.controller.reconcile import Reconciler
from rollouts.errors import Conflict
from rollouts.model.kinds import JSON, ROLLOUT, SERVICE, Kind
from rollouts.model.rollout_key import Key
from rollouts.model.routers.nginx import INGRESS
from rollouts.notify.absent import NoNotifier
from tests.fakes.clock import ManualClock
from tests.fakes.cluster import FakeCluster
from tests.fakes.control_loop import CRITERIA, STEPS, FakeMonitor
from tests.fakes.kubernetes import Kubernetes, ingress, rollout, service, template

DEPLOYING_SECONDS = 20
SETTLED_SECONDS = 5


class Fleet:
    """Rollouts, each in a namespace of its own, and one reconciler for all."""

    def __init__(self, size: int) -> None:
        self._clock = ManualClock()
        self._cluster = FakeCluster(self._clock.now)
        self._monitor = FakeMonitor(self._clock)
        self._keys = [Key(f"shop-{number}", "checkout") for number in range(size)]
        self._kubernetes = [Kubernetes(self._cluster, key.namespace) for key in self._keys]
        for key in self._keys:
            self._put(key, SERVICE, service())
            self._put(key, INGRESS, ingress())
            self._put(key, ROLLOUT, rollout(STEPS, successCriteria=CRITERIA))
        notifications = Notifications(NoNotifier())
        self._reconciler = Reconciler(
            self._cluster,
            self._clock,
            self._monitor,
            notifications,
            ControllerMetrics(),
            quiet_seconds=2,
        )

    def _put(self, key: Key, kind: Kind, body: JSON) -> None:
        there = copy.deepcopy(body)
        there["metadata"]["namespace"] = key.namespace
        self._cluster.put(kind, there)

    def release(self, image: str) -> None:
        """Give every Rollout a new template."""
        for key in self._keys:
            self._cluster.edit(key.ref, {"spec": {"template": template(image)}})

    async def run(self, seconds: int) -> JSON:
        """Let so much time pass; return what it has cost per reconcile, and what was written."""
        cpu_seconds, written = 0.0, len(self._cluster.writes)
        for _ in range(seconds):
            for each in self._kubernetes:
                each.settle()
            began = time.process_time()
            for key in self._keys:
                with suppress(Conflict):  # somebody wrote in between: the next second tries again
                    await self._reconciler.reconcile(key)
            cpu_seconds += time.process_time() - began
            self._clock.move(1)
            self._monitor.measure()
        reconciles = seconds * len(self._keys)
        return {
            "milliseconds": round(1000 * cpu_seconds / reconciles, 3),
            "writes_per_rollout": (len(self._cluster.writes) - written) / len(self._keys),
        }

    def healthy(self) -> int:
        """Return how many Rollouts are Healthy."""
        found = (self._cluster.get(key.ref) for key in self._keys)
        return sum(each is not None and each["status"]["phase"] == "Healthy" for each in found)


async def measured(size: int, seconds: int) -> JSON:
    """
    Return what a reconcile costs in each part of a Rollout's life.

    Raises:
        RuntimeError: not all have been promoted in the end.
    """
    fleet = Fleet(size)
    costs: dict[str, JSON] = {}
    say(f"{size} Rollouts are deployed")
    costs["first deploy"] = await fleet.run(DEPLOYING_SECONDS)
    costs["settled"] = await fleet.run(SETTLED_SECONDS)
    say("all are released at once")
    fleet.release("shop:2")
    costs["canary"] = await fleet.run(seconds)
    if fleet.healthy() != size:
        raise RuntimeError(f"{size - fleet.healthy()} of {size} are not promoted in {seconds} s")
    return costs


def table(found: JSON) -> str:
    """Return the costs of each commit side by side."""
    commits = list(found)
    head = " | ".join(f"{each}: ms per reconcile | writes per Rollout" for each in commits)
    lines = [f"| | {head} |", "|---|" + "--:|--:|" * len(commits)]
    for part in found[commits[-1]]:
        cells = (found[each][part] for each in commits)
        costs = " | ".join(
            f"{each['milliseconds']} | {each['writes_per_rollout']:g}" for each in cells
        )
        lines.append(f"| {part} | {costs} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="bench.reconciles", description=__doc__)
    parser.add_argument("--rollouts", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=50)
    parser.add_argument("--against", default="", metavar="COMMIT")
    parser.add_argument("--output", choices=("table", "json"), default="table")
    given = parser.parse_args(arguments)
    quieten()
    found = sides(
        given.against,
        "bench.reconciles",
        lambda: asyncio.run(measured(given.rollouts, given.seconds)),
    )
    print(json.dumps({"sides": found}) if given.output == "json" else table(found))


if __name__ == "__main__":
    main()
