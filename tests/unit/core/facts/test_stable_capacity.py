"""What stable can bear: blue-green's way back, and revisions whose time is over."""

from dataclasses import replace

import pytest

from rollouts.core.plan.actions import CreateReplicaSet, ScaleReplicaSet, SelectRevision, SetWeight
from rollouts.model.route import Route, Split
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import Abort, Retiring, Weights
from tests.unit.core.worlds import (
    CRITERIA,
    NEW,
    OLD,
    Scene,
    at,
    evidence,
    replica_set,
    revision,
    service,
    settled,
    spec_of,
    told,
    under_way,
)

BLUE_GREEN = spec_of(
    strategy={"blueGreen": {"activeService": "checkout", "scaleDownDelaySeconds": 600}},
    successCriteria=CRITERIA,
    replicas=20,
)
BACK = SelectRevision("checkout", OLD)


def warm(old_ready: int, new_ready: int = 20) -> Scene:
    """Return a scene after a promotion: of 20 pods of each revision so many are ready."""
    active = service("checkout", NEW, newhash=new_ready)
    scene = settled(BLUE_GREEN).evolve(replica_set(OLD, 20, old_ready))
    return scene.evolve(replica_set(NEW, 20, new_ready)).with_(
        stable_revision=revision(NEW),
        current_revision=revision(NEW),
        previous_revision=revision(OLD),
        past_revisions=[revision(OLD)],
        retiring=[Retiring(hash=OLD, delay_seconds=600, at=at(600))],
        exposed_at=at(-60),
        template_hash=NEW,
        services={"checkout": active},
        now=at(1),
    )


def test_a_way_back_to_one_pod_of_twenty_waits_for_the_others() -> None:
    scene = warm(1).with_(evidence=evidence("fail", seconds=0))
    decision = scene.decide()
    assert decision.status.abort is not None
    assert decision.status.stable_revision == revision(OLD)
    assert BACK not in decision.actions
    assert decision.status.message.endswith(
        "; stable has too few ready pods, 1 of 20: the switch back waits for them"
    )
    waiting = scene.after(decision).with_(evidence=evidence("pass"))
    assert BACK not in waiting.decide().actions
    assert told(waiting.decide()) == []
    assert BACK in waiting.evolve(replica_set(OLD, 20, 15)).decide().actions
    late = waiting.with_(now=at(601))
    assert BACK in late.decide().actions, "not for ever: half of it is better than what is bad"


def test_what_is_broken_is_not_waited_for() -> None:
    broken = replica_set(OLD, 20, 10, problem="CrashLoopBackOff")
    scene = warm(10).evolve(broken).with_(evidence=evidence("fail", seconds=0))
    assert BACK in scene.decide().actions


def test_one_pod_is_better_than_none() -> None:
    scene = warm(1, new_ready=0).with_(evidence=evidence("fail", seconds=0))
    assert BACK in scene.decide().actions


def test_an_abort_goes_back_to_one_pod_at_once_and_says_so() -> None:
    decision = warm(1).commanded("abort").decide()
    assert BACK in decision.actions
    assert decision.status.last_command is not None
    assert decision.status.last_command.message.endswith("which has 1 of 20 pods ready")


def test_a_rollback_is_sized_before_it_is_switched_to() -> None:
    scene = warm(1).commanded("rollback")
    decision = scene.decide()
    assert BACK not in decision.actions
    grown = scene.after(decision).evolve(replica_set(OLD, 4, 4)).with_(command=None)
    assert ScaleReplicaSet("checkout-oldhash", 20) in grown.decide().actions


def baking(old: int, new: int = 4) -> Scene:
    """Return a scene after a switch of 4 pods, superseded by a newer template."""
    spec = spec_of(strategy={"blueGreen": {"activeService": "checkout"}})
    scene = under_way(100, spec, current_step_index=1, template_hash="newest", route=Route())
    scene = scene.evolve(replica_set(OLD, 4, old), replica_set(NEW, 4, new))
    return scene.with_(services={"checkout": service("checkout", NEW, newhash=new)})


