"""An edit of any field, in any phase: it promotes nothing, leaves nothing, and says what it waits for."""

from typing import Any

import pytest

from rollouts.controller.status_store import read_status
from rollouts.core.world import under_way
from tests.fakes.control_loop import ControlLoop
from tests.fakes.traffic import routing_objects, shares
from tests.unit.controller.edits import EDITS, PHASES, fields, loop_in, patch_of

MOMENTS = (0.0, 1, 1, 3, 10, 60)
"""How much time passes, tick by tick, after an edit."""
CELLS = [
    pytest.param(phase, field, value, id=f"{phase}-{field}-{number}")
    for phase in PHASES
    for field, values in EDITS.items()
    for number, value in enumerate(values)
]


def test_there_are_edits_of_every_field() -> None:
    assert set(EDITS) == set(fields())


_USUAL: dict[str, list[dict[str, float]]] = {}


async def forward(loop: ControlLoop, hash_: str) -> list[dict[str, float]]:
    """Let time pass, and return the shares that a revision had meanwhile, of what the Rollout has had."""
    seen = []
    for seconds in MOMENTS:
        loop.clock.move(seconds)
        loop.measure()
        await loop.round_if_needed()
        found = shares(loop.cluster, hash_)
        seen.append({host: found[host] for host in ("shop.test", "second.test")})
    return seen


async def without_an_edit(key: str, loop: ControlLoop, hash_: str) -> list[dict[str, float]]:
    if key not in _USUAL:
        _USUAL[key] = await forward(loop.twin(), hash_)
    return _USUAL[key]


def has_ended(loop: ControlLoop) -> bool:
    status, metadata = read_status(loop.rollout), loop.rollout["metadata"]
    assert status is not None
    if metadata.get("deletionTimestamp"):
        return not metadata["finalizers"]
    return not under_way(status) and not status.retiring


async def ends(loop: ControlLoop) -> bool:
    """Stop whatever is under way, and let time pass until that is over."""
    loop.command('{"id": "the end", "verb": "abort"}')
    for _ in range(12):
        if has_ended(loop):
            break
        await loop.round_if_needed()
        loop.clock.move(10)
        loop.measure()
    return has_ended(loop)


@pytest.mark.parametrize(("phase", "field", "value"), CELLS)
async def test_an_edit_promotes_nothing_leaves_nothing_and_says_what_it_waits_for(
    phase: str, field: str, value: Any
) -> None:
    key, loop = await loop_in(phase, field)
    hash_ = loop.status["currentRevision"]["hash"]
    usual = await without_an_edit(key, loop, hash_)

    loop.edit(patch_of(field, value))
    after = await forward(loop, hash_)

    for moment, (new, old) in enumerate(zip(after, usual, strict=True)):
        for host, share in new.items():
            assert share <= old[host] + 1e-9, f"{host} at {moment}: {loop.status['message']}"
    assert loop.status["message"]
    if not await ends(loop):
        assert loop.status["phase"] == "Degraded"
        assert "create it" in loop.status["message"]
    assert routing_objects(loop.cluster) == []
