"""The objects that are made, as they are made."""

from rollouts.model.kinds import HASH_LABEL, REPLICA_SET, ROLLOUT_LABEL, SERVICE, Ref
from tests.fakes.kubernetes import canary_weight
from tests.fakes.shop import Shop


async def test_the_replica_set_is_the_template_with_a_hash(shop: Shop) -> None:
    await shop.deployed(minReadySeconds=3)
    hash_ = shop.status["stableRevision"]["hash"]

    made = shop.cluster.get(Ref(REPLICA_SET, "shop", f"checkout-{hash_}"))

    assert made is not None
    assert made["metadata"]["labels"] == {
        "app": "checkout",
        "rollouts.dev/pod-template-hash": hash_,
        "rollouts.dev/revision": "1",
        "rollouts.dev/managed-by": "checkout",
        "rollouts.dev/rollout": "checkout",
    }
    assert made["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "rollouts.dev/v1alpha1",
            "kind": "Rollout",
            "name": "checkout",
            "uid": shop.rollout["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]
    labels = {"app": "checkout", HASH_LABEL: hash_}
    assert made["spec"]["selector"] == {"matchLabels": labels}
    assert made["spec"]["template"]["metadata"]["labels"] == {**labels, ROLLOUT_LABEL: "checkout"}
    assert made["spec"]["minReadySeconds"] == 3
    assert HASH_LABEL not in shop.rollout["spec"]["template"]["metadata"]["labels"]


async def test_the_canary_service_has_the_ports_and_nothing_else_of_the_stable_one(
    shop: Shop,
) -> None:
    await shop.deployed()
    shop.release("shop:2")
    await shop.until(lambda: canary_weight(shop.cluster) == 25)

    made = shop.cluster.get(Ref(SERVICE, "shop", "checkout-canary"))

    assert made is not None
    assert made["spec"] == {
        "type": "ClusterIP",
        "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
        "selector": {"app": "checkout", HASH_LABEL: shop.status["currentRevision"]["hash"]},
    }
    assert "annotations" not in made["metadata"]
    assert made["metadata"]["labels"] == {"rollouts.dev/managed-by": "checkout"}
    assert made["metadata"]["ownerReferences"][0]["name"] == "checkout"


async def test_old_revisions_beyond_the_limit_go(shop: Shop) -> None:
    await shop.deployed(revisionHistoryLimit=1)
    for number in (2, 3, 4):
        shop.release(f"shop:{number}")
        await shop.until(
            lambda number=number: (  # type: ignore[misc]
                shop.status["stableRevision"]["number"] == number and not shop.status["retiring"]
            )
        )
    await shop.run(10)

    kept = sorted(
        each["metadata"]["labels"]["rollouts.dev/revision"]
        for each in shop.cluster.select(REPLICA_SET, "shop")
    )
    assert kept == ["3", "4"]


async def test_a_template_that_was_there_before_gets_a_new_number(shop: Shop) -> None:
    await shop.deployed()
    shop.release("shop:2")
    await shop.until(lambda: shop.status["stableRevision"]["number"] == 2)
    await shop.run(10)
    shop.release("shop:1")

    await shop.until(lambda: shop.status["stableRevision"]["number"] == 3)

    hash_ = shop.status["stableRevision"]["hash"]
    found = shop.cluster.get(Ref(REPLICA_SET, "shop", f"checkout-{hash_}"))
    assert found is not None
    assert found["metadata"]["labels"]["rollouts.dev/revision"] == "3"
