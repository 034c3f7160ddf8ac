"""Selectors: every operator of labels, the fields of each kind."""

import pytest

from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.selectors import (
    field_selector,
    label_selector,
    labels_match,
    selector_string,
)

OBJECT = {"metadata": {"name": "a", "labels": {"app": "web", "tier": "1", "x.io/y": ""}}}


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ("app=web", True),
        ("app == web", True),
        ("app!=web", False),
        ("app!=other,tier", True),
        ("nothing!=x", True),
        ("app in (web, api)", True),
        ("app in (api)", False),
        ("app notin (api,db),tier=1", True),
        ("missing notin (a)", True),
        ("tier", True),
        ("!tier", False),
        ("!missing", True),
        ("tier>0,tier<2", True),
        ("tier>1", False),
        ("x.io/y=", True),
        ("", True),
    ],
)
def test_label_selectors(selector: str, matches: bool) -> None:
    assert label_selector(selector)(OBJECT) is matches


def test_nonsense_is_400() -> None:
    with pytest.raises(ApiError, match="unable to parse requirement"):
        label_selector("a b c")
    with pytest.raises(ApiError, match="field label not supported"):
        field_selector("spec.colour=red", "pods")


def test_field_selectors() -> None:
    pod = {
        "metadata": {"name": "p", "namespace": "n"},
        "spec": {"nodeName": "x"},
        "status": {"phase": "Running"},
    }
    assert field_selector("metadata.name=p,spec.nodeName!=y,status.phase=Running", "pods")(pod)
    assert not field_selector("metadata.namespace=other", "pods")(pod)


def test_a_selector_object_as_string() -> None:
    selector = {
        "matchLabels": {"b": "2", "a": "1"},
        "matchExpressions": [
            {"key": "c", "operator": "In", "values": ["y", "x"]},
            {"key": "d", "operator": "DoesNotExist"},
        ],
    }
    assert selector_string(selector) == "a=1,b=2,c in (x,y),!d"
    assert labels_match(selector, {"a": "1", "b": "2", "c": "x"})
    assert not labels_match(selector, {"a": "1", "b": "2", "c": "z"})
