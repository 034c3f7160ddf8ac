"""A live Deployment becomes a Rollout's, is released, and is given back: no request is lost."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from rollouts.core.workload import DETACH
from rollouts.model.kinds import DEPLOYMENT, HASH_LABEL, INGRESS, JSON, ROLLOUT, SERVICE
from tests.sandbox.releases import goods
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.sandbox.releases.shop import Shop

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

EXAMPLE = Path(__file__).parents[3] / "examples" / "adopt-deployment.yaml"
REPLICAS = 2


def deployment(namespace: str) -> JSON:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": goods.metadata(namespace),
        "spec": {
            "replicas": REPLICAS,
            "selector": {"matchLabels": goods.LABELS},
            "template": goods.template("1"),
        },
    }


def adopting(namespace: str, strategy: JSON, scale_down: str = "onSuccess", **spec: Any) -> JSON:
    """Return the Rollout that takes the Deployment's place."""
    body = goods.rollout(namespace, [], successCriteria=[], **spec)
    del body["spec"]["template"]
    del body["spec"]["selector"]
    reference = {"name": goods.NAME, "scaleDown": scale_down}
    body["spec"] |= {"workloadRef": reference, "strategy": strategy}
    return body


def example(shop: Shop) -> dict[str, JSON]:
    """Return what the example says, by kind, for the shop's host."""
    found = {each["kind"]: each for each in yaml.safe_load_all(EXAMPLE.read_text())}
    found["Ingress"]["spec"]["rules"][0]["host"] = shop.host
    return found


async def opens_with_a_deployment(shop: Shop, *given: JSON) -> None:
    """Have a Service, an Ingress and a Deployment that is reached through them."""
    ours = deployment(shop.namespace)
    usual = (goods.service(shop.namespace), goods.ingress(shop.namespace), ours)
    for each in given or usual:
        applied = await shop.kubectl("apply", "-f", "-", given=each)
        assert applied.code == 0, applied.err
    await shop.until(lambda: workload(shop)["status"].get("availableReplicas") == REPLICAS)
    async with shop.customers() as first:
        await shop.until(lambda: first.report().succeeded > 0)


async def is_adopted(shop: Shop, rollout: JSON) -> None:
    applied = await shop.kubectl("apply", "-f", "-", given=rollout)
    assert applied.code == 0, applied.err
    await shop.until(lambda: workload(shop)["spec"]["replicas"] == 0, "the Deployment's pods gone")
    await shop.is_healthy()
    await shop.until(
        lambda: all(HASH_LABEL in pod["metadata"]["labels"] for pod in living(shop)), "ours alone"
    )


async def is_released(shop: Shop, image: str) -> None:
    container = goods.container("")["name"]
    said = await shop.kubectl("set", "image", f"deployment/{goods.NAME}", f"{container}={image}")
    assert said.code == 0, said.err
    await shop.until(lambda: shop.status["stableRevision"]["images"] == [image], f"{image} stable")


def workload(shop: Shop) -> JSON:
    return shop.get(DEPLOYMENT, goods.NAME) or {"spec": {}, "status": {}}


def living(shop: Shop) -> list[JSON]:
    return [pod for pod in shop.pods() if not pod["metadata"].get("deletionTimestamp")]


async def is_as_before(shop: Shop, selector: dict[str, str], image: str) -> None:
    """Wait until nothing is left of the Rollout, and the Deployment serves."""
    await shop.until(lambda: shop.get(ROLLOUT, goods.NAME) is None, "the Rollout gone")
    await shop.until(
        lambda: (
            not [set_ for set_ in shop.replica_sets() if HASH_LABEL in set_["metadata"]["labels"]]
        )
    )
    await shop.until(lambda: len(living(shop)) == REPLICAS)
    assert shop.selects(goods.STABLE) == selector
    assert shop.get(SERVICE, goods.CANARY) is None
    assert shop.get(INGRESS, goods.CANARY_INGRESS) is None
    found = workload(shop)
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == image
    assert found["status"]["availableReplicas"] == REPLICAS


async def a_deployment_is_adopted_released_and_detached_under_traffic(shop: Shop) -> None:
    """As the example has it."""
    given = example(shop)
    await opens_with_a_deployment(
        shop, *(given[kind] for kind in ("Service", "Ingress", "Deployment"))
    )
    before = shop.selects(goods.STABLE)
    async with shop.customers(50) as load:
        await shop.serves(load, 50)
        await is_adopted(shop, given["Rollout"])
        await is_released(shop, "demo/web:2")
        shown = await shop.rollouts("get")
        assert shown.out.count(f"{goods.NAME}-{shop.status['stableRevision']['hash']}") > REPLICAS
        detached = await shop.rollouts("detach", "--timeout", "60s")
        assert detached.code == 0, detached.err
        assert f"Deployment {goods.NAME} has {REPLICAS} of {REPLICAS} pods" in detached.out
        await is_as_before(shop, before, "demo/web:2")
        await shop.serves(load, 100)
    shop.removes(DEPLOYMENT, goods.NAME)
    assert load.report().lost_reasons == {}


async def a_release_under_way_is_given_back_as_it_was(shop: Shop) -> None:
    """Progressively adopted, and deleted in the middle of a canary."""
    await opens_with_a_deployment(shop)
    before = shop.selects(goods.STABLE)
    strategy = goods.strategy(goods.UNTIL_PROMOTED)
    rollout = adopting(shop.namespace, strategy, "progressively", revertOnDeletion=True)
    async with shop.customers(50) as load:
        await is_adopted(shop, rollout)
        waiting = asyncio.create_task(
            shop.rollouts("set-image", f"{goods.container('')['name']}=demo/web:2", "--wait")
        )
        await shop.is_at(50)
        await shop.serves(load, 50)
        gone = await shop.kubectl("delete", "rollout", goods.NAME, "--wait=false")
        assert gone.code == 0, gone.err
        await is_as_before(shop, before, "demo/web:1")
        waited = await waiting
        assert waited.code == 1, "it was rolled back"
        await shop.serves(load, 50)
    shop.removes(DEPLOYMENT, goods.NAME)
    assert load.report().lost_reasons == {}


async def a_deployment_is_adopted_without_a_router(shop: Shop) -> None:
    await opens_with_a_deployment(shop)
    before = shop.selects(goods.STABLE)
    canary = {"steps": [{"setWeight": 50}, {"pause": {"duration": "1s"}}]}
    strategy = {"canary": {**canary, "scaleDownDelaySeconds": 1}}
    async with shop.customers(50) as load:
        await is_adopted(shop, adopting(shop.namespace, strategy))
        assert shop.selects(goods.STABLE) == before
        await is_released(shop, "demo/web:2")
        shop.edits(ROLLOUT, goods.NAME, {"metadata": {"finalizers": [DETACH]}})
        shop.removes(ROLLOUT, goods.NAME)
        await is_as_before(shop, before, "demo/web:2")
        await shop.serves(load, 50)
    shop.removes(DEPLOYMENT, goods.NAME)
    assert load.report().lost_reasons == {}


@pytest.mark.parametrize(
    "scenario",
    [
        a_deployment_is_adopted_released_and_detached_under_traffic,
        a_release_under_way_is_given_back_as_it_was,
        a_deployment_is_adopted_without_a_router,
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
