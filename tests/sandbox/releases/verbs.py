"""
The verbs of the command line, each in a process of its own that begins with all that it imports.

Importing takes half a second of a core, ten times as long as what a verb then does. That a verb
begins from nothing as well is held by `tests/sandbox/test_command_line.py`.
"""

import asyncio
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rollouts.cli.main import main

_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(
    [
        "rollouts.cli.list_table",
        "rollouts.cli.main",
        "rollouts.cli.template_source",
        "rollouts.kube.requests",
    ]
)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


async def run_verb(
    arguments: Sequence[str], environment: Mapping[str, str], seconds: float
) -> Ended:
    """
    Return how `rollouts ARGUMENTS` ended, with these variables beside our own.

    Raises:
        TimeoutError: it did not within `seconds`.
    """
    with tempfile.TemporaryDirectory() as directory:
        out, err = Path(directory) / "out", Path(directory) / "err"
        process = _PROCESSES.Process(
            target=_become, args=(arguments, dict(environment), out, err), daemon=True
        )
        # The first of them waits until all is imported: the loop, which sends traffic, must not.
        await asyncio.to_thread(process.start)
        await asyncio.to_thread(process.join, seconds)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(f"rollouts {' '.join(arguments)} takes longer than {seconds} s")
        return Ended(process.exitcode, out.read_text(), err.read_text())


def _become(arguments: Sequence[str], environment: Mapping[str, str], out: Path, err: Path) -> None:
    """Be `rollouts ARGUMENTS`, with its outputs in files."""
    for number, path in ((1, out), (2, err)):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(opened, number)
    os.environ.update(environment)
    sys.argv = ["rollouts", *arguments]
    main()
