"""Each pod has its Rollout's label, and those that are older than it get it once."""

from rollouts.model.kinds import HASH_LABEL, JSON, POD, REPLICA_SET, ROLLOUT_LABEL, Ref
from tests.fakes.control_loop import KEY, ControlLoop

ALWAYS = f"app=checkout,{ROLLOUT_LABEL}=checkout"


def labels(loop: ControlLoop) -> list[str | None]:
    """Return what the label says, for each pod and each ReplicaSet's template."""
    pods = [each["metadata"] for each in loop.cluster.select(POD, "shop")]
    sets = loop.cluster.select(REPLICA_SET, "shop")
    templates = [each["spec"]["template"]["metadata"] for each in sets]
    return [each["labels"].get(ROLLOUT_LABEL) for each in (*pods, *templates)]


def names(loop: ControlLoop) -> set[str]:
    return {each["metadata"]["name"] for each in loop.cluster.select(POD, "shop")}


def grow_old(loop: ControlLoop) -> None:
    """Make everything look as a controller left it that knew nothing of the label."""
    nothing: JSON = {"metadata": {"labels": {ROLLOUT_LABEL: None}}}
    for pod in loop.cluster.select(POD, "shop"):
        loop.cluster.edit(Ref(POD, "shop", pod["metadata"]["name"]), nothing)
    for each in loop.cluster.select(REPLICA_SET, "shop"):
        ref = Ref(REPLICA_SET, "shop", each["metadata"]["name"])
        loop.cluster.edit(ref, {**nothing, "spec": {"template": nothing}})
    hash_ = loop.status["stableRevision"]["hash"]
    before = f"app=checkout,{HASH_LABEL}={hash_}"
    loop.cluster.edit(KEY.ref, {"status": {"selector": before}})


async def test_the_selector_is_the_same_from_the_first_pod_to_the_end_of_a_release(
    loop: ControlLoop,
) -> None:
    await loop.deployed()
    seen = {loop.status["selector"]}
    loop.release("shop:2")
    while loop.status["stableRevision"]["number"] != 2:
        await loop.run(1)
        seen.add(loop.status["selector"])
    await loop.run(60)
    assert seen | {loop.status["selector"]} == {ALWAYS}
    assert set(labels(loop)) == {"checkout"}


async def test_after_an_upgrade_living_pods_get_the_label_once_and_none_is_replaced(
    loop: ControlLoop,
) -> None:
    await loop.deployed(replicas=25)
    before, hash_ = names(loop), loop.status["stableRevision"]["hash"]
    grow_old(loop)
    await loop.run(10)
    assert set(labels(loop)) == {"checkout"}
    assert names(loop) == before
    assert loop.status["selector"] == ALWAYS
    assert (loop.status["stableRevision"]["hash"], loop.status["phase"]) == (hash_, "Healthy")
    count = len(loop.cluster.writes)
    await loop.run(120)
    assert len(loop.cluster.writes) == count, "a settled Rollout writes nothing"


async def test_an_upgrade_in_the_middle_of_a_release_waits_for_its_end(loop: ControlLoop) -> None:
    await loop.deployed()
    loop.release("shop:2")
    await loop.until(lambda: loop.status["weights"]["applied"] == 25)
    grow_old(loop)
    await loop.run(3)
    assert loop.status["selector"] == "app=checkout"
    assert "checkout" in labels(loop), "the templates have it at once"
    await loop.until(lambda: loop.status["stableRevision"]["number"] == 2)
    await loop.run(60)
    assert loop.status["selector"] == ALWAYS
