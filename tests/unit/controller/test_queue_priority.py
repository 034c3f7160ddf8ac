"""Whose turn comes before all others': those whose traffic has to go back."""

import json

import pytest

from tests.fakes.control_loop import KEY, ControlLoop


@pytest.fixture
async def canary() -> ControlLoop:
    """A canary with traffic, of which good things were measured."""
    loop = await ControlLoop().deployed()
    loop.release("shop:2")
    await loop.until(lambda: loop.status["weights"]["applied"] == 25)
    loop.measure()
    return loop


async def test_a_good_canary_waits_for_its_turn(canary: ControlLoop) -> None:
    assert not canary.reconciler.is_urgent(KEY)


async def test_a_canary_that_has_failed_does_not_until_its_traffic_is_gone(
    canary: ControlLoop,
) -> None:
    canary.monitor.failures = 300
    canary.measure()
    assert canary.reconciler.is_urgent(KEY)
    await canary.until(lambda: canary.status["phase"] == "Degraded")
    canary.measure()
    assert not canary.reconciler.is_urgent(KEY)


@pytest.mark.parametrize("text", ["abort", json.dumps({"id": "1", "verb": "abort", "by": "ann"})])
async def test_an_abort_does_not_until_it_is_answered(canary: ControlLoop, text: str) -> None:
    canary.command(text)
    assert canary.reconciler.is_urgent(KEY)
    await canary.until(lambda: canary.status["phase"] == "Degraded")
    assert not canary.reconciler.is_urgent(KEY)


async def test_other_commands_and_what_is_gone_wait(canary: ControlLoop) -> None:
    canary.command("promote")
    assert not canary.reconciler.is_urgent(KEY)
    canary.cluster.drop(KEY.ref)
    assert not canary.reconciler.is_urgent(KEY)


async def test_a_status_that_nobody_can_read_is_not_urgent(canary: ControlLoop) -> None:
    canary.edit({"status": {"weights": "all"}})
    assert not canary.reconciler.is_urgent(KEY)
