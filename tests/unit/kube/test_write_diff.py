from typing import Any

import pytest

from rollouts.kube.write_diff import (
    gives_up_fields,
    has_all_fields,
    other_owners,
    owned_fields,
    patch_changes,
)


def test_a_patch_that_removes_what_is_not_there_changes_nothing() -> None:
    assert not patch_changes({"a": {"b": 1}}, {"a": {"c": None}, "d": None})
    assert patch_changes({"a": {"b": 1}}, {"a": {"b": None}})


@pytest.mark.parametrize(
    ("current", "wanted", "covered"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": None}, {"a": None}, True),
        ({}, {"a": None}, False),
        ({"ports": [{"port": 80, "protocol": "TCP"}]}, {"ports": [{"port": 80}]}, True),
        ({"ports": [{"port": 80}, {"port": 81}]}, {"ports": [{"port": 80}]}, False),
        ({"ports": [{"port": 81}, {"port": 80}]}, {"ports": [{"port": 80}, {"port": 81}]}, False),
        ({"finalizers": ["theirs", "ours"]}, {"finalizers": ["ours"]}, True),
        ({"finalizers": ["theirs"]}, {"finalizers": ["ours"]}, False),
        ({"a": "x"}, {"a": {"b": 1}}, False),
        ({"a": "x"}, {"a": ["x"]}, False),
    ],
)
def test_an_object_covers_what_it_has_all_of(current: Any, wanted: Any, covered: bool) -> None:
    assert has_all_fields(current, wanted) is covered


def test_our_own_applied_fields_are_found_among_the_managers() -> None:
    ours: Any = {"f:spec": {"f:x": {}}}
    entries = [
        {"manager": "rollouts", "operation": "Update", "fieldsV1": {"f:spec": {"f:y": {}}}},
        {"manager": "kubectl", "operation": "Apply", "fieldsV1": {"f:spec": {"f:z": {}}}},
        {"manager": "rollouts", "operation": "Apply", "subresource": "status", "fieldsV1": {}},
        {"manager": "rollouts", "operation": "Apply", "fieldsV1": ours},
    ]
    assert owned_fields({"metadata": {"managedFields": entries}}, "rollouts") == ours
    assert owned_fields({"metadata": {}}, "rollouts") == {}


def test_a_body_disowns_what_it_no_longer_names() -> None:
    owned: Any = {
        "f:metadata": {"f:labels": {".": {}, "f:a": {}}},
        "f:spec": {"f:ports": {"k:{}": {}}},
    }
    body: Any = {"metadata": {"name": "x", "labels": {"a": "1"}}, "spec": {"ports": [{}]}}
    assert not gives_up_fields(body, owned)
    assert gives_up_fields({"metadata": {"labels": {}}, "spec": {"ports": []}}, owned)
    assert gives_up_fields({"metadata": {"labels": {"a": "1"}}, "spec": {}}, owned)
    assert gives_up_fields({"metadata": {"labels": {"a": "1"}}}, owned)


def test_others_who_apply_a_field_are_named_with_that_field_alone() -> None:
    selector: Any = {"f:spec": {"f:selector": {}, "f:ports": {"k:{}": {}}}}
    entries: Any = [
        {"manager": "argocd", "operation": "Apply", "time": "now", "fieldsV1": selector},
        {"manager": "kubectl", "operation": "Update", "fieldsV1": selector},
        {"manager": "rollouts", "operation": "Apply", "fieldsV1": selector},
        {"manager": "mesh", "operation": "Apply", "fieldsV1": {"f:spec": {"f:type": {}}}},
    ]
    owned: Any = {"f:spec": {"f:selector": {}}}
    found = other_owners(
        {"metadata": {"managedFields": entries}}, "rollouts", ["spec.selector", "spec.rules.x"]
    )
    assert found == [{"manager": "argocd", "operation": "Apply", "fieldsV1": owned}]
    assert other_owners({"metadata": {}}, "rollouts", ["spec.selector"]) == []
