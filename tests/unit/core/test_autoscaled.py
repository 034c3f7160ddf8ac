"""What an autoscaler sees of a release, and what it may do to one."""

from dataclasses import replace

import pytest

from rollouts.core.plan.actions import ScaleReplicaSet, SetPodMetadata, SetTemplateMetadata
from rollouts.core.template import RoleMetadata
from rollouts.core.world import ReplicaSet
from rollouts.model.route import Route
from rollouts.model.status import Weights
from rollouts.model.validation import parse_rollout
from rollouts.sandbox.apiserver.selectors import label_selector
from rollouts.sandbox.autoscaling.recommendation import MetricTarget, PodMetric, by_pods
from tests.fakes import kubernetes
from tests.unit.core.worlds import (
    NEW,
    OLD,
    Scene,
    replica_set,
    rolled_back,
    settled,
    spec_of,
    under_way,
)


@pytest.mark.parametrize(("replicas", "wanted"), [(2, 4), (4, 4), (8, 8)])
def test_an_autoscaler_may_raise_stable_in_mid_rollout_and_never_lower_it(
    replicas: int, wanted: int
) -> None:
    scene = under_way(25, spec_of(replicas=replicas))
    assert scene.status.stable_floor == 4
    scales = {
        action.name: action.replicas
        for action in scene.decide().actions
        if isinstance(action, ScaleReplicaSet)
    }
    assert scales.get("checkout-oldhash", 4) == wanted


def test_the_floor_is_what_stable_had_at_the_start_and_goes_with_the_canary() -> None:
    fresh = under_way(25, template_hash="newest").evolve(replica_set(OLD, 9))
    assert fresh.decide().status.stable_floor == 9
    back = fresh.with_(template_hash=OLD, stable_floor=9)
    assert back.decide().status.stable_floor == 9, "the canary is still there"
    assert back.without(NEW).decide().status.stable_floor == 0


ALWAYS = "app=checkout,rollouts.dev/rollout=checkout"


def unlabelled(found: ReplicaSet) -> ReplicaSet:
    """Return the ReplicaSet, and its pods, as they were made before there was our label."""
    pods = tuple(replace(pod, labelled=False) for pod in found.pods)
    return replace(found, labelled=False, pods=pods)


def test_an_autoscaler_sees_all_pods_that_share_the_traffic() -> None:
    assert under_way(25).decide().status.replicas == 4 + 1
    assert rolled_back().decide().status.replicas == 4


def blue_green(applied: int) -> Scene:
    strategy = {"blueGreen": {"activeService": "checkout", "previewService": "checkout-canary"}}
    spec = parse_rollout(kubernetes.rollout([], strategy=strategy))
    moving = under_way(100, spec)
    return moving.with_(weights=moving.status.weights.evolve(applied=applied))


@pytest.mark.parametrize(
    "scene", [settled(), under_way(25), rolled_back(), blue_green(0), blue_green(100)]
)
def test_the_selector_of_scale_is_the_same_when_settled_and_in_every_release(scene: Scene) -> None:
    assert scene.decide().status.selector == ALWAYS


def test_the_selector_of_scale_finds_no_neighbour_with_one_label_more() -> None:
    selector = label_selector(under_way(25).decide().status.selector)
    ours = {"app": "checkout", "rollouts.dev/rollout": "checkout"}
    assert selector({"metadata": {"labels": ours}})
    for neighbours in ({"component": "worker"}, {"rollouts.dev/rollout": "checkout-worker"}):
        assert not selector({"metadata": {"labels": {"app": "checkout", **neighbours}}})


def test_pods_without_the_label_are_found_as_before_until_all_of_them_have_it() -> None:
    old = unlabelled(replica_set(OLD, 4))
    before = "app=checkout,rollouts.dev/pod-template-hash=oldhash"
    settled_before = settled()
    status = settled_before.status.evolve(selector=before)
    scene = settled_before.with_(status=status).evolve(old)
    assert scene.decide().status.selector == before
    assert scene.decide().actions == (SetTemplateMetadata("checkout-oldhash", RoleMetadata()),)

    scene = scene.evolve(replace(old, labelled=True))
    label = {"rollouts.dev/rollout": "checkout"}
    assert scene.decide().actions == tuple(
        SetPodMetadata(f"oldhash-{number}", label, {}) for number in range(4)
    )
    assert scene.decide().status.selector == before

    some = replace(old, labelled=True, pods=(*replica_set(OLD, 4).pods[:3], old.pods[3]))
    assert scene.evolve(some).decide().status.selector == before
    scene = scene.evolve(replica_set(OLD, 4))
    assert (scene.decide().status.selector, scene.decide().actions) == (ALWAYS, ())


def test_living_pods_are_not_labelled_in_the_middle_of_a_release() -> None:
    stable = replace(unlabelled(replica_set(OLD, 4)), labelled=True)
    scene = under_way(25).evolve(stable)
    decision = scene.decide()
    assert not [each for each in decision.actions if isinstance(each, SetPodMetadata)]
    assert decision.status.selector == "app=checkout", "both, as long as one has no label"


def test_one_pod_without_the_label_changes_no_selector() -> None:
    canary = replica_set(NEW, 1)
    unlabelled = replace(canary, pods=(replace(canary.pods[0], labelled=False),))
    moving = under_way(25)
    scene = moving.with_(status=moving.status.evolve(selector=ALWAYS)).evolve(unlabelled)
    decision = scene.decide()
    assert decision.status.selector == ALWAYS
    label = {"rollouts.dev/rollout": "checkout"}
    assert decision.actions == (SetPodMetadata("newhash-0", label, {}),)


def test_a_revision_that_is_older_than_the_label_gets_it_before_it_gets_pods() -> None:
    asleep = replace(replica_set(NEW, 0), labelled=False)
    begun = under_way(0).with_(weights=Weights(desired=25), route=Route()).evolve(asleep)
    kinds = [type(each) for each in begun.decide().actions]
    assert kinds.index(SetTemplateMetadata) < kinds.index(ScaleReplicaSet)


def asked(current: int, busy: float, beside: float, target: float) -> int:
    """Return what an autoscaler asks for, of 4 pods that use so much and 4 that stand beside them."""
    used = [busy] * 4 + [beside] * 4
    readings = [PodMetric(f"pod-{number}", each, 100) for number, each in enumerate(used)]
    return by_pods(current, readings, MetricTarget(target, utilisation=True)).replicas


@pytest.mark.parametrize(("busy", "wanted"), [(70, 4), (105, 6), (35, 2)])
def test_idle_pods_beside_the_busy_ones_do_not_mislead_an_autoscaler_by_load(
    busy: float, wanted: int
) -> None:
    """`spec.replicas` is what all the traffic needs, whichever pods it finds in a blue-green release."""
    assert asked(4, busy, 0, target=70) == wanted


def test_what_idle_pods_use_too_misleads_an_autoscaler() -> None:
    """The reason for the finding AutoscalerCountsIdlePods: 65 of 80 percent, and nearly twice the pods."""
    assert asked(4, 65, 65, target=80) == 7
