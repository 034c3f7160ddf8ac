"""No weight rises, and nothing is promoted, over evidence that is missing or leans."""

from dataclasses import replace
from typing import Any

import pytest

from rollouts.core.plan.actions import SetWeight
from rollouts.model.evidence import Evidence
from rollouts.model.route import Route
from rollouts.model.status import Weights
from tests.unit.core.worlds import (
    CRITERIA,
    NEW,
    Scene,
    at,
    evidence,
    replica_set,
    service,
    spec_of,
    told,
    under_way,
)

STEPS = [{"setWeight": 25}, {"pause": {"duration": "30s"}}, {"setWeight": 50}]
TELLS = "7.14% of 42 canary requests failed, 1% may; about 43 more requests will tell"


def leaning(seconds: float = 0, verdict: str = "inconclusive") -> Evidence:
    return evidence(verdict, seconds=seconds, leans=True, message=TELLS, requests=42, failures=3)


def after_the_pause(found: Evidence, **changes: Any) -> Scene:
    """Return a scene whose pause of 30 s is over for 10 s."""
    spec = changes.pop("spec", spec_of(STEPS, successCriteria=CRITERIA))
    facts = {
        "current_step_index": 1,
        "step_started_at": at(-40),
        "weights": Weights(desired=25, applied=25, applied_at=at(-60)),
        "evidence": found,
        **changes,
    }
    return under_way(25, spec).with_(**facts)


def test_what_leans_keeps_the_weight_and_says_how_much_will_tell() -> None:
    decision = after_the_pause(leaning()).decide()
    status = decision.status
    assert (status.phase, status.current_step_index, status.weights.desired) == (
        "Progressing",
        1,
        25,
    )
    assert status.message == f"step 2/3 at 25 %: errors: {TELLS}"
    assert status.leaning_since == at(0)
    assert decision.requeue_after_seconds == 600, "then a person is asked"


@pytest.mark.parametrize("policy", ["proceed", "pause"])
@pytest.mark.parametrize("verdict", ["inconclusive", "pass"])
def test_it_does_so_whatever_on_inconclusive_says(policy: str, verdict: str) -> None:
    """A pass by all requests does not outweigh the last ones."""
    steps = [{"setWeight": 25}, {"analysis": {"duration": "30s"}}, {"setWeight": 50}]
    criteria = [{**CRITERIA[0], "onInconclusive": policy}]
    spec = spec_of(steps, successCriteria=criteria)
    status = after_the_pause(leaning(verdict=verdict), spec=spec).decide().status
    assert (status.current_step_index, status.weights.desired) == (1, 25)
    assert TELLS in status.message


def test_after_a_while_a_person_is_asked_once() -> None:
    scene = after_the_pause(leaning(), leaning_since=at(-600))
    decision = scene.decide()
    assert (decision.status.phase, told(decision)) == ("Paused", ["Inconclusive"])
    assert decision.status.pause is not None
    assert decision.status.pause.reason == "Inconclusive"
    again = scene.after(decision).decide()
    assert (again.status.phase, told(again)) == ("Paused", [])


def test_how_long_is_the_specs_to_say() -> None:
    spec = spec_of(STEPS, successCriteria=CRITERIA, inconclusiveWaitSeconds=60)
    assert after_the_pause(leaning(), spec=spec).decide().requeue_after_seconds == 60
    late = after_the_pause(leaning(), spec=spec, leaning_since=at(-60))
    assert late.decide().status.phase == "Paused"


def test_it_goes_on_by_itself_when_the_evidence_turns() -> None:
    held = after_the_pause(leaning(), leaning_since=at(-700))
    held = held.after(held.decide())
    status = held.with_(evidence=evidence("inconclusive", seconds=0)).decide().status
    assert (status.current_step_index, status.weights.desired) == (2, 50)
    assert (status.leaning_since, status.pause) == (None, None)


def test_a_rise_that_was_begun_waits_when_the_evidence_turns_before_its_pods_are_there() -> None:
    begun = {
        "current_step_index": 2,
        "weights": Weights(desired=50, applied=25, applied_at=at(-60)),
    }
    scene = after_the_pause(leaning(), **begun).evolve(replica_set(NEW, 2))
    scene = scene.serving(canary=service("checkout-canary", NEW, newhash=2))
    decision = scene.decide()
    assert not any(isinstance(each, SetWeight) for each in decision.actions)
    assert TELLS in decision.status.message
    assert decision.status.unsettled_since is None, "the progress deadline is about pods and routes"
    good = scene.with_(evidence=evidence("inconclusive", seconds=0)).decide()
    assert any(isinstance(each, SetWeight) for each in good.actions)


def test_nothing_is_promoted_that_leans() -> None:
    spec = spec_of([{"setWeight": 100}], successCriteria=CRITERIA)
    scene = under_way(100, spec, current_step_index=1, step_started_at=at(-10))
    status = scene.with_(evidence=leaning()).decide().status
    assert status.stable_revision != status.current_revision
    assert TELLS in status.message
    good = evidence("inconclusive", seconds=0, value=0.001)
    assert told(scene.with_(evidence=good).decide()) == ["Promoted"]


