"""In which order writes are made: a hanging webhook must not be before what nobody can wait for."""

from rollouts.core import actions as act
from rollouts.core.actions import ReleaseService
from rollouts.core.urgency import by_urgency
from rollouts.core.workload import RestoreWorkload, ScaleWorkload
from rollouts.core.world import World
from rollouts.model.kinds import INGRESS, Ref
from rollouts.model.route import Split
from tests.unit.core.test_adoption import adopting, deployment
from tests.unit.core.worlds import NEW, OLD, Scene, spec_of, under_way


def world(scene: Scene) -> World:
    return World(scene.spec, scene.observed, scene.evidence, scene.now)


def test_what_nobody_can_wait_for_comes_first() -> None:
    scene = under_way(25, adopting()).with_(workload=deployment(2))
    back: list[act.Action] = [act.SetWeight(Split(cut_off=True))]
    pods: list[act.Action] = [
        act.SetMinReady("checkout-oldhash", 3),
        act.ScaleReplicaSet("checkout-oldhash", 20),
        ScaleWorkload(3),
        RestoreWorkload(4),
    ]
    services: list[act.Action] = [
        act.SelectRevision("checkout", OLD),
        ReleaseService("checkout"),
        act.Adopt(Ref(INGRESS, "shop", "checkout-checkout-canary")),
    ]
    forward: list[act.Action] = [
        act.SetWeight(Split(50)),
        act.CreateReplicaSet("newest", 3, 1),
        act.CreateService("checkout-canary", NEW),
        act.NumberReplicaSet("checkout-newhash", 3),
    ]
    later: list[act.Action] = [
        act.RemoveRoute(),
        act.ScaleReplicaSet("checkout-newhash", 0),
        ScaleWorkload(0),
        act.DeleteReplicaSet("checkout-oldest", "uid"),
        act.EvictPod("oldhash-0"),
        act.SetMinReady("checkout-newhash", 3),
    ]
    asked = [*later, *forward, *services, *pods, *back]
    assert by_urgency(world(scene), asked) == [*back, *pods, *services, *forward, *later]


def test_a_weight_that_falls_comes_before_the_pods_and_one_that_rises_after_them() -> None:
    grow = act.ScaleReplicaSet("checkout-oldhash", 20)
    scene = world(under_way(25))
    assert by_urgency(scene, [grow, act.SetWeight(Split(10))]) == [act.SetWeight(Split(10)), grow]
    assert by_urgency(scene, [act.SetWeight(Split(50)), grow]) == [grow, act.SetWeight(Split(50))]


def test_an_autoscaler_is_served_before_a_route_is_put_back() -> None:
    scene = under_way(25).with_(route=under_way(10).observed.route)
    scene = scene.with_(spec=under_way(25).spec.model_copy(update={"replicas": 20}))
    first, *others = scene.decide().actions
    assert first == act.ScaleReplicaSet("checkout-oldhash", 20)
    assert act.SetWeight(Split(25)) in others


def test_of_a_canary_by_replicas_both_sizes_are_the_weight() -> None:
    spec = spec_of(strategy={"canary": {"steps": [{"setWeight": 25}]}})
    shrink = act.ScaleReplicaSet("checkout-newhash", 0)
    create = act.CreateReplicaSet("newest", 3, 1)
    assert by_urgency(world(under_way(25, spec)), [create, shrink]) == [shrink, create]
    assert by_urgency(world(under_way(25)), [shrink, create]) == [create, shrink]
