"""A template in another writing is the same revision."""

from rollouts.model.kinds import REPLICA_SET
from tests.fakes.shop import Shop


async def test_a_template_that_is_written_in_another_way_is_no_release(shop: Shop) -> None:
    await shop.deployed()
    first = shop.status["currentRevision"]
    (container,) = shop.rollout["spec"]["template"]["spec"]["containers"]
    pod = {"containers": [{**container, "resources": {}}], "volumes": [], "nodeSelector": {}}
    shop.edit({"spec": {"template": {"spec": pod}}})
    await shop.run(5)
    assert shop.status["currentRevision"] == first
    assert shop.status["phase"] == "Healthy"
    assert len(shop.cluster.select(REPLICA_SET, "shop")) == 1
    writes = len(shop.cluster.writes)
    await shop.run(5)
    assert len(shop.cluster.writes) == writes


async def test_a_revision_that_is_released_again_in_another_writing_is_the_same_one(
    shop: Shop,
) -> None:
    await shop.deployed()
    hash_ = shop.status["currentRevision"]["hash"]
    shop.release("shop:2")
    await shop.until(lambda: shop.status["currentRevision"]["number"] == 2)
    shop.release("shop:1")
    shop.edit({"spec": {"template": {"spec": {"tolerations": []}}}})
    await shop.run(5)
    assert shop.status["currentRevision"]["hash"] == hash_
    assert len(shop.cluster.select(REPLICA_SET, "shop")) == 2
