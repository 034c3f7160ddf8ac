"""A template in another writing is the same revision."""

from rollouts.model.kinds import REPLICA_SET
from tests.fakes.control_loop import ControlLoop


async def test_a_template_that_is_written_in_another_way_is_no_release(loop: ControlLoop) -> None:
    await loop.deployed()
    first = loop.status["currentRevision"]
    (container,) = loop.rollout["spec"]["template"]["spec"]["containers"]
    pod = {"containers": [{**container, "resources": {}}], "volumes": [], "nodeSelector": {}}
    loop.edit({"spec": {"template": {"spec": pod}}})
    await loop.run(5)
    assert loop.status["currentRevision"] == first
    assert loop.status["phase"] == "Healthy"
    assert len(loop.cluster.select(REPLICA_SET, "shop")) == 1
    writes = len(loop.cluster.writes)
    await loop.run(5)
    assert len(loop.cluster.writes) == writes


async def test_a_revision_that_is_released_again_in_another_writing_is_the_same_one(
    loop: ControlLoop,
) -> None:
    await loop.deployed()
    hash_ = loop.status["currentRevision"]["hash"]
    loop.release("shop:2")
    await loop.until(lambda: loop.status["currentRevision"]["number"] == 2)
    loop.release("shop:1")
    loop.edit({"spec": {"template": {"spec": {"tolerations": []}}}})
    await loop.run(5)
    assert loop.status["currentRevision"]["hash"] == hash_
    assert len(loop.cluster.select(REPLICA_SET, "shop")) == 2
