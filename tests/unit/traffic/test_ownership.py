"""Whose an object is: this Rollout's, its own from before, or somebody else's."""

from typing import Any

import pytest

from rollouts.model.kinds import JSON
from rollouts.traffic.ownership import is_orphan, is_ours, is_owned

ROLLOUT = {"metadata": {"namespace": "shop", "name": "checkout", "uid": "uid-1"}}
OURS = {"rollouts.dev/managed-by": "checkout"}


def owner(uid: str, name: str = "checkout", kind: str = "Rollout", **more: Any) -> JSON:
    usual = {"apiVersion": "rollouts.dev/v1alpha1", "controller": True}
    return {**usual, "kind": kind, "name": name, "uid": uid, **more}


def found(*owners: JSON, labels: JSON | None = None) -> JSON:
    labels = OURS if labels is None else labels
    return {"metadata": {"name": "any", "labels": labels, "ownerReferences": list(owners)}}


def test_what_it_owns_is_its_own_whatever_the_labels_say() -> None:
    assert is_owned(found(owner("uid-1"), labels={}), ROLLOUT)
    assert is_ours(found(owner("uid-1"), labels={}), ROLLOUT)
    assert not is_orphan(found(owner("uid-1")), ROLLOUT)


@pytest.mark.parametrize(
    "left",
    [
        found(),
        {"metadata": {"name": "any", "labels": OURS}},
        found(owner("uid-0")),
        found(owner("uid-0", apiVersion="rollouts.dev/v1beta1")),
        found(owner("uid-x", "shop", "ConfigMap", controller=False)),
        found(owner("uid-0"), owner("uid-x", "shop", "ConfigMap", controller=False)),
    ],
)
def test_what_one_of_its_name_made_and_left_is_to_be_adopted(left: JSON) -> None:
    assert is_ours(left, ROLLOUT)
    assert is_orphan(left, ROLLOUT)
    assert not is_owned(left, ROLLOUT)


@pytest.mark.parametrize(
    "theirs",
    [
        found(labels={}),
        found(owner("uid-0"), labels={}),
        found(labels={"rollouts.dev/managed-by": "other"}),
        found(owner("uid-2", "other")),
        found(owner("uid-2", kind="Deployment", apiVersion="apps/v1")),
        found(owner("uid-2", apiVersion="argoproj.io/v1alpha1")),
    ],
)
def test_what_anybody_else_owns_or_made_by_hand_is_not_ours(theirs: JSON) -> None:
    assert not is_ours(theirs, ROLLOUT)


def test_an_object_that_only_ends_with_the_rollout_is_not_its_own() -> None:
    """A person may have an object of theirs be deleted with it: that makes nobody its writer."""
    theirs = found(owner("uid-1", controller=False), labels={})
    assert not is_owned(theirs, ROLLOUT)
    assert not is_ours(theirs, ROLLOUT)
