"""From an observed cluster to the next weight of a canary, a reader opens eight files at most."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

from rollouts.core.decide import decide
from rollouts.core.next.steps import advance
from rollouts.core.plan.actions import SetWeight
from rollouts.core.plan.weight import weight_writes
from rollouts.model.route import Split
from tests.unit.core.worlds import (
    CRITERIA,
    NEW,
    at,
    evidence,
    replica_set,
    service,
    spec_of,
    under_way,
)

CORE = Path(sys.modules[decide.__module__].__file__ or "").parent
ADR = Path(__file__).parents[3] / "docs/adr/0029-the-rooms-of-the-core.md"
MOST = 8
NOUNS = "world/"
"""Who follows a decision knows these by then (docs/adr/0029-the-rooms-of-the-core.md)."""
ENDS = (advance.__code__, weight_writes.__code__)
STEPS = [{"setWeight": 25}, {"analysis": {"duration": "5m"}}, {"setWeight": 50}]


@contextmanager
def files_of_the_core() -> Iterator[dict[str, set[str]]]:
    """Collect which functions are called by `advance` and `weight_writes`, by file of the core."""
    found: dict[str, set[str]] = {"decide": {decide.__name__}}

    def note(frame: FrameType, event: str, _arg: Any) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(CORE) and is_on_the_way(frame):
            file = path.relative_to(CORE).with_suffix("").as_posix()
            if not file.startswith(NOUNS):
                found.setdefault(file, set()).add(frame.f_code.co_name)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(before)


def is_on_the_way(frame: FrameType | None) -> bool:
    """Return whether `advance` or `weight_writes` has called this frame, or is it."""
    return any(code in ENDS for code in callers(frame))


def callers(frame: FrameType | None) -> Iterator[CodeType]:
    while frame is not None:
        yield frame.f_code
        frame = frame.f_back


@pytest.fixture(scope="module")
def path() -> dict[str, set[str]]:
    """Return what an ordinary canary runs through: its analysis is over, and it gets the next weight."""
    passing = under_way(
        25,
        spec_of(STEPS, successCriteria=CRITERIA),
        current_step_index=1,
        step_started_at=at(-301),
        evidence=evidence("pass"),
    )
    with files_of_the_core() as found:
        entered = passing.decide()
        grown = passing.after(entered).evolve(replica_set(NEW, 2))
        ready = grown.serving(canary=service("checkout-canary", NEW, newhash=2))
        assert ready.decide().actions == (SetWeight(Split(percent=50)),)
    assert entered.status.current_step_index == 2
    return found


def test_it_is_eight_files_at_most(path: dict[str, set[str]]) -> None:
    listed = "\n".join(f"{file}: {', '.join(sorted(path[file]))}" for file in sorted(path))
    assert len(path) <= MOST, f"what is asked together belongs into one file:\n{listed}"


def test_it_is_the_path_that_is_told(path: dict[str, set[str]]) -> None:
    """Who reads the record of the decision opens the files that it names, and finds everything."""
    told = ADR.read_text(encoding="utf-8").partition("## Consequences")[2]
    assert not [file for file in path if f"`{file}`" not in told]