def test_a_newer_template_while_stable_is_out_leaves_the_active_revision_active() -> None:
    scene = baking(old=0)
    decision = scene.decide()
    assert decision.actions == ()
    assert "Service checkout keeps revision 2 until it has one" in decision.status.message
    assert told(decision) == ["RolloutStarted", "StableDown"]
    following = scene.after(decision).decide()
    assert [type(each) for each in following.actions] == [CreateReplicaSet]
    assert told(following) == []
    back = scene.after(decision).evolve(replica_set(OLD, 4))
    assert BACK in back.decide().actions
    assert told(back.decide()) == []


def left(old_ready: int, new: int, **facts: object) -> Scene:
    """Return a settled scene: the time of the old revision is over, and so many new pods are ready."""
    entry = Retiring(hash=OLD, delay_seconds=5, at=at(-1))
    scene = settled().evolve(replica_set(OLD, 4, old_ready), replica_set(NEW, 4, new, **facts))  # type: ignore[arg-type]
    return scene.with_(
        stable_revision=revision(NEW),
        current_revision=revision(NEW),
        template_hash=NEW,
        retiring=[entry],
    ).serving(stable=service("checkout", NEW, newhash=new))


GONE = ScaleReplicaSet("checkout-oldhash", 0)


@pytest.mark.parametrize(
    ("scene", "goes"),
    [
        (left(4, 4), True),
        (left(4, 0, problem="CrashLoopBackOff"), False),
        (left(4, 3), False),
        (left(2, 3), True),
        (left(0, 0), True),
        (left(4, 0).with_(unsettled_since=at(-601)), True),
        (left(4, 0, problem="CrashLoopBackOff").with_(unsettled_since=at(-601)), False),
    ],
    ids=[
        "stable has all",
        "stable crashes",
        "stable lacks one",
        "stable has more",
        "neither has any",
        "pods of stable may wait for its room",
        "stable crashes for long",
    ],
)
def test_a_revision_stays_beyond_its_time_while_it_is_the_better_one(
    scene: Scene, *, goes: bool
) -> None:
    assert (GONE in scene.decide().actions) is goes


def test_a_release_that_was_stopped_stays_beyond_its_time_while_stable_crashes() -> None:
    abort = Abort(at=at(-100), by="rollouts", reason="x")
    entry = Retiring(hash=NEW, delay_seconds=5, at=at(-1))
    scene = under_way(25, abort=abort, retiring=[entry], weights=Weights(), route=Route())
    scene = scene.serving(canary=service("checkout-canary", OLD, oldhash=4))
    gone = ScaleReplicaSet("checkout-newhash", 0)
    assert gone in scene.decide().actions
    crashing = scene.evolve(replica_set(OLD, 4, 0, problem="CrashLoopBackOff"))
    assert gone not in crashing.decide().actions


def test_a_release_that_was_stopped_stays_where_stable_s_replica_set_is_gone() -> None:
    abort = Abort(at=at(-100), by="rollouts", reason="x")
    entry = Retiring(hash=NEW, delay_seconds=5, at=at(-1))
    scene = under_way(25, abort=abort, retiring=[entry], weights=Weights(), route=Route())
    scene = scene.with_(
        replica_sets={NEW: replica_set(NEW, 4)}, services={"checkout": service("checkout", OLD)}
    )
    decision = scene.decide()
    assert ScaleReplicaSet("checkout-newhash", 0) not in decision.actions
    assert decision.status.message.endswith(
        "stable has no ready pod (its ReplicaSet is gone): requests fail until another revision is"
        " promoted: retry or release, then promote --full"
    )


