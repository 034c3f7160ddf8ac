"""What is wrong is refused, or said, and touches no traffic; everybody else goes on."""

import copy
from typing import Any

import pytest

from rollouts.model.kinds import HASH_LABEL, INGRESS, JSON, ROLLOUT, SERVICE
from tests.sandbox.releases import goods
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.sandbox.releases.shop import Shop
from tests.sandbox.releases.town import Town

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]


def broken(path: str, value: Any) -> JSON:
    """Return a Rollout with one field set; numbers in the path are indices."""
    body = copy.deepcopy(goods.rollout("default", [{"setWeight": 5}]))
    *parents, last = path.split(".")
    found: Any = body["spec"]
    for part in parents:
        found = found[int(part)] if part.isdigit() else found[part]
    found[last] = value
    return body


CANARY = "strategy.canary"
REFUSALS = {
    "an-unknown-field": ("replicaz", 3, 'unknown field "spec.replicaz"'),
    "an-unknown-field-in-depth": (
        f"{CANARY}.trafficRouting.nginx.stableIngres",
        "x",
        'unknown field "spec.strategy.canary.trafficRouting.nginx.stableIngres"',
    ),
    "a-wrong-type": ("replicas", "three", "spec.replicas: Invalid value"),
    "weight-130": (f"{CANARY}.steps.0.setWeight", 130, "spec.strategy.canary.steps[0].setWeight"),
    "two-strategies": (
        "strategy.blueGreen",
        {"activeService": "web"},
        "spec.strategy: Invalid value",
    ),
    "template-and-workload": (
        "workloadRef",
        {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "spec: Invalid value",
    ),
    "a-step-of-two-kinds": (
        f"{CANARY}.steps.0.pause",
        {},
        "spec.strategy.canary.steps[0]: Invalid value",
    ),
    "no-limit": ("successCriteria", [{"name": "x"}], "spec.successCriteria[0]: Invalid value"),
}


@pytest.mark.parametrize(("path", "value", "says"), REFUSALS.values(), ids=REFUSALS)
async def test_kubectl_is_refused_with_the_field(
    town: Town, path: str, value: object, says: str
) -> None:
    shop = Shop(town, "default")
    refused = await shop.kubectl("apply", "-f", "-", given=broken(path, value))
    assert refused.code == 1
    assert says in refused.err
    assert shop.rollout == {}


async def what_slips_past_the_schema_is_said_and_stops_nothing_else(shop: Shop) -> None:
    await shop.opens(goods.UNTIL_PROMOTED)
    async with shop.customers() as load:
        shop.releases("2")
        await shop.is_at(50)
        before = shop.canary_annotations, shop.selects(goods.STABLE)
        labels = {"spec": {"template": {"metadata": {"labels": {"app": "other"}}}}}
        shop.edits(ROLLOUT, goods.NAME, labels)
        await shop.until(lambda: shop.condition("InvalidSpec")["status"] == "True")

        said = shop.condition("InvalidSpec")
        assert said["reason"] == "InvalidSpec"
        assert "spec.template.metadata.labels: do not match spec.selector" in said["message"]
        assert shop.phase == "Degraded"
        await shop.until(lambda: shop.events("InvalidSpec"))
        log = shop.town.controller_log()
        assert any("InvalidSpec" in line and shop.namespace in line for line in log.splitlines())

        neighbour = shop.town.shop("undisturbed")
        await neighbour.opens([{"setWeight": 50}], successCriteria=[])
        neighbour.releases("2")
        await neighbour.is_promoted()
        neighbour.closes()

        assert before == (shop.canary_annotations, shop.selects(goods.STABLE))
        shop.releases("2")
        await shop.until(lambda: shop.condition("InvalidSpec")["status"] == "False")
        await shop.is_at(50)
        shop.commands("promote")
        await shop.is_promoted()
    assert load.report().lost_reasons == {}


async def a_missing_stable_service_is_waited_for(shop: Shop) -> None:
    shop.create(INGRESS, goods.ingress(shop.namespace))
    shop.create(ROLLOUT, shop.rollout_body())
    await shop.until(lambda: shop.phase == "Degraded")
    assert shop.condition("Stalled")["status"] == "True"
    assert shop.condition("Stalled")["reason"] == "Blocked"
    assert shop.message == "Service web does not exist; create it, or correct stableService"
    await shop.until(lambda: shop.events("Blocked"))

    shop.create(SERVICE, goods.service(shop.namespace))
    await shop.is_healthy()
    assert HASH_LABEL in shop.selects(goods.STABLE)


async def an_ingress_without_a_rule_for_the_service_holds_a_release(shop: Shop) -> None:
    host, path = {"host": shop.host}, goods.path("other")
    await shop.opens(successCriteria=[])
    shop.edits(INGRESS, goods.NAME, {"spec": {"rules": [{**host, "http": {"paths": [path]}}]}})
    await shop.until(lambda: shop.condition("Preflight")["status"] == "False")
    assert shop.condition("Preflight")["reason"] == "NoRuleForService"
    says = "Ingress web has no rule for Service web: it leads to other"
    assert says in shop.condition("Preflight")["message"]

    shop.releases("2")
    await shop.until(lambda: shop.status.get("currentStepIndex") == 0 and says in shop.message)
    assert shop.get(INGRESS, goods.CANARY_INGRESS) is None
    rules = [{**host, "http": {"paths": [goods.path()]}}]
    shop.edits(INGRESS, goods.NAME, {"spec": {"rules": rules}})
    await shop.is_promoted()


async def only_the_paths_of_the_service_get_a_canary(shop: Shop) -> None:
    """Rules without `http`, resource backends and other Services' paths are left alone."""
    bucket = {"apiGroup": "storage.example", "kind": "Bucket", "name": "static"}
    static = {"path": "/static", "pathType": "Prefix", "backend": {"resource": bucket}}
    other = {**goods.path("other"), "path": "/other"}
    rules: list[JSON] = [
        {"host": f"bare.{shop.host}"},
        {"host": f"static.{shop.host}", "http": {"paths": [static]}},
        {"host": shop.host, "http": {"paths": [static, other, goods.path()]}},
    ]
    shop.create(SERVICE, goods.service(shop.namespace))
    shop.create(INGRESS, goods.ingress(shop.namespace, *rules))
    shop.create(ROLLOUT, shop.rollout_body(goods.UNTIL_PROMOTED))
    await shop.is_healthy()
    async with shop.customers() as load:
        shop.releases("2")
        await shop.is_at(50)
        canary = shop.get(INGRESS, goods.CANARY_INGRESS)
        assert canary is not None
        assert canary["spec"]["rules"] == [
            {"host": shop.host, "http": {"paths": [goods.path(goods.CANARY)]}}
        ]
        shop.commands("promote")
        await shop.is_promoted()
    assert load.report().lost_reasons == {}


async def an_ingress_with_nothing_but_resources_is_said(shop: Shop) -> None:
    bucket = {"apiGroup": "storage.example", "kind": "Bucket", "name": "static"}
    static = {"path": "/", "pathType": "Prefix", "backend": {"resource": bucket}}
    rule = {"host": shop.host, "http": {"paths": [static]}}
    shop.create(SERVICE, goods.service(shop.namespace))
    shop.create(INGRESS, goods.ingress(shop.namespace, rule, {"host": f"bare.{shop.host}"}))
    shop.create(ROLLOUT, shop.rollout_body())
    await shop.until(lambda: shop.phase == "Degraded")
    says = "Ingress web has no rule for Service web: it leads to no Service"
    assert shop.message == says
    assert shop.condition("Preflight")["reason"] == "NoRuleForService"


async def a_foreign_ingress_of_the_canary_s_name_is_never_written(shop: Shop) -> None:
    foreign = goods.ingress(shop.namespace, name=goods.CANARY_INGRESS)
    foreign["spec"]["rules"][0]["host"] = f"foreign.{shop.host}"
    await shop.opens(successCriteria=[])
    shop.create(INGRESS, foreign)
    shop.releases("2")
    says = "Ingress web-web-canary exists and is not this Rollout's; remove or rename it"
    await shop.until(lambda: shop.status.get("currentStepIndex") == 0 and says in shop.message)
    assert shop.condition("Preflight")["reason"] == "CanaryIngressNotOurs"
    found = shop.get(INGRESS, goods.CANARY_INGRESS)
    assert found is not None
    assert found["spec"] == foreign["spec"]
    assert [
        each.name for each in shop.town.audit.writes(shop.namespace) if each.resource == "ingresses"
    ] == []

    shop.removes(INGRESS, goods.CANARY_INGRESS)
    await shop.is_promoted()


@pytest.mark.parametrize(
    "scenario",
    [
        what_slips_past_the_schema_is_said_and_stops_nothing_else,
        a_missing_stable_service_is_waited_for,
        an_ingress_without_a_rule_for_the_service_holds_a_release,
        only_the_paths_of_the_service_get_a_canary,
        an_ingress_with_nothing_but_resources_is_said,
        a_foreign_ingress_of_the_canary_s_name_is_never_written,
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
