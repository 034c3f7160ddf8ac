"""Pods are like their revision's role, from their birth to their end."""

from dataclasses import replace
from typing import Any

import pytest

from rollouts.core.facts import role_metadata_of
from rollouts.core.plan.actions import (
    Action,
    CreateReplicaSet,
    SelectRevision,
    SetMinReady,
    SetPodMetadata,
    SetTemplateMetadata,
)
from rollouts.core.plan.pods import PODS_AT_ONCE
from rollouts.core.template import AppliedMetadata, RoleMetadata
from rollouts.core.world import ReplicaSet
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import RolloutStatus
from rollouts.model.validation import parse_rollout
from tests.fakes import kubernetes
from tests.unit.core import worlds
from tests.unit.core.worlds import (
    NEW,
    OLD,
    STEPS,
    Scene,
    replica_set,
    revision,
    rolled_back,
    settled,
    under_way,
)

CANARY = RoleMetadata({"role": "canary"})
STABLE = RoleMetadata({"role": "stable"}, {"note": "in use"})
METADATA = {
    "canaryMetadata": {"labels": {"role": "canary"}},
    "stableMetadata": {"labels": {"role": "stable"}, "annotations": {"note": "in use"}},
}


def spec_of(**spec: Any) -> RolloutSpec:
    rollout = kubernetes.rollout(STEPS, **spec)
    rollout["spec"]["strategy"]["canary"] |= METADATA
    return parse_rollout(rollout)


def with_role(
    found: ReplicaSet, role: RoleMetadata, pods: RoleMetadata | None = None
) -> ReplicaSet:
    """Return the ReplicaSet with what this role gives, and its pods with the same or another."""
    mark = (role if pods is None else pods).mark
    before: Any = {"labels": {"role": None}, "annotations": {"note": None}}
    return replace(
        found,
        applied=AppliedMetadata(role, before),
        pods=tuple(replace(pod, mark=mark) for pod in found.pods),
    )


def role_writes(scene: Scene) -> list[Action]:
    wanted = (SetTemplateMetadata, SetPodMetadata, SetMinReady)
    return [each for each in scene.decide().actions if isinstance(each, wanted)]


def test_roles_are_those_of_status() -> None:
    spec = spec_of()
    moving = RolloutStatus(stable_revision=revision(OLD), current_revision=revision(NEW))
    assert role_metadata_of(spec, moving, OLD) == STABLE
    assert role_metadata_of(spec, moving, NEW) == CANARY
    assert role_metadata_of(spec, moving, "given-up") is None
    assert role_metadata_of(spec, RolloutStatus(current_revision=revision(NEW)), NEW) == STABLE


def test_blue_green_has_roles_too() -> None:
    rollout = kubernetes.rollout(STEPS)
    rollout["spec"]["strategy"] = {"blueGreen": {"activeService": "checkout", **METADATA}}
    spec = parse_rollout(rollout)
    moving = RolloutStatus(stable_revision=revision(OLD), current_revision=revision(NEW))
    assert role_metadata_of(spec, moving, OLD) == STABLE
    assert role_metadata_of(spec, moving, NEW) == CANARY


def test_a_canary_has_its_role_metadata_from_the_start() -> None:
    scene = under_way(0, spec_of()).without(NEW).evolve(with_role(replica_set(OLD, 4), STABLE))
    (made,) = [each for each in scene.decide().actions if isinstance(each, CreateReplicaSet)]
    assert made.role == CANARY


def test_the_template_is_changed_first_and_living_pods_after() -> None:
    scene = settled(spec_of())
    assert role_writes(scene) == [SetTemplateMetadata(f"checkout-{OLD}", STABLE)]

    scene = scene.evolve(with_role(replica_set(OLD, 4), STABLE, RoleMetadata()))
    changes = role_writes(scene)
    assert [each.name for each in changes if isinstance(each, SetPodMetadata)] == [
        f"{OLD}-{number}" for number in range(4)
    ]
    first = changes[0]
    assert isinstance(first, SetPodMetadata)
    assert first.labels == {"role": "stable", "rollouts.dev/role-metadata": STABLE.mark}
    assert first.annotations == {"note": "in use"}


def test_nothing_is_written_when_all_is_as_it_should_be() -> None:
    scene = settled(spec_of()).evolve(with_role(replica_set(OLD, 4), STABLE))
    assert scene.decide().actions == ()
    assert settled().decide().actions == ()


def test_only_pods_that_differ_are_written_to_a_few_at_a_time() -> None:
    found = with_role(replica_set(OLD, 40), STABLE, CANARY)
    right = tuple(replace(pod, mark=STABLE.mark) for pod in found.pods[:5])
    scene = settled(spec_of(replicas=40)).evolve(replace(found, pods=(*right, *found.pods[5:])))
    names = [each.name for each in role_writes(scene) if isinstance(each, SetPodMetadata)]
    assert names == [pod.name for pod in found.pods[5 : 5 + PODS_AT_ONCE]]


def test_traffic_goes_before_looks() -> None:
    scene = settled(spec_of()).serving(
        stable=replace(settled().observed.services["checkout"], selected_hash="")
    )
    kinds = [type(each) for each in scene.decide().actions]
    assert kinds == [SelectRevision, SetTemplateMetadata]


def test_a_canary_that_is_rolled_back_keeps_its_role_metadata() -> None:
    scene = rolled_back(spec=spec_of()).evolve(
        with_role(replica_set(OLD, 4), STABLE), with_role(replica_set(NEW, 1), CANARY)
    )
    assert role_writes(scene) == []


def test_a_revision_without_a_role_keeps_what_it_has() -> None:
    gone = with_role(replica_set("third", 0), CANARY)
    scene = settled(spec_of()).evolve(with_role(replica_set(OLD, 4), STABLE), gone)
    assert role_writes(scene) == []


def test_what_is_taken_out_of_the_spec_is_taken_off() -> None:
    scene = settled().evolve(with_role(replica_set(OLD, 2), STABLE))
    assert role_writes(scene) == [SetTemplateMetadata(f"checkout-{OLD}", RoleMetadata())]
    scene = scene.evolve(with_role(replica_set(OLD, 2), RoleMetadata(), STABLE))
    first = role_writes(scene)[0]
    assert isinstance(first, SetPodMetadata)
    assert first.labels == {"role": None, "rollouts.dev/role-metadata": None}
    assert first.annotations == {"note": None}


def test_a_replica_set_that_is_not_ours_yet_is_left_alone() -> None:
    assert role_writes(settled(spec_of()).evolve(replica_set(OLD, 4, owned=False))) == []


@pytest.mark.parametrize("made", [0, 5])
def test_min_ready_seconds_follow_the_spec(made: int) -> None:
    scene = settled(worlds.spec_of(minReadySeconds=5)).evolve(
        replica_set(OLD, 4, min_ready_seconds=made)
    )
    expected = [SetMinReady(f"checkout-{OLD}", 5)] if made == 0 else []
    assert role_writes(scene) == expected
