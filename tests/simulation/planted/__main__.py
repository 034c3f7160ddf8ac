"""
Does the simulation find bugs that were planted? `make planted`.

    python -m tests.simulation.planted [NAME ...] [--most-runs 2000] [--workers N]

Each patch is applied to a copy of the checkout, and weeks are lived through with that until one
fails which does not fail without the patch. Prints a row for each, and writes docs/reliability.md: what
was found by which invariant after how many weeks. Exits with 1 when a bug was not found: a gap of the
simulation, which wants an invariant.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.other_commit import revision
from bench.progress import say
from tests.simulation.planted.patches import ROOT, Planted, every_planted
from tests.simulation.record import Bug, Record

Found = dict[str, Any]


def hunt(bug: Planted, most_runs: int, workers: int) -> tuple[int, Found | None]:
    """Return after how many weeks a bug was found, and the failure; None when it was not."""
    seed = 0
    with tempfile.TemporaryDirectory() as folder:
        bug.into(Path(folder))
        while seed < most_runs:
            failure = _first_failure(Path(folder), seed, most_runs - seed, workers)
            if failure is None:
                break
            seed = int(failure["seed"]) + 1
            if _first_failure(ROOT, seed - 1, 1, 1) is None:
                return seed, failure
            say(f"  seed {seed - 1} fails without the patch, too")
    return most_runs, None


def _first_failure(root: Path, seed: int, runs: int, workers: int) -> Found | None:
    """Live through weeks with the code in `root`; return what failed first."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder, "state.json")
        numbers = [f"--seed={seed}", f"--runs={runs}", f"--workers={workers}"]
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "tests.simulation",
                *numbers,
                "--most-failures=1",
                "--as-found",
                f"--state={state}",
            ],
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
            capture_output=True,
            check=False,
            text=True,
        )
        if not state.exists():
            raise RuntimeError(f"the simulation did not run in {root}:\n{done.stderr[-2000:]}")
        failures = json.loads(state.read_text())["failures"]
    return failures[0] if failures else None


def main() -> int:
    parser = argparse.ArgumentParser(
        "tests.simulation.planted",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    known = {each.name: each for each in every_planted()}
    parser.add_argument("names", nargs="*", choices=[*known, []], metavar="NAME")
    parser.add_argument("--most-runs", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    commit, record = revision(), Record.read()
    for name in options.names or known:
        weeks, failure = hunt(known[name], options.most_runs, options.workers)
        found = Bug(known[name].what, weeks, commit=commit)
        if failure is not None:
            found.invariant, found.message = failure["invariant"], failure["message"]
        print(found.row(name), flush=True)
        record = Record.read()
        record.most_runs, record.planted[name] = options.most_runs, found
        record.planted = {key: each for key, each in record.planted.items() if key in known}
        record.write()
    return 0 if all(each.invariant for each in record.planted.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
