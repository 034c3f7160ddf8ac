from typing import Any

from rollouts.model.kinds import JSON
from rollouts.model.owners import (
    controller_of,
    controller_reference,
    is_controlled_by,
    owning_rollout,
)

ROLLOUT: JSON = {"metadata": {"namespace": "shop", "name": "checkout", "uid": "uid-1"}}


def owned(**changes: Any) -> JSON:
    """Return an object that the Rollout controls, but for `changes` of the reference."""
    other = {"apiVersion": "v1", "kind": "ConfigMap", "name": "checkout", "uid": "uid-9"}
    reference = {**controller_reference(ROLLOUT), **changes}
    return {"metadata": {"name": "any", "ownerReferences": [other, reference]}}


def test_the_owner_is_the_controller_and_known_by_its_uid() -> None:
    assert is_controlled_by(owned(), ROLLOUT)
    assert is_controlled_by(owned(name="renamed"), ROLLOUT)
    assert not is_controlled_by(owned(uid="uid-0"), ROLLOUT)
    assert not is_controlled_by(owned(controller=False), ROLLOUT)
    assert not is_controlled_by({"metadata": {"name": "any"}}, ROLLOUT)


def test_an_object_without_owners_has_no_controller() -> None:
    assert controller_of({"metadata": {}}) is None
    assert controller_of({"metadata": {"ownerReferences": None}}) is None


def test_a_rollout_of_another_group_is_none_of_ours() -> None:
    assert owning_rollout(owned()) == "checkout"
    assert owning_rollout(owned(apiVersion="rollouts.dev/v1beta1")) == "checkout"
    assert owning_rollout(owned(apiVersion="argoproj.io/v1alpha1")) is None
    assert owning_rollout(owned(kind="Deployment", apiVersion="apps/v1")) is None
