"""An edit of any field, in any phase: it promotes nothing, leaves nothing, and says what it waits for."""

from typing import Any

import pytest

from rollouts.controller.status_store import recall
from rollouts.core.world import under_way
from tests.fakes.shop import Shop
from tests.fakes.traffic import routing_objects, shares
from tests.unit.controller.edits import EDITS, PHASES, fields, patch_of, shop_in

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


async def forward(shop: Shop, hash_: str) -> list[dict[str, float]]:
    """Let time pass, and return the shares that a revision had meanwhile, of what the Rollout has had."""
    seen = []
    for seconds in MOMENTS:
        shop.clock.move(seconds)
        shop.eyes.look()
        await shop.round()
        found = shares(shop.cluster, hash_)
        seen.append({host: found[host] for host in ("shop.test", "second.test")})
    return seen


async def without_an_edit(key: str, shop: Shop, hash_: str) -> list[dict[str, float]]:
    if key not in _USUAL:
        _USUAL[key] = await forward(shop.twin(), hash_)
    return _USUAL[key]


def has_ended(shop: Shop) -> bool:
    status, metadata = recall(shop.rollout), shop.rollout["metadata"]
    assert status is not None
    if metadata.get("deletionTimestamp"):
        return not metadata["finalizers"]
    return not under_way(status) and not status.retiring


async def ends(shop: Shop) -> bool:
    """Stop whatever is under way, and let time pass until that is over."""
    shop.command('{"id": "the end", "verb": "abort"}')
    for _ in range(12):
        if has_ended(shop):
            break
        await shop.round()
        shop.clock.move(10)
        shop.eyes.look()
    return has_ended(shop)


@pytest.mark.parametrize(("phase", "field", "value"), CELLS)
async def test_an_edit_promotes_nothing_leaves_nothing_and_says_what_it_waits_for(
    phase: str, field: str, value: Any
) -> None:
    key, shop = await shop_in(phase, field)
    hash_ = shop.status["currentRevision"]["hash"]
    usual = await without_an_edit(key, shop, hash_)

    shop.edit(patch_of(field, value))
    after = await forward(shop, hash_)

    for moment, (new, old) in enumerate(zip(after, usual, strict=True)):
        for host, share in new.items():
            assert share <= old[host] + 1e-9, f"{host} at {moment}: {shop.status['message']}"
    assert shop.status["message"]
    if not await ends(shop):
        assert shop.status["phase"] == "Degraded"
        assert "create it" in shop.status["message"]
    assert routing_objects(shop.cluster) == []
