"""Selectors that ask for the label of stable, and those that can't have it."""

import pytest

from rollouts.model.kinds import DEPLOYMENT, HASH_LABEL, JSON, STABLE, STABLE_LABEL
from tests.unit.controller.preflight.namespace import (
    ADOPTED,
    CANARY,
    findings,
    message,
    named,
    reasons,
    rollout,
    service,
    template,
    with_metadata,
)

ASKS: JSON = {STABLE_LABEL: STABLE}
BLUE_GREEN = {"blueGreen": {"activeService": "checkout"}}
BY_PODS: JSON = {"canary": {"steps": []}}
APPLIED: JSON = {
    "manager": "kustomize-controller",
    "operation": "Apply",
    "fieldsV1": {"f:spec": {"f:selector": {}}},
}


def asking(name: str = "checkout", **selector: str) -> JSON:
    return service(name, selector={"app": "checkout", **ASKS, **selector})


@pytest.mark.parametrize("strategy", [{"canary": CANARY}, BLUE_GREEN])
def test_it_is_in_order_and_no_tool_puts_it_back(strategy: JSON) -> None:
    of = rollout(strategy=strategy)
    assert reasons(asking(), of=of) == []
    applied = with_metadata(asking(), managedFields=[APPLIED])
    assert reasons(applied, of=of) == []
    early = {"stableMetadata": {"labels": ASKS}}
    both = {name: {**fields, **early} for name, fields in strategy.items()}
    assert reasons(asking(), of=rollout(strategy=both)) == []


def test_who_is_in_the_way_of_a_tool_hears_of_it() -> None:
    told = message("AppliedByTool", with_metadata(service(), managedFields=[APPLIED]))
    assert f'or give it {STABLE_LABEL}: "true" in spec.selector' in told


def test_others_pods_without_the_label_are_none_of_its() -> None:
    other = named(
        DEPLOYMENT, "other", {"template": template(), "selector": {"matchLabels": {"app": "x"}}}
    )
    assert "SelectsOthers" in reasons(service(), other)
    assert reasons(asking(), other) == []


def test_a_canary_service_has_none_of_it() -> None:
    found = findings(asking(), asking("checkout-canary"))
    assert [(each.reason, each.is_blocking) for each in found] == [("StableLabelMisplaced", True)]
    assert "Service checkout-canary asks for rollouts.dev/stable" in found[0].message
    assert "take it out" in found[0].message


def test_it_has_one_value() -> None:
    told = message(
        "StableLabelMisplaced", service(selector={"app": "checkout", STABLE_LABEL: "yes"})
    )
    assert told.endswith('with the value yes, which no pod has: write "true"')


def test_alone_it_selects_everybodys_pods() -> None:
    told = message("SelectsOthers", service(selector=ASKS))
    assert "the stable pods of every Rollout" in told


def test_beside_a_deployment_it_is_not_moved() -> None:
    for labels, blocks in ({}, True), (ASKS, False):
        pods = template()
        pods["metadata"]["labels"] |= labels
        deployment = named(
            DEPLOYMENT,
            "legacy",
            {"replicas": 3, "template": pods, "selector": {"matchLabels": {"app": "checkout"}}},
        )
        found = findings(asking(), deployment, of=rollout(ADOPTED))
        told = [each for each in found if each.reason == "StableLabelMisplaced"]
        assert [each.is_blocking for each in told] == [blocks]
        assert "beside workloadRef" in told[0].message


def test_by_pods_nobody_has_the_label() -> None:
    told = message("StableLabelMisplaced", asking(), of=rollout(strategy=BY_PODS))
    assert "without trafficRouting no pod is given that label" in told
    other = service("another", selector={"app": "another", **ASKS})
    assert reasons(other, of=rollout(strategy=BY_PODS)) == []


@pytest.mark.parametrize("strategy", [{"canary": CANARY}, BLUE_GREEN])
def test_a_second_service_has_no_pod_where_the_one_that_is_named_does_not_ask(
    strategy: JSON,
) -> None:
    of, second = rollout(strategy=strategy), asking("internal")
    told = message("StableLabelMisplaced", service(), second, of=of)
    assert "Service internal asks for rollouts.dev/stable" in told
    assert "no pod is given that label as long as Service checkout" in told
    assert told.endswith("take it out, or ask for it there, too")
    assert reasons(asking(), second, of=of) == []
    early = {"stableMetadata": {"labels": ASKS}}
    both = {name: {**fields, **early} for name, fields in strategy.items()}
    assert reasons(service(), second, of=rollout(strategy=both)) == []
    assert reasons(second, of=of) == ["ServiceNotFound"]
    others = service("internal", selector={"app": "another", **ASKS})
    assert reasons(service(), others, of=of) == []


def test_our_key_beside_it_is_on_its_way_out() -> None:
    assert reasons(asking(**{HASH_LABEL: "abc"})) == []
