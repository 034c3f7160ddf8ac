"""The objects that are made, as they are made."""

from rollouts.model.kinds import HASH_LABEL, REPLICA_SET, ROLLOUT_LABEL, SERVICE, Ref
from tests.fakes.control_loop import ControlLoop
from tests.fakes.kubernetes import canary_weight


async def test_the_replica_set_is_the_template_with_a_hash(loop: ControlLoop) -> None:
    await loop.deployed(minReadySeconds=3)
    hash_ = loop.status["stableRevision"]["hash"]

    made = loop.cluster.get(Ref(REPLICA_SET, "shop", f"checkout-{hash_}"))

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
            "uid": loop.rollout["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]
    labels = {"app": "checkout", HASH_LABEL: hash_}
    assert made["spec"]["selector"] == {"matchLabels": labels}
    assert made["spec"]["template"]["metadata"]["labels"] == {**labels, ROLLOUT_LABEL: "checkout"}
    assert made["spec"]["minReadySeconds"] == 3
    assert HASH_LABEL not in loop.rollout["spec"]["template"]["metadata"]["labels"]


async def test_the_canary_service_has_the_ports_and_nothing_else_of_the_stable_one(
    loop: ControlLoop,
) -> None:
    await loop.deployed()
    loop.release("shop:2")
    await loop.until(lambda: canary_weight(loop.cluster) == 25)

    made = loop.cluster.get(Ref(SERVICE, "shop", "checkout-canary"))

    assert made is not None
    assert made["spec"] == {
        "type": "ClusterIP",
        "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
        "selector": {"app": "checkout", HASH_LABEL: loop.status["currentRevision"]["hash"]},
    }
    assert "annotations" not in made["metadata"]
    assert made["metadata"]["labels"] == {"rollouts.dev/managed-by": "checkout"}
    assert made["metadata"]["ownerReferences"][0]["name"] == "checkout"


async def test_old_revisions_beyond_the_limit_go(loop: ControlLoop) -> None:
    await loop.deployed(revisionHistoryLimit=1)
    for number in (2, 3, 4):
        loop.release(f"shop:{number}")
        await loop.until(
            lambda number=number: (  # type: ignore[misc]
                loop.status["stableRevision"]["number"] == number and not loop.status["retiring"]
            )
        )
    await loop.run(10)

    kept = sorted(
        each["metadata"]["labels"]["rollouts.dev/revision"]
        for each in loop.cluster.select(REPLICA_SET, "shop")
    )
    assert kept == ["3", "4"]


async def test_a_template_that_was_there_before_gets_a_new_number(loop: ControlLoop) -> None:
    await loop.deployed()
    loop.release("shop:2")
    await loop.until(lambda: loop.status["stableRevision"]["number"] == 2)
    await loop.run(10)
    loop.release("shop:1")

    await loop.until(lambda: loop.status["stableRevision"]["number"] == 3)

    hash_ = loop.status["stableRevision"]["hash"]
    found = loop.cluster.get(Ref(REPLICA_SET, "shop", f"checkout-{hash_}"))
    assert found is not None
    assert found["metadata"]["labels"]["rollouts.dev/revision"] == "3"
