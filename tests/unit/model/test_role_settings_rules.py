"""Which labels and annotations a role can't give, and which wishes for nodes make no sense."""

from typing import Any

import pytest

from rollouts.errors import InvalidSpec
from rollouts.model.kinds import JSON
from rollouts.model.validation import parse_rollout
from tests.fakes.kubernetes import rollout

REQUIRED: JSON = {"requiredDuringSchedulingIgnoredDuringExecution": {}}
PREFERRED: JSON = {"preferredDuringSchedulingIgnoredDuringExecution": {"weight": 1}}


def placed(**fields: Any) -> JSON:
    made = rollout([{"setWeight": 5}])
    made["spec"]["strategy"]["canary"] |= fields
    return made


def errors_of(obj: JSON) -> dict[str, str]:
    with pytest.raises(InvalidSpec) as caught:
        parse_rollout(obj)
    return {error.field: error.reason for error in caught.value.errors}


@pytest.mark.parametrize(
    ("metadata", "field", "words"),
    [
        ({"labels": {"app": "x"}}, "labels.app", "is a label of spec.selector"),
        ({"labels": {"rollouts.dev/role": "x"}}, "labels.rollouts.dev/role", "the controller sets"),
        (
            {"annotations": {"rollouts.dev/a": "x"}},
            "annotations.rollouts.dev/a",
            "the controller sets",
        ),
        (
            {"annotations": {"a.rollouts.dev/b": "x"}},
            "annotations.a.rollouts.dev/b",
            "the controller sets",
        ),
        ({"labels": {"role": "not good"}}, "labels.role", "not a label's value"),
        ({"labels": {"role": "-x"}}, "labels.role", "not a label's value"),
        ({"labels": {"role": "x\n"}}, "labels.role", "not a label's value"),
        ({"labels": {"": "x"}}, "labels.", "is not a key"),
        ({"labels": {"a/b/c": "x"}}, "labels.a/b/c", "is not a key"),
        ({"labels": {"/b": "x"}}, "labels./b", "is not a key"),
        ({"annotations": {"x" * 64: "x"}}, f"annotations.{'x' * 64}", "is not a key"),
        ({"annotations": {f"{'x' * 254}/b": "x"}}, f"annotations.{'x' * 254}/b", "is not a key"),
        ({"labels": {"role": "x" * 64}}, "labels.role", "at most 63 characters"),
    ],
)
@pytest.mark.parametrize("role", ["canaryMetadata", "stableMetadata"])
def test_metadata_that_pods_cannot_have(role: str, metadata: JSON, field: str, words: str) -> None:
    found = errors_of(placed(**{role: metadata}))
    assert list(found) == [f"spec.strategy.canary.{role}.{field}"]
    assert words in found[f"spec.strategy.canary.{role}.{field}"]


def test_a_label_that_an_expression_of_the_selector_asks_for() -> None:
    made = placed(canaryMetadata={"labels": {"tier": "web"}})
    made["spec"]["selector"]["matchExpressions"] = [{"key": "tier", "operator": "Exists"}]
    made["spec"]["template"]["metadata"]["labels"]["tier"] = "web"
    assert "spec.strategy.canary.canaryMetadata.labels.tier" in errors_of(made)


def test_what_is_fine() -> None:
    metadata = {
        "labels": {"role": "canary", "example.com/Role_1.x": "", "tier": "A.b-c"},
        "annotations": {"example.com/note": "anything goes: {}\n"},
    }
    spec = parse_rollout(placed(canaryMetadata=metadata, stableMetadata={}, antiAffinity=PREFERRED))
    assert spec.active_strategy.canary_metadata is not None
    assert spec.active_strategy.canary_metadata.labels == metadata["labels"]


@pytest.mark.parametrize("wish", [{}, {**REQUIRED, **PREFERRED}])
def test_anti_affinity_is_required_or_preferred(wish: JSON) -> None:
    found = errors_of(placed(antiAffinity=wish))
    assert "set exactly one of" in found["spec.strategy.canary.antiAffinity"]


def test_blue_green_is_checked_too() -> None:
    made = rollout([])
    made["spec"]["strategy"] = {"blueGreen": {"activeService": "checkout", "antiAffinity": {}}}
    assert list(errors_of(made)) == ["spec.strategy.blueGreen.antiAffinity"]
