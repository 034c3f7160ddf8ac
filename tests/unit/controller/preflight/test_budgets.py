"""PodDisruptionBudgets that can't work."""

import pytest

from rollouts.controller.preflight.budgets import selects
from rollouts.model.kinds import DISRUPTION_BUDGET, HASH_LABEL, JSON
from tests.unit.controller.preflight.namespace import autoscaler, message, named, reasons, rollout

APP: JSON = {"matchLabels": {"app": "checkout"}}


def budget(name: str = "pdb", selector: JSON | None = None, **spec: object) -> JSON:
    return named(DISRUPTION_BUDGET, name, {"selector": selector or APP, **spec})


@pytest.mark.parametrize(
    ("rule", "replicas", "forbids"),
    [
        ({"minAvailable": 3}, 3, True),
        ({"minAvailable": 4}, 3, True),
        ({"minAvailable": 2}, 3, False),
        ({"minAvailable": "100%"}, 3, True),
        ({"minAvailable": "67%"}, 3, True),
        ({"minAvailable": "66%"}, 3, False),
        ({"maxUnavailable": 0}, 3, True),
        ({"maxUnavailable": "0%"}, 3, True),
        ({"maxUnavailable": "1%"}, 3, False),
        ({"maxUnavailable": 1}, 3, False),
        ({"minAvailable": 1}, 0, False),
        ({"minAvailable": "odd"}, 3, False),
        ({}, 3, False),
    ],
)
def test_a_budget_lets_some_pod_go(rule: JSON, replicas: int, forbids: bool) -> None:
    expected = ["BudgetForbidsAll"] if forbids else []
    assert reasons(budget(**rule), of=rollout(replicas=replicas)) == expected


def test_an_autoscaler_may_make_room() -> None:
    assert reasons(budget(minAvailable=3), autoscaler(minReplicas=3, maxReplicas=4)) == []
    told = message("BudgetForbidsAll", budget(minAvailable=4), autoscaler(maxReplicas=4))
    assert "(minAvailable: 4 of at most 4)" in told


def test_budgets_of_others_are_theirs() -> None:
    other = budget(selector={"matchLabels": {"app": "cart"}}, maxUnavailable=0)
    assert reasons(other) == []


def test_a_pod_has_one_budget() -> None:
    told = message(
        "SeveralBudgets", budget("b", maxUnavailable=1), budget("a", {}, maxUnavailable=1)
    )
    assert "the PodDisruptionBudgets a and b all select the pods" in told


@pytest.mark.parametrize(
    ("selector", "bound"),
    [
        ({"matchLabels": {"app": "checkout", HASH_LABEL: "abc"}}, True),
        (
            {
                **APP,
                "matchExpressions": [{"key": HASH_LABEL, "operator": "In", "values": ["abc"]}],
            },
            True,
        ),
        ({"matchLabels": {"app": "cart", HASH_LABEL: "abc"}}, False),
    ],
)
def test_a_budget_is_not_for_one_revision(selector: JSON, bound: bool) -> None:
    found = reasons(budget(selector=selector, maxUnavailable=1))
    assert found == (["BudgetForOneRevision"] if bound else [])


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        (None, False),
        ({}, True),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["checkout"]}]}, True),
        (
            {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["checkout"]}]},
            False,
        ),
        ({"matchExpressions": [{"key": "x", "operator": "NotIn", "values": ["y"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "Like"}]}, False),
    ],
)
def test_selectors_mean_what_they_mean_to_kubernetes(selector: object, selected: bool) -> None:
    assert selects(selector, {"app": "checkout"}) is selected
