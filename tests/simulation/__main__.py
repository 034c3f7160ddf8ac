"""
Bad weeks by the thousand: `make sim SEED= RUNS=`.

    python -m tests.simulation [--seed 0] [--runs 1000] [--workers N] [--state FILE] [--most-failures 5] [--as-found]
    python -m tests.simulation --seed 4711 [--moments 3-5,9]

Each seed is a week: one Rollout, at least four releases, whatever can happen to a cluster, and after
each write of the controller all invariants. With `--state` what was done is kept in a file, and a run
that was stopped goes on from there. A failure prints the command that tells it again, the moments
that it needs, and its timeline. The result is a Markdown table on stdout, and exit code 1 if any
week failed. With one run, its whole timeline is printed.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import asdict, astuple, dataclass, field
from pathlib import Path

from bench.leaning import quieten
from bench.progress import say
from tests.simulation.failures import Failure, Outcome, numbers, simplified
from tests.simulation.setups import SETUPS
from tests.simulation.week import Week
from tests.simulation.workers import CHUNK, outcomes

SAY_EVERY_SECONDS = 10.0


@dataclass
class Tally:
    """What was counted in the weeks of one setup."""

    weeks: int = 0
    releases: int = 0
    reconciles: int = 0
    writes: int = 0
    failures: int = 0

    def add(self, outcome: Outcome) -> None:
        self.weeks += 1
        self.releases += outcome.releases
        self.reconciles += outcome.reconciles
        self.writes += outcome.writes
        self.failures += outcome.failure is not None


@dataclass
class State:
    """How far a run of many weeks has come; seeds are done in their order."""

    seed: int
    done: int = 0
    seconds: float = 0.0
    tallies: dict[str, Tally] = field(default_factory=lambda: {name: Tally() for name in SETUPS})
    failures: list[Failure] = field(default_factory=list)

    @classmethod
    def read(cls, file: Path | None, seed: int) -> "State":
        """
        Return what is in a file; the beginning where there is none.

        Raises:
            SystemExit: it is the state of another run.
        """
        if file is None or not file.exists():
            return cls(seed)
        found = json.loads(file.read_text())
        if found["seed"] != seed:
            sys.exit(f"{file} is about weeks from seed {found['seed']} on; name another --state")
        tallies = {name: Tally(**each) for name, each in found["tallies"].items()}
        failures = [Failure(**each) for each in found["failures"]]
        return cls(seed, found["done"], found["seconds"], tallies, failures)

    def write(self, file: Path | None) -> None:
        if file is None:
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_suffix(".new")
        beside.write_text(json.dumps(asdict(self)))
        beside.replace(file)

    def add(self, outcome: Outcome) -> None:
        self.done += 1
        self.tallies[outcome.setup].add(outcome)
        if outcome.failure is not None:
            self.failures.append(outcome.failure)


def run(state: State, runs: int, options: argparse.Namespace) -> None:
    """Live the weeks that are left, and keep what was done."""
    began, before, said = time.monotonic(), state.seconds, 0.0
    for outcome in outcomes(range(state.seed + state.done, state.seed + runs), options.workers):
        state.add(outcome)
        state.seconds = before + time.monotonic() - began
        if outcome.failure is not None:
            say(_told(outcome.failure))
        if state.done % CHUNK == 0:
            state.write(options.state)
        if time.monotonic() - said > SAY_EVERY_SECONDS:
            said = time.monotonic()
            say(_progress(state, runs))
        if len(state.failures) >= options.most_failures:
            say(f"{len(state.failures)} weeks failed: that is enough")
            break
    state.write(options.state)


def _progress(state: State, runs: int) -> str:
    rate = state.done / max(state.seconds, 1e-9)
    left = (runs - state.done) / rate if rate else 0.0
    return (
        f"{state.done} of {runs} weeks, {len(state.failures)} failed; {rate:.1f}/s,"
        f" {left / 60:.0f} minutes left"
    )


def _told(failure: Failure) -> str:
    return (
        f"seed {failure.seed} ({failure.setup}) fails by {failure.invariant}: {failure.message}\n"
        f"    {failure.again}"
    )


def _table(state: State) -> str:
    rows = [
        "| setup | weeks | releases | reconciles | writes that were checked | failed |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    counts = {name: astuple(each) for name, each in state.tallies.items()}
    counts["all"] = tuple(sum(column) for column in zip(*counts.values(), strict=True))
    for name, row in counts.items():
        rows.append(f"| {name} | {' | '.join(f'{count:,}' for count in row)} |")
    return "\n".join(rows)


def tell(seed: int, moments: frozenset[int] | None) -> int:
    """Print the timeline of one week; return the exit code."""
    week = Week.of(seed, moments)
    story = week.begin()
    try:
        week.live(story)
    except Exception:
        print("\n".join(story.log))
        raise
    print("\n".join(story.log))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(
        "tests.simulation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=int, default=None)
    parser.add_argument("--moments", type=numbers, default=None)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--state", type=Path, default=None)
    parser.add_argument("--most-failures", type=int, default=5)
    parser.add_argument(
        "--as-found", action="store_true", help="do not look for the moments needed"
    )
    options = parser.parse_args()
    quieten()
    if options.runs is None or options.moments is not None:
        return tell(options.seed, options.moments)
    state = State.read(options.state, options.seed)
    run(state, options.runs, options)
    for failure in state.failures:
        least = failure if options.as_found else simplified(failure)
        say(f"\n{_told(least)}\n" + "\n".join(least.timeline))
    say(f"{state.done} weeks in {state.seconds:.0f} s")
    print(_table(state))
    return 1 if state.failures else 0


if __name__ == "__main__":
    sys.exit(main())
