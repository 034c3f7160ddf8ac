"""What is wrong is refused, or said, and touches no traffic; everybody else goes on."""

import copy
from typing import Any

import pytest

from rollouts.model.kinds import HASH_LABEL, JSON, ROLLOUT, SERVICE
from rollouts.model.routers.nginx import INGRESS
from rollouts.sandbox.apiserver.builtins import RESOURCE_QUOTA
from tests.sandbox.releases import manifests
from tests.sandbox.releases.release import Release
from tests.sandbox.releases.sandbox import ReleaseSandbox
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.waiting import served

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]


def broken(path: str, value: Any) -> JSON:
    """Return a Rollout with one field set; numbers in the path are indices."""
    body = copy.deepcopy(manifests.rollout("default", [{"setWeight": 5}]))
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
    sandbox: ReleaseSandbox, path: str, value: object, says: str
) -> None:
    release = Release(sandbox, "default")
    refused = await release.kubectl("apply", "-f", "-", given=broken(path, value))
    assert refused.code == 1
    assert says in refused.err
    assert release.rollout == {}


async def what_slips_past_the_schema_is_said_and_stops_nothing_else(release: Release) -> None:
    await release.deploys(manifests.UNTIL_PROMOTED)
    async with release.traffic() as load:
        release.updates_to("2")
        await release.is_at(50)
        before = release.canary_annotations, release.selects(manifests.STABLE)
        labels = {"spec": {"template": {"metadata": {"labels": {"app": "other"}}}}}
        release.edits(ROLLOUT, manifests.NAME, labels)
        await release.until(lambda: release.condition("InvalidSpec")["status"] == "True")

        said = release.condition("InvalidSpec")
        assert said["reason"] == "InvalidSpec"
        assert "spec.template.metadata.labels: do not match spec.selector" in said["message"]
        assert release.phase == "Degraded"
        await release.until(lambda: release.events("InvalidSpec"))
        log = release.sandbox.controller_log()
        assert any("InvalidSpec" in line and release.namespace in line for line in log.splitlines())

        neighbour = release.sandbox.release("undisturbed")
        await neighbour.deploys([{"setWeight": 50}], successCriteria=[])
        neighbour.updates_to("2")
        await neighbour.is_promoted()
        neighbour.ends()

        assert before == (release.canary_annotations, release.selects(manifests.STABLE))
        release.updates_to("2")
        await release.until(lambda: release.condition("InvalidSpec")["status"] == "False")
        await release.is_at(50)
        release.commands("promote")
        await release.is_promoted()
    assert load.report().lost_reasons == {}


async def a_missing_stable_service_is_waited_for(release: Release) -> None:
    release.create(INGRESS, manifests.ingress(release.namespace))
    release.create(ROLLOUT, release.rollout_body())
    await release.until(lambda: release.phase == "Degraded")
    assert release.condition("Stalled")["status"] == "True"
    assert release.condition("Stalled")["reason"] == "Blocked"
    assert release.message == "Service web does not exist; create it, or correct stableService"
    await release.until(lambda: release.events("Blocked"))

    release.create(SERVICE, manifests.service(release.namespace))
    await release.is_healthy()
    assert HASH_LABEL in release.selects(manifests.STABLE)


async def an_ingress_without_a_rule_for_the_service_holds_a_release(release: Release) -> None:
    host, path = {"host": release.host}, manifests.path("other")
    await release.deploys(successCriteria=[])
    release.edits(
        INGRESS, manifests.NAME, {"spec": {"rules": [{**host, "http": {"paths": [path]}}]}}
    )
    await release.until(lambda: release.condition("Preflight")["status"] == "False")
    assert release.condition("Preflight")["reason"] == "NoRuleForService"
    says = "Ingress web has no rule for Service web: it leads to other"
    assert says in release.condition("Preflight")["message"]

    release.updates_to("2")
    await release.until(
        lambda: release.status.get("currentStepIndex") == 0 and says in release.message
    )
    assert release.get(INGRESS, manifests.CANARY_INGRESS) is None
    rules = [{**host, "http": {"paths": [manifests.path()]}}]
    release.edits(INGRESS, manifests.NAME, {"spec": {"rules": rules}})
    await release.is_promoted()


