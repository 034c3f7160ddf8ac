"""A spec that is invalid from the beginning, or becomes so while its release is under way."""

import pytest

from rollouts.model.kinds import EVENT
from tests.fakes.kubernetes import canary_weight
from tests.fakes.shop import Shop


async def test_an_invalid_spec_is_said_once_and_touches_no_traffic(shop: Shop) -> None:
    await shop.deployed()
    shop.release("shop:2")
    await shop.until(lambda: canary_weight(shop.cluster) == 25)
    shop.cluster.writes.clear()
    shop.edit({"spec": {"replicaz": 3}})

    await shop.run(60)

    conditions = {each["type"]: each for each in shop.status["conditions"]}
    assert conditions["InvalidSpec"]["status"] == "True"
    assert "spec.replicaz: unknown field; did you mean replicas?" in shop.status["message"]
    assert shop.status["phase"] == "Degraded"
    assert canary_weight(shop.cluster) == 25
    assert len(shop.cluster.writes) <= 3  # status and events
    (said,) = [
        each for each in shop.cluster.select(EVENT, "shop") if each["reason"] == "InvalidSpec"
    ]
    assert (said["type"], said["count"]) == ("Warning", 1)
    assert "spec.replicaz" in said["message"]
    shop.edit({"spec": {"replicaz": None}})
    await shop.until(lambda: "Promoted" in shop.reasons())


@pytest.mark.parametrize("why", ["abort", "failures"])
async def test_a_release_whose_spec_became_invalid_can_still_be_rolled_back(
    shop: Shop, why: str
) -> None:
    await shop.deployed()
    shop.release("shop:2")
    await shop.until(lambda: canary_weight(shop.cluster) == 25)
    shop.edit({"spec": {"replicaz": 3}})
    await shop.run(5)
    if why == "abort":
        shop.command('{"id": "1", "verb": "abort", "by": "me"}')
    else:
        shop.eyes.failures = 80
    await shop.run(3)
    assert canary_weight(shop.cluster) == 0
    conditions = {each["type"]: each["status"] for each in shop.status["conditions"]}
    assert conditions["InvalidSpec"] == "True"
    assert conditions["Aborted"] == "True"