def test_a_first_deploy_that_is_overtaken_makes_room_pod_by_pod() -> None:
    scene = overtaken_first_deploy()
    scene = scene.evolve(replica_set(OLD, 4, 2), replica_set(NEW, 4, 0))
    assert ScaleReplicaSet("checkout-oldhash", 2) in scene.decide().actions
    some = scene.evolve(replica_set(OLD, 2), replica_set(NEW, 4, 2))
    assert ScaleReplicaSet("checkout-oldhash", 1) in some.decide().actions
    assert not scene.evolve(replica_set(OLD, 2), replica_set(NEW, 4, 1)).decide().actions


def test_the_only_pod_of_a_first_deploy_that_is_overtaken_answers_until_another_does() -> None:
    scene = overtaken_first_deploy(spec_of(replicas=1))
    alone = scene.evolve(replica_set(OLD, 1), replica_set(NEW, 1, 0))
    assert ScaleReplicaSet("checkout-oldhash", 0) not in alone.decide().actions
    broken = scene.evolve(replica_set(OLD, 1, 0), replica_set(NEW, 1, 0))
    assert ScaleReplicaSet("checkout-oldhash", 0) in broken.decide().actions
    there = scene.evolve(replica_set(OLD, 1), replica_set(NEW, 1))
    assert ScaleReplicaSet("checkout-oldhash", 0) in there.decide().actions


def test_of_a_first_deploy_that_is_overtaken_pods_stay_that_miss_a_probe() -> None:
    """All at once, as by a dependency that is away for a moment: there would be nobody to answer after it."""
    scene = overtaken_first_deploy()
    unready = replica_set(OLD, 3, 0)
    blinking = tuple(replace(pod, was_ready=True) for pod in unready.pods)
    missed = scene.evolve(replace(unready, pods=blinking), replica_set(NEW, 4, 0))
    assert not missed.decide().actions
    ended = tuple(replace(pod, restarts=1) for pod in blinking)
    failed = scene.evolve(replace(unready, pods=ended), replica_set(NEW, 4, 0))
    assert ScaleReplicaSet("checkout-oldhash", 0) in failed.decide().actions


def test_of_a_first_deploy_that_is_overtaken_what_a_service_selects_alone_stays() -> None:
    bound = {
        "checkout": service("checkout", ""),
        "checkout-canary": service("checkout-canary", OLD, oldhash=4),
    }
    scene = overtaken_first_deploy().with_(services=bound)
    half = scene.evolve(replica_set(OLD, 4), replica_set(NEW, 4, 2))
    assert not half.decide().actions
    broken = scene.evolve(replica_set(OLD, 4, 1), replica_set(NEW, 4, 0))
    assert ScaleReplicaSet("checkout-oldhash", 1) in broken.decide().actions


def overtaken_first_deploy(spec: RolloutSpec | None = None) -> Scene:
    """Return the scene of a first deploy that another one follows; the Service selects the pods of both."""
    services = {"checkout": service("checkout", "")}
    scene = settled(spec).with_(stable_revision=None, services=services)
    return scene.with_(template_hash=NEW, current_revision=revision(NEW))


def test_an_outage_of_stable_is_told_once_in_a_release_and_leaves_the_message_when_it_ends() -> (
    None
):
    scene = under_way(25, current_step_index=1)
    down = scene.evolve(replica_set(OLD, 4, 0, problem="CrashLoopBackOff"))
    decision = down.decide()
    assert told(decision) == ["Paused", "StableDown"]
    assert decision.status.message == (
        "step 2/3 at 25 %: waits for a person to promote or abort it; stable has no ready pod (CrashLoopBackOff):"
        " ingress-nginx fails all requests, the canary's too, until stable has one; promote --full gives the new"
        " revision everything"
    )
    assert decision.actions == ()
    again = down.after(decision).decide()
    assert (told(again), again.status.message) == ([], decision.status.message)
    healed = scene.after(again).evolve(replica_set(OLD, 4)).decide()
    assert healed.status.message == "step 2/3 at 25 %: waits for a person to promote or abort it"


