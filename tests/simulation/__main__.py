"""
Bad weeks by the thousand: `make sim SEED= RUNS=`.

    python -m tests.simulation [--seed 0] [--runs 1000] [--workers N] [--state FILE] [--most-failures 5]\
        [--as-found] [--record [--anew]]
    python -m tests.simulation --seed 4711 [--moments 3-5,9]

Each seed is a week: one Rollout, at least four releases, whatever can happen to a cluster, and after
each write of the controller all invariants. With `--state` what was done is kept in a file, and a run
that was stopped goes on from there; with `--record` that is docs/reliability.json, of which the page is made. A
failure prints the command that tells it again, the moments
that it needs, and its timeline. The result is a Markdown table on stdout, and exit code 1 if any
week failed. With one run, its whole timeline is printed.
"""

import argparse
import os
import sys
import time
from pathlib import Path

from bench.leaning import quieten
from bench.other_commit import revision
from bench.progress import say
from tests.simulation.failures import Failure, lived, numbers, simplified
from tests.simulation.record import Record
from tests.simulation.state import State
from tests.simulation.week import Week
from tests.simulation.workers import CHUNK, outcomes

SAY_EVERY_SECONDS = 10.0


def run(state: State, runs: int, options: argparse.Namespace) -> None:
    """Live the weeks that are left, and keep what was done."""
    began, before, said = time.monotonic(), state.seconds, 0.0
    commit, state.wanted = revision() if options.record else "", max(runs, state.wanted)
    for outcome in outcomes(range(state.seed + state.done, state.seed + runs), options.workers):
        state.add(outcome, commit)
        state.seconds = before + time.monotonic() - began
        if outcome.failure is not None:
            say(_told(outcome.failure))
        if state.done % CHUNK == 0:
            _keep(state, options)
        if time.monotonic() - said > SAY_EVERY_SECONDS:
            said = time.monotonic()
            say(_progress(state, runs))
        if len(state.failures) >= options.most_failures:
            say(f"{len(state.failures)} weeks failed: that is enough")
            break
    _keep(state, options)


def _begun(options: argparse.Namespace) -> State:
    """Return how far the run has come before: by its file, or by the page."""
    if not options.record:
        return State.read(options.state, options.seed)
    known = None if options.anew else Record.read().weeks
    if known is None or known.seed != options.seed:
        return State(options.seed)
    known.tell_again(lambda seed: lived(Week.of(seed)))
    return known


def _keep(state: State, options: argparse.Namespace) -> None:
    """Have in files what was done."""
    state.write(options.state)
    if options.record:
        record = Record.read()
        record.weeks = state
        record.write()


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
    parser.add_argument("--record", action="store_true", help="go on from docs/reliability.md")
    parser.add_argument("--anew", action="store_true", help="with --record: from the first seed")
    parser.add_argument(
        "--as-found", action="store_true", help="do not look for the moments needed"
    )
    options = parser.parse_args()
    quieten()
    if options.runs is None or options.moments is not None:
        return tell(options.seed, options.moments)
    state = _begun(options)
    run(state, options.runs, options)
    for failure in state.failures:
        least = failure if options.as_found else simplified(failure)
        say(f"\n{_told(least)}\n" + "\n".join(least.timeline))
    say(f"{state.done} weeks in {state.seconds:.0f} s")
    print(state.table)
    return 1 if state.failures else 0


if __name__ == "__main__":
    sys.exit(main())
