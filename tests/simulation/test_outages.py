"""Releases while something is down: the old version, an admission webhook, a Gateway's controller."""

import pytest

from rollouts.model.kinds import DEPLOYMENT
from tests.fakes.deployments import deployment
from tests.simulation.cluster import Refusal
from tests.simulation.cluster_faults import REFUSALS
from tests.simulation.known_gaps import is_known_gap
from tests.simulation.kubelets import Behaviour, is_ready
from tests.simulation.settled_invariants import not_cleaned_up
from tests.simulation.setups import SETUPS
from tests.simulation.starting_points import deployed, healthy, twin
from tests.simulation.story import Story, told

DOWN = Behaviour(problem="CrashLoopBackOff")
BY_ROUTER = ("router", "several routers", "gateway", "mesh", "mesh with a root", "dynamic")


def unless_known(name: str) -> None:
    if is_known_gap(name):
        pytest.skip("known")


@pytest.mark.parametrize("unbound", [False, True])
@pytest.mark.parametrize("setup", SETUPS)
def test_a_release_repairs_an_outage(setup: str, unbound: bool) -> None:
    unless_known("repair")
    story = deployed(setup, 1, progressDeadlineSeconds=60)
    story.turn(story.hash_of("shop:1"), DOWN)
    story.pass_time(5)
    if unbound:
        story.select("checkout", None)
    story.release("shop:2")
    story.settle(300)
    assert story.users_are_answered()
    assert story.settle().phase == "Healthy"
    assert story.status.stable_revision is not None
    assert story.status.stable_revision.images == ["shop:2"]


@pytest.mark.parametrize("why", ["held", "newer template", "aborted"])
def test_pods_that_are_not_available_yet_stay_where_nobody_else_answers(why: str) -> None:
    """Stable is down, and by minReadySeconds the only pod that is ready counts for nothing for a while."""
    story = deployed("replicas", 2, minReadySeconds=60)
    story.turn(story.hash_of("shop:1"), DOWN)
    story.pass_time(5)
    new = story.release("shop:2")
    story.run_until(lambda it: it.has_users(new))
    if why == "held":
        story.command("pause")
    elif why == "aborted":
        story.command("abort")
    else:
        story.release("shop:3", Behaviour(ready_after=10_000))
    story.pass_time(30)
    assert story.has_users(new)


@pytest.mark.parametrize("why", ["newer template", "bad"])
@pytest.mark.parametrize("setup", BY_ROUTER)
def test_no_traffic_goes_back_to_a_version_that_is_down(setup: str, why: str) -> None:
    unless_known("back to nobody")
    story = deployed(setup, 2, progressDeadlineSeconds=60)
    new = story.release("shop:2")
    story.run_until(lambda it: it.percent(new) >= 25)
    story.turn(story.hash_of("shop:1"), DOWN)
    story.pass_time(1)
    if why == "bad":
        story.turn(new, Behaviour(error_rate=0.3))
    else:
        story.release("shop:3", Behaviour(ready_after=10_000))
    story.pass_time(30)
    assert story.percent(new) > 0, "an answer is better than none"


@pytest.mark.parametrize("setup", BY_ROUTER)
def test_a_newer_version_takes_over_what_stable_can_not_answer_with_its_first_weight(
    setup: str,
) -> None:
    """One that is for testers first waits for as long as that takes, and for `promote --full`."""
    story = deployed(setup, 2, progressDeadlineSeconds=60)
    kept = story.release("shop:2")
    story.run_until(lambda it: it.percent(kept) >= 25)
    story.turn(story.hash_of("shop:1"), DOWN)
    story.pass_time(1)
    new = story.release("shop:3")
    story.pass_time(300)
    if setup == "several routers":
        assert (story.percent(kept), story.percent(new)) == (25, 0)
        story.command("promote-full", "go")
    story.run_until(lambda it: it.percent(new) >= 25)
    assert story.percent(kept) == 0


@pytest.mark.parametrize("setup", SETUPS)
def test_the_old_version_stays_while_the_new_one_is_down(setup: str) -> None:
    unless_known("better of the two")
    story = deployed(setup, 3)
    old = story.stable
    story.release("shop:2")
    story.run_until(lambda it: it.is_stable(it.hash_of("shop:2")))
    story.turn(story.hash_of("shop:2"), DOWN)
    story.pass_time(60)
    if old:
        assert story.sizes().get(old), "nothing else is up"


