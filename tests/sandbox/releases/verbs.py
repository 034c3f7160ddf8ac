"""The verbs of the command line, and how they end."""

import asyncio
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.sandbox.releases.preloaded import Call, Preloaded


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
        process = await Preloaded.begin(Call(arguments, {**os.environ, **environment}, out, err))
        try:
            async with asyncio.timeout(seconds):
                code = await process.wait()
        except TimeoutError:
            process.kill()
            raise TimeoutError(
                f"rollouts {' '.join(arguments)} takes longer than {seconds} s"
            ) from None
        return Ended(code, out.read_text(), err.read_text())
