"""
Is a request lost, and is the split what was configured, whatever releases and however it ends?

    python -m bench.matrix [--gateway traefik] [--only TEXT] [--rate 50] [--answers 400]
        [--at-once 4] [--seed 7] [--output json]

Every setup (`bench.setups`) goes through every scenario (`bench.scenarios`) in a namespace of its
own, several at a time, under steady traffic. Wherever a release is held, the share of the new
version is counted in at least `--answers` answers. The cells in which the controller is killed
come last, for there is one controller for all: it dies after about every fourth of its
writes, drawn with `--seed`. The sandbox's nginx serves, or a real Traefik, whose canaries are judged by
the pods' own counters.

Prints a Markdown table, or one JSON document. Exit status 1 when a request was lost, when
a split is off by more than 5 standard deviations, or when a release ended otherwise.
"""

import argparse
import asyncio
import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field

from bench.app import App, sandbox
from bench.matrix_cells import Cell, problems_in, table
from bench.progress import say
from bench.scenarios import (
    KILLED,
    SCENARIOS,
    SETTLES_SECONDS,
    TRAEFIK_SETTLES_SECONDS,
    Sample,
    Scenario,
)
from bench.setups import NOT_ON_TRAEFIK, PODS, SETUPS, Place, Setup, judged_by_its_own_counters
from bench.traffic import Traffic
from rollouts.sandbox.apiserver.audit import AuditEntry
from rollouts.sandbox.crashes import crashing
from rollouts.sandbox.environment import Sandbox, TraefikSandbox

GATEWAYS: Mapping[str, type[Sandbox]] = {"nginx": Sandbox, "traefik": TraefikSandbox}
EVERY = 4
"""Of so many writes, one is the controller's last."""
BAD_VERSIONS = {"rolled back": "2", KILLED: "3"}


@dataclass
class Matrix:
    """The cells of one sandbox."""

    sandbox: Sandbox
    rate: float
    sample: Sample
    cells: list[Cell] = field(default_factory=list)

    async def fill(self, pairs: Iterable[tuple[str, str]], at_once: int) -> None:
        """Measure these cells, so many at a time."""
        free = asyncio.Semaphore(at_once)

        async def one(name: str, ending: str) -> None:
            async with free:
                cell = await self._cell(name, ending)
            self.cells.append(cell)
            found = "; ".join(cell.problems) or f"{cell.total.sent} sent, none lost"
            say(f"{len(self.cells)}: {name}: {ending}: {found} ({cell.seconds:.0f} s)")

        await asyncio.gather(*(one(name, ending) for name, ending in pairs))

    async def _cell(self, name: str, ending: str) -> Cell:
        begin = time.monotonic()
        place = Place.of(self.sandbox, re.sub(r"[^a-z]+", "-", f"{name} {ending}".lower()))
        setup = SETUPS[name](place)
        if isinstance(self.sandbox, TraefikSandbox):
            setup = judged_by_its_own_counters(setup)
        app = App(self.sandbox, place.namespace, adopted=setup.adopted)
        traffic = Traffic(setup.streams, self.rate)
        scenario = Scenario(app, setup, traffic, self.sample)
        problems = scenario.problems
        try:
            await self._opens(app, setup)
            async with traffic.flowing():
                if setup.adopted:
                    await _deploys(app, setup)
                await SCENARIOS[ending](scenario)
        except TimeoutError as error:
            problems.append(str(error))
        problems += [f"nobody changed anything, but: {each}" for each in app.put_back]
        app.closes()
        total = traffic.total()
        problems += problems_in(total, scenario.splits, BAD_VERSIONS.get(ending))
        return Cell(name, ending, total, scenario.splits, problems, time.monotonic() - begin)

    async def _opens(self, app: App, setup: Setup) -> None:
        """Have version 1 answer wherever it will be asked."""
        app.opens()
        app.create(setup.before)
        if setup.adopted:
            await app.until(lambda: app.available == PODS, "the Deployment's pods")
        else:
            await _deploys(app, setup)
        first = Traffic(setup.streams, self.rate)
        async with first.flowing():
            await app.until(
                lambda: all(first.answers(name)["1"] for name in first.names), "the first answers"
            )


async def _deploys(app: App, setup: Setup) -> None:
    app.create([setup.rollout])
    await app.until(lambda: app.status.get("phase") == "Healthy", "first deploy")
    await app.is_over()


def drawn(seed: int) -> Callable[[AuditEntry], bool]:
    """Choose writes by chance: in each namespace the same for the same seed."""
    draws: dict[str, random.Random] = {}

    def chosen(entry: AuditEntry) -> bool:
        draw = draws.setdefault(entry.namespace, random.Random(f"{seed} {entry.namespace}"))
        return draw.random() < 1 / EVERY

    return chosen


async def run(arguments: argparse.Namespace) -> tuple[list[Cell], Counter[str]]:
    """Return the cells in the order of the table, and after which writes the controller was killed."""
    kind = GATEWAYS[arguments.gateway]
    pairs = [
        (name, ending)
        for name in SETUPS
        for ending in SCENARIOS
        if arguments.only in f"{name}: {ending}" and (kind is Sandbox or name not in NOT_ON_TRAEFIK)
    ]
    quiet = [pair for pair in pairs if pair[1] != KILLED]
    async with sandbox(kind=kind) as running:
        settles = SETTLES_SECONDS if kind is Sandbox else TRAEFIK_SETTLES_SECONDS
        sample = Sample(arguments.answers, arguments.answers // 4, settles)
        matrix = Matrix(running, arguments.rate, sample)
        await matrix.fill(quiet, arguments.at_once)
        async with crashing(running, drawn(arguments.seed)) as fatal:
            await matrix.fill((pair for pair in pairs if pair not in quiet), arguments.at_once)
    cells = sorted(matrix.cells, key=lambda cell: pairs.index((cell.setup, cell.ending)))
    return cells, Counter(fatal)


def main() -> int:
    """Fill the matrix and print it; exit 1 when anything is not as it should be."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--gateway", choices=GATEWAYS, default="nginx")
    parser.add_argument("--only", default="", help='cells with this in "WAY: ENDING"')
    parser.add_argument("--rate", type=float, default=50.0)
    parser.add_argument("--answers", type=int, default=400)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--seed", type=int, default=random.randrange(1000))
    parser.add_argument("--output", choices=("table", "json"), default="table")
    arguments = parser.parse_args()
    say(f"seed {arguments.seed}")
    cells, kills = asyncio.run(run(arguments))
    if arguments.output == "json":
        found = {
            "gateway": arguments.gateway,
            "seed": arguments.seed,
            "kills": kills,
            "cells": [asdict(each) for each in cells],
        }
        print(json.dumps(found, indent=2))
    else:
        print(table(cells))
        print(f"\nController killed {kills.total()} times, seed {arguments.seed}.")
    return 1 if any(cell.problems for cell in cells) else 0


if __name__ == "__main__":
    raise SystemExit(main())
