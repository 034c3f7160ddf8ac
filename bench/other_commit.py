"""The product of another commit, under the benches of this one."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rollouts
from bench.progress import say
from rollouts.model.kinds import JSON

ROOT = Path(__file__).parents[1]


def measured(commit: str, module: str, arguments: list[str]) -> JSON:
    """
    Return the JSON document that a bench prints of the product of `commit`.

    Raises:
        CalledProcessError: there is no such commit, or the bench printed nothing.
    """
    with _checked_out(commit) as there:
        command = [sys.executable, "-m", module, *arguments, "--against", "", "--output", "json"]
        # -m and the sandbox's children look in the directory first.
        cache = os.environ.get("ROLLOUTS_CACHE") or str(ROOT / ".cache")  # of Prometheus
        environment = {**os.environ, "PYTHONPATH": str(there), "ROLLOUTS_CACHE": cache}
        done = subprocess.run(
            command, cwd=there, env=environment, stdout=subprocess.PIPE, check=False
        )
    if not done.stdout:
        done.check_returncode()
    found: JSON = json.loads(done.stdout)
    return found


def sides(against: str, module: str, here: Callable[[], Any]) -> JSON:
    """Return what was measured by commit: of the one that is compared with, if any, and `here`."""
    found: JSON = measured(against, module, sys.argv[1:])["sides"] if against else {}
    name = revision()
    return {**found, name: here()}


def revision() -> str:
    """Return which commit the product is of that is measured here, and tell where it is."""
    where = Path(rollouts.__file__).parents[1]
    found = _git(where, "rev-parse", "--short", "HEAD")
    changed = _git(where, "status", "--porcelain", "--", "rollouts", "tests/fakes")
    name = f"{found} and changes" if changed else found
    say(f"measuring {name} in {where}")
    return name


@contextmanager
def _checked_out(commit: str) -> Iterator[Path]:
    """Give a worktree of `commit` whose benches are ours; it is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="rollouts-bench-") as parent:
        there = Path(parent) / "tree"
        _git(ROOT, "worktree", "add", "--detach", str(there), commit)
        try:
            shutil.rmtree(there / "bench", ignore_errors=True)
            shutil.copytree(
                ROOT / "bench", there / "bench", ignore=shutil.ignore_patterns("__pycache__")
            )
            yield there
        finally:
            _git(ROOT, "worktree", "remove", "--force", str(there))


def _git(where: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(where), *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        say(done.stderr.strip())
        done.check_returncode()
    return done.stdout.strip()
