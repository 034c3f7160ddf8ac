"""In which order writes are made: a hanging webhook must not be before what nobody can wait for."""

from rollouts.core.plan.actions import (
    Action,
    Adopt,
    CreateReplicaSet,
    CreateService,
    DeleteReplicaSet,
    EvictPod,
    NumberReplicaSet,
    ReleaseService,
    RemoveRoute,
    RestoreWorkload,
    ScaleReplicaSet,
    ScaleWorkload,
    SelectRevision,
    SetMinReady,
    SetWeight,
)
from rollouts.core.plan.write_order import by_urgency
from rollouts.core.world import World
from rollouts.model.kinds import Ref
from rollouts.model.route import Split
from rollouts.model.routers.nginx import INGRESS
from tests.unit.core.next.test_workload import adopting, deployment
from tests.unit.core.worlds import NEW, OLD, Scene, spec_of, under_way


def world(scene: Scene) -> World:
    return World(scene.spec, scene.observed, scene.evidence, scene.now)


def test_what_nobody_can_wait_for_comes_first() -> None:
    scene = under_way(25, adopting()).with_(workload=deployment(2))
    back: list[Action] = [SetWeight(Split(cut_off=True))]
    pods: list[Action] = [
        SetMinReady("checkout-oldhash", 3),
        ScaleReplicaSet("checkout-oldhash", 20),
        ScaleWorkload(3),
        RestoreWorkload(4),
    ]
    services: list[Action] = [
        SelectRevision("checkout", OLD),
        ReleaseService("checkout"),
        Adopt(Ref(INGRESS, "shop", "checkout-checkout-canary")),
    ]
    forward: list[Action] = [
        SetWeight(Split(50)),
        CreateReplicaSet("newest", 3, 1),
        CreateService("checkout-canary", NEW),
        NumberReplicaSet("checkout-newhash", 3),
    ]
    later: list[Action] = [
        RemoveRoute(),
        ScaleReplicaSet("checkout-newhash", 0),
        ScaleWorkload(0),
        DeleteReplicaSet("checkout-oldest", "uid"),
        EvictPod("oldhash-0"),
        SetMinReady("checkout-newhash", 3),
    ]
    asked = [*later, *forward, *services, *pods, *back]
    assert by_urgency(world(scene), asked) == [*back, *pods, *services, *forward, *later]


def test_a_weight_that_falls_comes_before_the_pods_and_one_that_rises_after_them() -> None:
    grow = ScaleReplicaSet("checkout-oldhash", 20)
    scene = world(under_way(25))
    assert by_urgency(scene, [grow, SetWeight(Split(10))]) == [SetWeight(Split(10)), grow]
    assert by_urgency(scene, [SetWeight(Split(50)), grow]) == [grow, SetWeight(Split(50))]


def test_an_autoscaler_is_served_before_a_route_is_put_back() -> None:
    scene = under_way(25).with_(route=under_way(10).observed.route)
    scene = scene.with_(spec=under_way(25).spec.model_copy(update={"replicas": 20}))
    first, *others = scene.decide().actions
    assert first == ScaleReplicaSet("checkout-oldhash", 20)
    assert SetWeight(Split(25)) in others


def test_of_a_canary_by_replicas_both_sizes_are_the_weight() -> None:
    spec = spec_of(strategy={"canary": {"steps": [{"setWeight": 25}]}})
    shrink = ScaleReplicaSet("checkout-newhash", 0)
    create = CreateReplicaSet("newest", 3, 1)
    assert by_urgency(world(under_way(25, spec)), [create, shrink]) == [shrink, create]
    assert by_urgency(world(under_way(25)), [shrink, create]) == [create, shrink]
