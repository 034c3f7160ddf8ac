"""The processes that live weeks through: one for each core."""

import gc
import multiprocessing
from collections.abc import Iterable, Iterator

from bench.leaning import quieten
from tests.simulation.failures import WeekOutcome, lived_by

CHUNK = 20
YOUNG_OBJECTS = 50_000
"""After so many new objects garbage is looked for; Python's own 700 cost a twentieth of the time."""


def outcomes(seeds: Iterable[int], workers: int) -> Iterator[WeekOutcome]:
    """Yield the outcomes in the order of the seeds, whichever process they come from."""
    if workers == 1:
        begin()
        yield from map(lived_by, seeds)
        return
    with multiprocessing.get_context("forkserver").Pool(workers, begin) as pool:
        yield from pool.imap(lived_by, seeds, chunksize=CHUNK)


def begin() -> None:
    """Make a process ready for many weeks: what is imported stays, and a week leaves little behind."""
    quieten()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)