def test_a_switch_of_blue_green_waits_for_what_leans_on_the_preview() -> None:
    switching = {
        "activeService": "checkout",
        "previewService": "checkout-canary",
        "autoPromotionSeconds": 30,
    }
    spec = spec_of(strategy={"blueGreen": switching}, successCriteria=CRITERIA)
    scene = under_way(0, spec, current_step_index=1, step_started_at=at(-40), route=Route())
    scene = scene.with_(weights=Weights(), canary_scale=4).evolve(replica_set(NEW, 4))
    scene = scene.serving(canary=service("checkout-canary", NEW, newhash=4))
    held = scene.with_(evidence=leaning()).decide().status
    assert (held.current_step_index, held.weights.desired) == (1, 0)
    assert scene.with_(evidence=evidence(seconds=0)).decide().status.weights.desired == 100


def test_a_header_route_opens_to_nobody_over_what_leans() -> None:
    match = [{"headerName": "x-tester", "headerValue": {"exact": "yes"}}]
    steps = [{"setWeight": 25}, {"setHeaderRoute": {"name": "testers", "match": match}}]
    scene = under_way(25, spec_of(steps, successCriteria=CRITERIA))
    assert scene.with_(evidence=leaning()).decide().status.current_step_index == 0
    assert scene.with_(evidence=evidence(seconds=0)).decide().status.current_step_index == 1


def test_a_fall_waits_for_nothing() -> None:
    spec = spec_of([{"setWeight": 25}, {"setWeight": 5}], successCriteria=CRITERIA)
    status = under_way(25, spec, evidence=leaning()).decide().status
    assert (status.current_step_index, status.weights.desired) == (1, 5)


def test_who_promotes_to_the_end_takes_it_upon_themselves() -> None:
    scene = after_the_pause(leaning()).commanded("promote-full")
    assert scene.decide().status.weights.desired == 100


def test_a_person_passes_what_leans_and_the_rise_is_made() -> None:
    scene = after_the_pause(leaning(), promoted="Evidence")
    decision = scene.decide()
    assert decision.status.weights.desired == 50
    begun = scene.after(decision).evolve(replica_set(NEW, 2))
    begun = begun.serving(canary=service("checkout-canary", NEW, newhash=2))
    assert any(isinstance(each, SetWeight) for each in begun.decide().actions)
    risen = begun.with_(route=Route(exists=True, weight=50, highest=50)).decide().status
    assert (risen.weights.applied, risen.promoted) == (50, ""), "it was for this rise alone"


# What was seen covers the step.


def test_a_pause_goes_on_until_a_scrape_from_after_its_end_was_looked_at() -> None:
    scene = after_the_pause(evidence("inconclusive", seconds=-11))
    status = scene.decide().status
    assert (status.phase, status.current_step_index) == ("Progressing", 1)
    assert status.message == (
        "step 2/3 at 25 %: the step's time is over, and a scrape from after its end has to be measured first"
    )
    assert scene.with_(evidence=evidence(seconds=-10)).decide().status.current_step_index == 2


def test_an_analysis_does_so_as_well() -> None:
    steps = [{"setWeight": 25}, {"analysis": {"duration": "30s"}}, {"setWeight": 50}]
    spec = spec_of(steps, successCriteria=CRITERIA)
    assert after_the_pause(evidence(seconds=-11), spec=spec).decide().status.current_step_index == 1
    assert after_the_pause(evidence(seconds=-10), spec=spec).decide().status.current_step_index == 2


def test_who_wants_it_blind_says_so() -> None:
    pause = {"pause": {"duration": "30s", "waitForEvidence": False}}
    spec = spec_of([STEPS[0], pause, STEPS[2]], successCriteria=CRITERIA)
    looked = evidence("inconclusive", seconds=-11)
    status = after_the_pause(looked, spec=spec).decide().status
    assert status.weights.desired == 50


def test_without_criteria_a_pause_ends_by_the_clock() -> None:
    scene = after_the_pause(Evidence(), spec=spec_of(STEPS))
    assert scene.decide().status.current_step_index == 2


def test_no_weight_rises_on_a_scrape_that_is_a_moment_younger_than_the_last_rise() -> None:
    spec = spec_of([{"setWeight": 25}, {"setWeight": 50}], successCriteria=CRITERIA)
    scene = under_way(25, spec)  # applied 8 s ago
    early = replace(evidence("inconclusive", seconds=-7), scrape_interval_seconds=5.0)
    status = scene.with_(evidence=early).decide().status
    assert status.weights.desired == 25
    assert "waits for the first whole measurement of the success criteria at 25 %" in status.message
    whole = replace(evidence("inconclusive", seconds=-3), scrape_interval_seconds=5.0)
    assert scene.with_(evidence=whole).decide().status.weights.desired == 50