def test_a_promoted_revision_that_loses_its_pods_at_once_leaves_the_old_ones_to_answer() -> None:
    """The stable Service still leads to the old revision, and the routes to the new one."""
    scene = under_way(100).with_(current_step_index=3, step_started_at=at(-10))
    promoted = scene.after(scene.decide())
    lost = promoted.evolve(replica_set(NEW, 4, 0)).serving(
        canary=service("checkout-canary", NEW), stable=service("checkout", OLD, oldhash=4)
    )
    assert SetWeight(Split(cut_off=True)) in lost.decide().actions
    assert promoted.decide().actions == (SelectRevision("checkout", NEW),)


def test_the_way_out_of_a_rollout_does_not_wait_for_stable() -> None:
    scene = under_way(25).evolve(replica_set(OLD, 4, 0))
    assert scene.with_(is_being_deleted=True).decide().actions == (SetWeight(Split(cut_off=True)),)


SHARED = spec_of(strategy={"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}})


def shared(stable: int, canary: int, weight: int = 50) -> Scene:
    """Return a canary by replicas with so many ready pods of 2 each, and no Service or route."""
    weights = Weights(desired=weight, applied=weight, applied_at=at(-8))
    scene = under_way(50, SHARED, route=Route(), services={}, weights=weights)
    return scene.evolve(
        replica_set(OLD, 2, stable, problem="CrashLoopBackOff"), replica_set(NEW, 2, canary)
    )


def test_by_replicas_the_pods_that_answer_stay_until_others_do() -> None:
    aborted = shared(0, 2).commanded("abort")
    decision = aborted.decide()
    assert decision.actions == (ScaleReplicaSet("checkout-oldhash", 4),)
    assert decision.status.last_command is not None
    assert decision.status.last_command.message == (
        "traffic goes back to stable as soon as it has a ready pod (CrashLoopBackOff): until then"
        " the new revision answers"
    )
    assert decision.status.message.endswith("the pods of revision 2 answer")
    grown = aborted.after(decision).with_(command=None)
    grown = grown.evolve(replica_set(OLD, 4, 0, problem="CrashLoopBackOff"))
    assert grown.decide().actions == ()


def test_by_replicas_a_fix_begins_beside_what_it_overtakes() -> None:
    scene = shared(0, 2).with_(template_hash="newest", images=("shop:3",))
    decision = scene.decide()
    following = scene.after(decision)
    following = following.after(following.decide())
    made = (each for each in following.decide().actions if isinstance(each, CreateReplicaSet))
    assert [each.replicas for each in made] == [1], "as many as maxSurge leaves room for"


def test_only_the_template_of_a_revision_that_was_stable_is_taken_as_it_is() -> None:
    scene = shared(0, 2).with_(template_hash="newest", images=("shop:3",))
    following = scene.after(scene.decide())
    made = [
        each
        for each in following.after(following.decide()).decide().actions
        if isinstance(each, CreateReplicaSet)
    ]
    assert [each.proven for each in made] == [False]
    lost = settled().with_(replica_sets={}).decide().actions
    again = [each for each in lost if isinstance(each, CreateReplicaSet)]
    assert [each.proven for each in again] == [True]


def test_by_replicas_what_is_left_of_a_router_is_no_share_of_the_pods() -> None:
    left = Route(exists=True, weight=None, highest=100)
    sizes = (each for each in shared(0, 2).with_(route=left).decide().actions)
    assert not [each for each in sizes if isinstance(each, ScaleReplicaSet)]


def test_pods_that_a_service_without_our_key_selects_do_not_go_when_it_is_put_back() -> None:
    scene = left(4, 4).serving(stable=service("checkout", "", oldhash=4, newhash=4))
    decision = scene.decide()
    assert decision.actions == (SelectRevision("checkout", NEW),)
    assert decision.status.retiring == [Retiring(hash=OLD, delay_seconds=5)]
