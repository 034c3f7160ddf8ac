"""Services that are changed between two releases, with users: none of them notices."""

from typing import Any

import pytest

from rollouts.model.kinds import HASH_LABEL, INGRESS, JSON, ROLLOUT, SERVICE
from tests.sandbox.releases import goods
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.sandbox.releases.shop import Shop
from tests.sandbox.releases.switching import by_replicas, template

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

WEB: JSON = {"name": "web", "port": 81, "targetPort": "http"}


def ports(shop: Shop, service: str) -> list[str]:
    found = shop.get(SERVICE, service) or {"spec": {"ports": []}}
    return [port["name"] for port in found["spec"]["ports"]]


async def another_port_of_the_stable_service_is_the_canarys_too(shop: Shop) -> None:
    await shop.opens(goods.FOUR_STEPS)
    async with shop.customers(50) as load:
        shop.releases("2")
        await shop.is_promoted()
        both = [*goods.service(shop.namespace)["spec"]["ports"], WEB]
        shop.edits(SERVICE, goods.STABLE, {"spec": {"ports": both}})
        await shop.until(lambda: ports(shop, goods.CANARY) == ["http", "web"], "both ports")
        path = goods.path()
        path["backend"]["service"]["port"] = {"name": "web"}
        rule: JSON = {"host": shop.host, "http": {"paths": [path]}}
        shop.edits(INGRESS, goods.NAME, {"spec": {"rules": [rule]}})
        await shop.serves(load, 100)
        shop.edits(SERVICE, goods.STABLE, {"spec": {"ports": [WEB]}})

        shop.releases("3")
        await shop.is_at(50)
        await shop.answers(load, "3")
        await shop.is_promoted(3)
    assert ports(shop, goods.CANARY) == ["web"]
    assert load.report().lost_reasons == {}
    assert load.report().failed == 0


async def the_router_is_taken_out_by_the_commit_that_releases(shop: Shop) -> None:
    await shop.opens(goods.FOUR_STEPS, replicas=4, template=template("1"))
    assert HASH_LABEL in shop.selects(goods.STABLE)
    strategy: dict[str, Any] = by_replicas(25, 50)
    strategy["canary"] |= {"stableService": None, "trafficRouting": None}
    change = {"strategy": strategy, "template": template("2"), "successCriteria": None}
    async with shop.customers(50) as load:
        shop.edits(ROLLOUT, goods.NAME, {"spec": change})
        await shop.until(lambda: shop.status["weights"]["applied"] == 50, "half of the pods")
        await shop.answers(load, "2")
        await shop.is_promoted()
        await shop.serves(load, 50)
    assert HASH_LABEL not in shop.selects(goods.STABLE)
    assert len(shop.events("ServiceGivenBack")) == 1
    assert load.report().lost_reasons == {}
    assert load.report().failed == 0


@pytest.mark.parametrize(
    "scenario",
    [
        another_port_of_the_stable_service_is_the_canarys_too,
        the_router_is_taken_out_by_the_commit_that_releases,
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