async def only_the_paths_of_the_service_get_a_canary(release: Release) -> None:
    """Rules without `http`, resource backends and other Services' paths are left alone."""
    bucket = {"apiGroup": "storage.example", "kind": "Bucket", "name": "static"}
    static = {"path": "/static", "pathType": "Prefix", "backend": {"resource": bucket}}
    other = {**manifests.path("other"), "path": "/other"}
    rules: list[JSON] = [
        {"host": f"bare.{release.host}"},
        {"host": f"static.{release.host}", "http": {"paths": [static]}},
        {"host": release.host, "http": {"paths": [static, other, manifests.path()]}},
    ]
    release.create(SERVICE, manifests.service(release.namespace))
    release.create(INGRESS, manifests.ingress(release.namespace, *rules))
    release.create(ROLLOUT, release.rollout_body(manifests.UNTIL_PROMOTED))
    await release.is_healthy()
    await served(release.sandbox.ingress_url, release.host)
    async with release.traffic() as load:
        release.updates_to("2")
        await release.is_at(50)
        canary = release.get(INGRESS, manifests.CANARY_INGRESS)
        assert canary is not None
        assert canary["spec"]["rules"] == [
            {"host": release.host, "http": {"paths": [manifests.path(manifests.CANARY)]}}
        ]
        release.commands("promote")
        await release.is_promoted()
    assert load.report().lost_reasons == {}


async def an_ingress_with_nothing_but_resources_is_said(release: Release) -> None:
    bucket = {"apiGroup": "storage.example", "kind": "Bucket", "name": "static"}
    static = {"path": "/", "pathType": "Prefix", "backend": {"resource": bucket}}
    rule = {"host": release.host, "http": {"paths": [static]}}
    release.create(SERVICE, manifests.service(release.namespace))
    release.create(
        INGRESS, manifests.ingress(release.namespace, rule, {"host": f"bare.{release.host}"})
    )
    release.create(ROLLOUT, release.rollout_body())
    await release.until(lambda: release.phase == "Degraded")
    says = "Ingress web has no rule for Service web: it leads to no Service"
    assert release.message == says
    assert release.condition("Preflight")["reason"] == "NoRuleForService"


async def what_its_pods_are_refused_for_is_said_in_the_api_servers_words(release: Release) -> None:
    """A field that nobody knows, before a pod is made; then a quota that is full."""
    await release.deploys(manifests.UNTIL_PROMOTED, successCriteria=[])
    typo = {"name": "web", "image": "demo:2", "imagePulPolicy": "Always"}
    template = copy.deepcopy(release.rollout["spec"]["template"])
    container = template["spec"]["containers"][0]
    template["spec"]["containers"] = [{**container, **typo}]
    release.edits(ROLLOUT, manifests.NAME, {"spec": {"template": template}})
    says = 'unknown field "spec.template.spec.containers[0].imagePulPolicy"'
    await release.until(lambda: says in release.message)
    assert len(release.replica_sets()) == 1

    pods = str(len(release.pods()))
    quota = {"metadata": {"name": "few", "namespace": release.namespace}}
    release.create(RESOURCE_QUOTA, {**quota, "spec": {"hard": {"pods": pods}}})
    template["spec"]["containers"] = [container]
    release.edits(ROLLOUT, manifests.NAME, {"spec": {"template": template}})
    release.updates_to("3")
    limit = f"used: pods={pods}, limited: pods={pods}"
    says = f"canary pods are available (exceeded quota: few, requested: pods=1, {limit})"
    await release.until(lambda: says in release.message)
    release.removes(RESOURCE_QUOTA, "few")
    await release.is_at(50)


async def a_foreign_ingress_of_the_canary_s_name_is_never_written(release: Release) -> None:
    foreign = manifests.ingress(release.namespace, name=manifests.CANARY_INGRESS)
    foreign["spec"]["rules"][0]["host"] = f"foreign.{release.host}"
    await release.deploys(successCriteria=[])
    release.create(INGRESS, foreign)
    release.updates_to("2")
    says = "Ingress web-web-canary exists and is not this Rollout's; remove or rename it"
    await release.until(
        lambda: release.status.get("currentStepIndex") == 0 and says in release.message
    )
    assert release.condition("Preflight")["reason"] == "CanaryIngressNotOurs"
    found = release.get(INGRESS, manifests.CANARY_INGRESS)
    assert found is not None
    assert found["spec"] == foreign["spec"]
    assert [
        each.name
        for each in release.sandbox.audit.writes(release.namespace)
        if each.resource == "ingresses"
    ] == []

    release.removes(INGRESS, manifests.CANARY_INGRESS)
    await release.is_promoted()


@pytest.mark.parametrize(
    "scenario",
    [
        what_slips_past_the_schema_is_said_and_stops_nothing_else,
        a_missing_stable_service_is_waited_for,
        an_ingress_without_a_rule_for_the_service_holds_a_release,
        only_the_paths_of_the_service_get_a_canary,
        an_ingress_with_nothing_but_resources_is_said,
        what_its_pods_are_refused_for_is_said_in_the_api_servers_words,
        a_foreign_ingress_of_the_canary_s_name_is_never_written,
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
