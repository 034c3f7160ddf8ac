"""Each pod has its Rollout's label, and those that are older than it get it once."""

from rollouts.model.kinds import HASH_LABEL, JSON, POD, REPLICA_SET, ROLLOUT_LABEL, Ref
from tests.fakes.shop import KEY, Shop

ALWAYS = f"app=checkout,{ROLLOUT_LABEL}=checkout"


def labels(shop: Shop) -> list[str | None]:
    """Return what the label says, for each pod and each ReplicaSet's template."""
    pods = [each["metadata"] for each in shop.cluster.select(POD, "shop")]
    sets = shop.cluster.select(REPLICA_SET, "shop")
    templates = [each["spec"]["template"]["metadata"] for each in sets]
    return [each["labels"].get(ROLLOUT_LABEL) for each in (*pods, *templates)]


def names(shop: Shop) -> set[str]:
    return {each["metadata"]["name"] for each in shop.cluster.select(POD, "shop")}


def grow_old(shop: Shop) -> None:
    """Make everything look as a controller left it that knew nothing of the label."""
    nothing: JSON = {"metadata": {"labels": {ROLLOUT_LABEL: None}}}
    for pod in shop.cluster.select(POD, "shop"):
        shop.cluster.edit(Ref(POD, "shop", pod["metadata"]["name"]), nothing)
    for each in shop.cluster.select(REPLICA_SET, "shop"):
        ref = Ref(REPLICA_SET, "shop", each["metadata"]["name"])
        shop.cluster.edit(ref, {**nothing, "spec": {"template": nothing}})
    hash_ = shop.status["stableRevision"]["hash"]
    before = f"app=checkout,{HASH_LABEL}={hash_}"
    shop.cluster.edit(KEY.ref, {"status": {"selector": before}})


async def test_the_selector_is_the_same_from_the_first_pod_to_the_end_of_a_release(
    shop: Shop,
) -> None:
    await shop.deployed()
    seen = {shop.status["selector"]}
    shop.release("shop:2")
    while shop.status["stableRevision"]["number"] != 2:
        await shop.run(1)
        seen.add(shop.status["selector"])
    await shop.run(60)
    assert seen | {shop.status["selector"]} == {ALWAYS}
    assert set(labels(shop)) == {"checkout"}


async def test_after_an_upgrade_living_pods_get_the_label_once_and_none_is_replaced(
    shop: Shop,
) -> None:
    await shop.deployed(replicas=25)
    before, hash_ = names(shop), shop.status["stableRevision"]["hash"]
    grow_old(shop)
    await shop.run(10)
    assert set(labels(shop)) == {"checkout"}
    assert names(shop) == before
    assert shop.status["selector"] == ALWAYS
    assert (shop.status["stableRevision"]["hash"], shop.status["phase"]) == (hash_, "Healthy")
    count = len(shop.cluster.writes)
    await shop.run(120)
    assert len(shop.cluster.writes) == count, "a settled Rollout writes nothing"


async def test_an_upgrade_in_the_middle_of_a_release_waits_for_its_end(shop: Shop) -> None:
    await shop.deployed()
    shop.release("shop:2")
    await shop.until(lambda: shop.status["weights"]["applied"] == 25)
    grow_old(shop)
    await shop.run(3)
    assert shop.status["selector"] == "app=checkout"
    assert "checkout" in labels(shop), "the templates have it at once"
    await shop.until(lambda: shop.status["stableRevision"]["number"] == 2)
    await shop.run(60)
    assert shop.status["selector"] == ALWAYS
