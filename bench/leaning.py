"""
How far does a bad release come before it is stopped, and how long is a good one held?

    python -m bench.leaning [--rate 5,50,500] [--fails 0.2,0.5,1,2,5,15] [--runs 200] [--seed 7]
        [--weights 10,50] [--pause 20] [--scrape 5] [--interval 5] [--arrivals even|poisson]
        [--minutes 15] [--readings 0] [--jobs 2] [--against COMMIT] [--output json]

Releases in virtual time (`bench.virtual_release`): the reconciler, the monitor and the judges are the real
ones, the cluster and Prometheus are in memory, and users come `--rate` times per second. The limit
is an error rate of 1 %; a release fails `--fails` times as much. Scrapes begin at a random
moment. With `--readings` the page of the ingress controller is read so often in a second at most, by
all together, between two scrapes. With `--against` the same releases are made by the product of another commit as well.

Prints a Markdown table, or one JSON document.
"""

import argparse
import asyncio
import json
import logging
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass

import structlog

from bench.other_commit import sides
from bench.outcomes import OutcomeSummary, ReleaseOutcome, summarize, table
from bench.progress import say
from bench.virtual_release import Setting, VirtualRelease

AT_ONCE = 25
"""So many releases are one piece of work."""


@dataclass(frozen=True)
class Kind:
    """Releases that are alike: requests per second, and how many times the limit they fail."""

    rate: float
    times: float

    def named(self, setting: Setting) -> str:
        return f"{self.rate:g}/s, {100 * self.times * setting.limit:g} % fail"


def releases(setting: Setting, kind: Kind, seeds: Sequence[str]) -> list[ReleaseOutcome]:
    """Return what becomes of one release for each seed."""

    async def each() -> list[ReleaseOutcome]:
        fails = kind.times * setting.limit
        return [await VirtualRelease(setting, kind.rate, fails, seed).run() for seed in seeds]

    return asyncio.run(each())


def quieten() -> None:
    """Have nothing logged but what is wrong."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def run(arguments: argparse.Namespace) -> list[OutcomeSummary]:
    """Return the outcomes of each kind, and tell each when it is known."""
    setting = setting_of(arguments)
    kinds = [Kind(rate, times) for rate in arguments.rate for times in arguments.fails]
    found = []
    with ProcessPoolExecutor(arguments.jobs, initializer=quieten) as pool:
        work = [(kind, _begun(pool, setting, kind, arguments)) for kind in kinds]
        for number, (kind, parts) in enumerate(work, start=1):
            outcomes = [outcome for part in parts for outcome in part.result()]
            pauses = len(setting.weights) * setting.pause_seconds
            found.append(summarize(kind.named(setting), outcomes, setting.weights[0], pauses))
            say(f"{number}/{len(work)}: {found[-1].sentence}")
    return found


def _begun(
    pool: ProcessPoolExecutor, setting: Setting, kind: Kind, arguments: argparse.Namespace
) -> list[Future[list[ReleaseOutcome]]]:
    seeds = [
        f"{arguments.seed} {kind.rate} {kind.times} {number}" for number in range(arguments.runs)
    ]
    parts = [seeds[begin : begin + AT_ONCE] for begin in range(0, len(seeds), AT_ONCE)]
    return [pool.submit(releases, setting, kind, part) for part in parts]


def setting_of(arguments: argparse.Namespace) -> Setting:
    return Setting(
        weights=tuple(int(each) for each in arguments.weights),
        pause_seconds=arguments.pause,
        scrape_seconds=arguments.scrape,
        interval_seconds=arguments.interval,
        patience_seconds=60 * arguments.minutes,
        arrivals=arguments.arrivals,
        readings_per_second=arguments.readings,
    )


def numbers(text: str) -> list[float]:
    """Read such as `5,50,500`."""
    return [float(each) for each in text.split(",")]


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    made.add_argument("--rate", type=numbers, default=[5.0, 50.0, 500.0])
    made.add_argument("--fails", type=numbers, default=[0.2, 0.5, 1.0, 2.0, 5.0, 15.0])
    made.add_argument("--runs", type=int, default=200, help="releases of each kind")
    made.add_argument("--seed", type=int, default=7)
    made.add_argument("--weights", type=numbers, default=[10.0, 50.0])
    made.add_argument("--pause", type=float, default=20.0, help="seconds after each weight")
    made.add_argument("--scrape", type=float, default=5.0, help="seconds between scrapes")
    made.add_argument("--interval", type=float, default=5.0, help="seconds between measurements")
    made.add_argument("--arrivals", choices=("even", "poisson"), default="even")
    made.add_argument("--minutes", type=float, default=15.0, help="the longest that is waited")
    made.add_argument("--readings", type=float, default=0.0, help="pages read in a second")
    made.add_argument("--jobs", type=int, default=2, help="processes")
    made.add_argument("--against", default="", metavar="COMMIT")
    made.add_argument("--output", choices=("table", "json"), default="table")
    return made


def main() -> int:
    """Make the releases and print what became of them."""
    arguments = parser().parse_args()
    found = sides(
        arguments.against, "bench.leaning", lambda: [asdict(each) for each in run(arguments)]
    )
    if arguments.output == "json":
        setting = asdict(setting_of(arguments))
        print(json.dumps({"seed": arguments.seed, "setting": setting, "sides": found}, indent=2))
    else:
        print(
            table(
                {
                    name: [OutcomeSummary(**each) for each in outcomes]
                    for name, outcomes in found.items()
                }
            )
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