@pytest.mark.parametrize("setup", BY_ROUTER)
def test_the_old_version_goes_when_the_new_one_has_enough_pods_though_one_starts_for_ever(
    setup: str,
) -> None:
    """It is Healthy by its threshold: no clock runs that would end the waiting."""
    half = {"type": "Percent", "value": 50}
    story = deployed(setup, 3, strategy={"replicaProgressThreshold": half})
    new = story.release("shop:2")
    story.run_until(lambda it: it.is_stable(new))
    story.kubelets.blink(story.kubelets.pods(new)[0], 100_000)
    assert story.settle().phase == "Healthy"
    assert not_cleaned_up(story) == []


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("setup", SETUPS)
def test_a_refused_write_holds_up_no_pods(setup: str, refusal: Refusal) -> None:
    unless_known("refusal alone")
    release = deployed(setup, 4)
    release.release("shop:2")
    passed = 0
    for seconds in (0, 4, 15, 25):
        release.pass_time(seconds - passed)
        story, passed = twin(release), seconds
        story.caches.refusals.append(refusal)
        story.edit({"spec": {"replicas": 12}})
        with told(f"refused after {seconds} s", story):
            story.run_until(lambda it: sum(it.sizes().values()) >= 12, 40)


@pytest.mark.parametrize("setup", ["gateway", "several routers"])
def test_a_gateway_that_says_no_more_leaves_nothing_behind(setup: str) -> None:
    unless_known("silent gateway alone")
    story = deployed(setup, 5, progressDeadlineSeconds=30)
    new = story.release("shop:2")
    story.run_until(lambda it: it.percent(new) > 0)
    story.gateway.silent = True
    story.settle(1200)
    assert story.status.phase in ("Healthy", "Degraded")
    assert not_cleaned_up(story) == []
    assert len(story.sizes()) == 1


@pytest.mark.parametrize("replicas", [0, 1])
def test_a_first_deploy_takes_no_users_from_a_deployment_that_it_is_beside(replicas: int) -> None:
    unless_known("narrowed")
    story = Story(SETUPS["router"], 6, replicas=replicas)
    story.present.put(DEPLOYMENT, deployment())
    story.kubelets.behaviours["shop:1"] = Behaviour(ready_after=0.1)
    story.tick(0)
    story.tick(1)
    story.settle(120)
    assert story.shares()["Service checkout"].get("", 0) > 0


def test_the_canary_service_follows_the_stable_one() -> None:
    unless_known("ports")
    story = healthy(7)
    story.release("shop:2")
    assert story.settle().phase == "Healthy"
    story.change_port(9090)
    new = story.release("shop:3")
    assert story.settle().phase == "Healthy"
    assert story.stable == new


@pytest.mark.parametrize("setup", SETUPS)
def test_a_version_that_breaks_long_after_its_promotion_is_told(setup: str) -> None:
    unless_known("down at rest")
    story = deployed(setup, 8)
    story.pass_time(600)
    story.turn(story.hash_of("shop:1"), DOWN)
    story.pass_time(30)
    assert story.status.phase == "Degraded"
    assert "CrashLoopBackOff" in story.status.message


@pytest.mark.parametrize("setup", SETUPS)
def test_a_version_that_crashes_no_more_is_healthy_again(setup: str) -> None:
    """What it depends on is back: each of its pods stays up the next time that it starts."""
    story = deployed(setup, 8)
    first = story.hash_of("shop:1")
    story.turn(first, Behaviour(crashes=True))
    story.pass_time(30)
    assert story.status.phase == "Degraded"
    story.turn(first, Behaviour())
    assert story.settle().phase == "Healthy"
    assert story.users_are_answered()


@pytest.mark.parametrize(
    "setup",
    [
        name
        for name, each in SETUPS.items()
        if "steps" in each.strategy.get("canary", {}) and name != "replicas"
    ],
)
def test_an_autoscaler_that_finds_no_room_stops_no_release(setup: str) -> None:
    unless_known("no room")
    steps = [{"setWeight": 25}, {"pause": {"duration": "10m"}}]
    story = deployed(setup, 9, progressDeadlineSeconds=30, strategy={"steps": steps})
    story.release("shop:2")
    story.run_until(lambda it: it.status.current_step_index == 1)
    story.kubelets.quota = len(story.kubelets.lives)
    story.edit({"spec": {"replicas": 20}})
    story.pass_time(120)
    assert story.status.abort is None, story.status.abort


def test_a_newer_template_after_a_promotion_overloads_nobody() -> None:
    unless_known("overload")
    story = deployed("dynamic", 10)
    new = story.release("shop:2")
    story.run_until(lambda it: it.is_stable(new))
    story.release("shop:3")
    for _ in range(200):
        story.round(1)
        for hash_, share in story.shares()["shop.test"].items():
            ready = sum(map(is_ready, story.kubelets.pods(hash_)))
            assert ready >= share * 10 - 1, (
                f"{share:.0%} of the requests for {ready} pods of {hash_}"
            )
        story.tick(0.3)
