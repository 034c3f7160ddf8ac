"""A command annotation that is hostile is answered once, in few words, and is in nobody's way."""

import json
from typing import Any

import pytest

from tests.fakes.control_loop import ControlLoop
from tests.fakes.kubernetes import canary_weight
from tests.hostile.commands import CARRIED_OUT, ODD_ARGUMENTS, UNREADABLE

MOST_STATUS_BYTES = 32 * 1024
"""Far below the 1.5 MiB of etcd: what a command says is in status six times at the most."""


async def under_way() -> ControlLoop:
    loop = await ControlLoop().deployed()
    loop.release("shop:2")
    await loop.until(lambda: canary_weight(loop.cluster) == 25)
    loop.cluster.writes.clear()
    return loop


def status_bytes(loop: ControlLoop) -> int:
    """Return how large status is; everything in it can be sent."""
    return len(json.dumps(loop.status, ensure_ascii=False).encode())


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
async def test_what_nobody_can_read_is_refused_once_and_an_abort_works_still(text: str) -> None:
    loop = await under_way()
    loop.command(text)
    await loop.round()
    answer = loop.status["lastCommand"]
    assert not answer["accepted"]
    assert "rollouts.dev/command" in answer["message"]
    assert len(answer["message"]) < 200
    written = len(loop.cluster.writes)
    await loop.round()
    assert len(loop.cluster.writes) == written
    loop.command("abort")
    await loop.round()
    assert canary_weight(loop.cluster) == 0


@pytest.mark.parametrize("text", CARRIED_OUT.values(), ids=CARRIED_OUT)
async def test_an_abort_is_carried_out_and_answered_once_whatever_is_said_with_it(
    text: str,
) -> None:
    loop = await under_way()
    loop.command(text)
    await loop.round()
    assert canary_weight(loop.cluster) == 0
    assert loop.status["lastCommand"]["accepted"]
    assert status_bytes(loop) < MOST_STATUS_BYTES
    assert loop.reasons().count("RolledBack") == 1
    written = len(loop.cluster.writes)
    await loop.round()
    assert len(loop.cluster.writes) == written


@pytest.mark.parametrize(
    ("verb", "words"),
    [(verb, words) for verb, each in ODD_ARGUMENTS.items() for words in each],
    ids=lambda value: value if isinstance(value, str) else str(value)[:30],
)
async def test_an_argument_that_means_nothing_is_refused(verb: str, words: dict[str, Any]) -> None:
    loop = await under_way()
    loop.command(json.dumps({"id": "1", "verb": verb, **words}))
    await loop.round()
    assert not loop.status["lastCommand"]["accepted"]
    assert canary_weight(loop.cluster) == 25
    assert status_bytes(loop) < MOST_STATUS_BYTES


async def test_two_long_ids_that_begin_alike_are_two_commands() -> None:
    loop = await under_way()
    for last, verb in (("a", "pause"), ("b", "resume")):
        loop.command(json.dumps({"id": "x" * 5000 + last, "verb": verb}))
        await loop.round()
        assert loop.status["lastCommand"]["verb"] == verb