def test_as_much_has_to_be_seen_as_went_unseen() -> None:
    missed = evidence("inconclusive", seconds=0, requests=2600, failures=0, unseen=143)
    status = after_the_pause(missed).decide().status
    assert (status.current_step_index, status.phase) == (1, "Progressing")
    assert status.message == (
        "step 2/3 at 25 %: errors: about 143 more canary requests have to be seen, to make up for those"
        " that went unseen while nothing was scraped"
    )
    seen = evidence("inconclusive", seconds=0, requests=2743, failures=0, unseen=0)
    assert after_the_pause(seen).decide().status.current_step_index == 2


def test_a_pause_that_is_over_says_when_nothing_can_be_measured() -> None:
    silent = evidence("error", seconds=0, errors=5, message="Prometheus does not answer")
    status = after_the_pause(silent).decide().status
    assert (status.phase, status.current_step_index) == ("Paused", 1)
    assert status.pause is not None
    assert status.pause.reason == "MetricsUnavailable"
    assert "can't be measured: Prometheus does not answer" in status.message


def begun_rise(**changes: Any) -> Scene:
    """Return a scene whose rise to 50 % was decided, with all in place to make it."""
    begun = {
        "current_step_index": 2,
        "weights": Weights(desired=50, applied=25, applied_at=at(-60)),
        **changes,
    }
    scene = after_the_pause(begun.pop("evidence", Evidence()), **begun).evolve(replica_set(NEW, 2))
    return scene.serving(canary=service("checkout-canary", NEW, newhash=2))


def weights_set(scene: Scene) -> list[int]:
    actions = scene.decide().actions
    return [each.split.percent for each in actions if isinstance(each, SetWeight)]


def test_a_controller_that_has_just_started_goes_on_with_a_rise_that_was_decided() -> None:
    assert weights_set(begun_rise()) == [50]


@pytest.mark.parametrize("found", [Evidence(), leaning()])
def test_what_a_predecessor_has_raised_already_is_not_taken_back(found: Evidence) -> None:
    """It died before it wrote that down: the traffic must not go to and fro."""
    made = Route(exists=True, weight=50, highest=50)
    scene = begun_rise(evidence=found, route=made)
    assert weights_set(scene) == []
    assert scene.decide().status.weights.applied == 50
    half = Route(exists=True, weight=None, highest=50)
    assert 25 not in weights_set(begun_rise(evidence=found, route=half))


HEADER = {"name": "testers", "match": [{"headerName": "x", "headerValue": {"exact": "1"}}]}
ROUTED = [{"setWeight": 25}, {"setHeaderRoute": HEADER}, {"pause": {}}]


def opening(**changes: Any) -> Scene:
    """Return a scene that has entered a step which opens a header route."""
    facts = {
        "current_step_index": 1,
        "weights": Weights(desired=25, applied=25, applied_at=at(-60)),
        "route": Route(exists=True, weight=25, highest=25, routes_match=False),
        **changes,
    }
    return canary_with_header(facts)


def canary_with_header(facts: dict[str, Any]) -> Scene:
    return under_way(25, spec_of(ROUTED, successCriteria=CRITERIA)).with_(**facts)


def test_a_header_route_waits_for_what_leans_says_so_and_runs_into_no_deadline() -> None:
    waiting = opening(evidence=leaning()).decide()
    assert waiting.status.message == f"step 2/3 at 25 %: errors: {TELLS}"
    assert waiting.status.unsettled_since is None
    assert not any(isinstance(each, SetWeight) for each in waiting.actions)


def test_a_person_opens_a_header_route_over_what_leans() -> None:
    scene = opening(evidence=leaning(), promoted="Evidence")
    (written,) = [each for each in scene.decide().actions if isinstance(each, SetWeight)]
    assert written.split.names == ["testers"]
    before = opening(evidence=leaning(), promoted="Evidence", current_step_index=0)
    entered = before.decide().status
    assert (entered.current_step_index, entered.promoted) == (1, "Evidence")


@pytest.mark.parametrize(
    ("found", "since"),
    [
        (evidence("error", seconds=0, errors=1), -500),
        (Evidence(), -500),
        (evidence("inconclusive", seconds=0), None),
    ],
)
def test_a_look_without_an_answer_does_not_end_the_time_of_what_leans(
    found: Evidence, since: float | None
) -> None:
    status = after_the_pause(found, leaning_since=at(-500)).decide().status
    assert status.leaning_since == (at(since) if since is not None else None)


def test_a_gate_says_what_leans_before_a_person_passes_it() -> None:
    spec = spec_of([{"setWeight": 25}, {"pause": {}}], successCriteria=CRITERIA)
    status = after_the_pause(leaning(), spec=spec).decide().status
    assert status.message == (
        f"step 2/2 at 25 %: waits for a person to promote or abort it; beside that, errors: {TELLS}"
    )
