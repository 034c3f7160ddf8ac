"""
How far does a bad release come on real nginx, real Prometheus and real pods?

    python -m bench.side_by_side [--only TEXT] [--releases N] [--at-once 6] [--rate 50]
        [--weights 10,50] [--pause 20] [--patience 300] [--against COMMIT] [--output json]

What `bench.leaning` asks in virtual time. `--at-once` apps get one version after the other under
steady traffic; what users met is told by those who sent the requests. The controller measures
as often as Prometheus scrapes. With `--against`, releases of the same kinds are made by the
controller of another commit first. Each release is a line on stderr when it is over.

Prints a Markdown table, or one JSON document. Exit status 1 when a request was lost.
"""

import argparse
import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace

from bench.app import sandbox
from bench.other_commit import sides
from bench.outcomes import OutcomeSummary, ReleaseOutcome, summarize, table
from bench.progress import say
from bench.release_series import Plan, ReleaseSeries
from rollouts.model.kinds import JSON


@dataclass(frozen=True)
class Kind:
    """Releases that are alike."""

    name: str
    error_rate: str
    releases: int
    every_seconds: float = 5.0
    """Between scrapes, and between measurements."""


KINDS = (
    Kind("4 % fail", "4%", 40),
    Kind("15 % fail", "15%", 40),
    Kind("0.5 % fail", "0.5%", 60),
    Kind("15 % fail, scrapes every 30 s", "15%", 20, every_seconds=30.0),
)


class Releases:
    """Many releases of some kinds, several at once, in one sandbox."""

    def __init__(self, kinds: Sequence[Kind], plan: Plan, at_once: int) -> None:
        self._plan = plan
        self._at_once = at_once
        self._every_seconds = kinds[0].every_seconds
        self._work = in_turn(kinds)
        self.outcomes: dict[Kind, list[ReleaseOutcome]] = {kind: [] for kind in kinds}
        self.load: Counter[str] = Counter()

    async def run(self) -> None:
        """Make them all; then `outcomes` and `load` are complete."""
        async with sandbox(scrape_seconds=self._every_seconds) as running:
            all_series = [
                ReleaseSeries(running, number, self._plan) for number in range(self._at_once)
            ]
            async with AsyncExitStack() as stack:
                await asyncio.gather(
                    *(
                        stack.enter_async_context(series.open(self._every_seconds))
                        for series in all_series
                    )
                )
                await asyncio.gather(*map(self._drive, all_series))
            for series in all_series:
                report = series.report()
                self.load.update(sent=report.sent, lost=report.lost, behind=report.behind)
                self.load.update({f"lost: {why}": n for why, n in report.lost_reasons.items()})

    async def _drive(self, series: ReleaseSeries) -> None:
        for kind, number in self._work:
            version = f"{kind.error_rate.rstrip('%')}-{number}"
            try:
                outcome = await series.release(version, kind.error_rate, kind.every_seconds)
            except TimeoutError as error:  # the others go on
                self.load["abandoned"] += 1
                say(f"{kind.name}: abandoned, with its app: {error}")
                return
            self.outcomes[kind].append(outcome)
            say(f"{kind.name}, {len(self.outcomes[kind])}/{kind.releases}: {sentence(outcome)}")


def in_turn(kinds: Sequence[Kind]) -> Iterator[tuple[Kind, int]]:
    """Yield each release of each kind; the kinds take turns, so that a part tells of all."""
    for number in range(max(kind.releases for kind in kinds)):
        yield from ((kind, number) for kind in kinds if number < kind.releases)


def sentence(outcome: ReleaseOutcome) -> str:
    """Return, in words, what became of a release."""
    return (
        f"{outcome.ending}, {outcome.highest_percent} % at most, split for {outcome.held_seconds:g} s,"
        f" {outcome.failed} users met a failure"
    )


def side(arguments: argparse.Namespace) -> JSON:
    """Return the outcomes by kind, and the account of the load, with the product that is here."""
    plan = plan_of(arguments)
    kinds = [
        replace(kind, releases=arguments.releases or kind.releases)
        for kind in KINDS
        if arguments.only in kind.name
    ]
    outcomes: list[OutcomeSummary] = []
    load: Counter[str] = Counter()
    for every in dict.fromkeys(kind.every_seconds for kind in kinds):
        alike = [kind for kind in kinds if kind.every_seconds == every]
        releases = Releases(alike, plan, arguments.at_once)
        asyncio.run(releases.run())
        load.update(releases.load)
        outcomes += (
            summarize(kind.name, found, plan.weights[0], plan.pauses_seconds)
            for kind, found in releases.outcomes.items()
        )
    return {"outcomes": [asdict(each) for each in outcomes], "load": dict(load)}


def plan_of(arguments: argparse.Namespace) -> Plan:
    return Plan(
        weights=tuple(int(each) for each in arguments.weights.split(",")),
        pause_seconds=arguments.pause,
        rate=arguments.rate,
        patience_seconds=arguments.patience,
    )


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    names = ", ".join(f"{kind.name} ({kind.releases})" for kind in KINDS).replace("%", "%%")
    made.add_argument("--only", default="", help=f"kinds with this in their name: {names}")
    made.add_argument("--releases", type=int, help="so many of each kind")
    made.add_argument("--at-once", type=int, default=6, help="apps, each with its own traffic")
    made.add_argument("--rate", type=float, default=50.0, help="requests per second and app")
    made.add_argument("--weights", default="10,50")
    made.add_argument("--pause", type=float, default=20.0, help="seconds after each weight")
    made.add_argument("--patience", type=float, default=300.0, help="seconds until an abort")
    made.add_argument("--against", default="", metavar="COMMIT")
    made.add_argument("--output", choices=("table", "json"), default="table")
    return made


def main() -> int:
    """Make the releases and print what became of them; exit 1 when requests were lost."""
    arguments = parser().parse_args()
    found = sides(arguments.against, "bench.side_by_side", lambda: side(arguments))
    if arguments.output == "json":
        print(json.dumps({"plan": asdict(plan_of(arguments)), "sides": found}, indent=2))
    else:
        print(shown(found))
    return 1 if any(each["load"]["lost"] for each in found.values()) else 0


def shown(measured: JSON) -> str:
    """Return the table, and below it the account of each side's load."""
    outcomes = {
        name: [OutcomeSummary(**each) for each in found["outcomes"]]
        for name, found in measured.items()
    }
    loads = [
        f"{name}: {', '.join(f'{count} {what}' for what, count in found['load'].items())}"
        for name, found in measured.items()
    ]
    return "\n".join([table(outcomes), "", *loads])


if __name__ == "__main__":
    raise SystemExit(main())
