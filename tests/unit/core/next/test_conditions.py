"""Conditions as kstatus, Argo CD and `kubectl wait` read them."""

import pytest

from rollouts.model.finding import Finding
from rollouts.model.route import Route
from tests.unit.core.worlds import (
    CRITERIA,
    Scene,
    at,
    condition,
    evidence,
    holding,
    rolled_back,
    settled,
    spec_of,
    under_way,
)

KINDS = {
    "Ready",
    "Reconciling",
    "Stalled",
    "Progressing",
    "Paused",
    "Aborted",
    "InvalidSpec",
    "Preflight",
}


@pytest.mark.parametrize(
    ("scene", "true"),
    [
        (settled(), {"Ready", "Preflight"}),
        (under_way(25, spec_of([{"setWeight": 50}])), {"Reconciling", "Progressing", "Preflight"}),
        (under_way(25), {"Reconciling", "Paused", "Preflight"}),
        (rolled_back(), {"Stalled", "Aborted", "Preflight"}),
    ],
)
def test_each_phase_holds_its_conditions_and_no_others(scene: Scene, true: set[str]) -> None:
    found = holding(scene.decide().status)
    assert found.keys() == KINDS
    assert {kind for kind, holds in found.items() if holds} == true


def test_a_transition_time_moves_with_the_status_alone() -> None:
    scene = under_way(25, spec_of(successCriteria=CRITERIA), evidence=evidence("pass"))
    first = scene.decide()
    scene = scene.after(first, 30)
    same = scene.decide()
    assert all(entry.last_transition_time == at(0) for entry in same.status.conditions)
    changed = scene.with_(evidence=evidence("fail")).decide().status
    assert condition(changed, "Stalled").last_transition_time == at(30)
    assert condition(changed, "Ready").last_transition_time == at(0)
    assert condition(changed, "Preflight").last_transition_time == at(0)


def test_reasons_and_messages_are_those_of_the_phase() -> None:
    status = rolled_back().decide().status
    assert (condition(status, "Aborted").reason, condition(status, "Ready").reason) == (
        "RolledBack",
        "RolledBack",
    )
    assert condition(status, "Ready").message == status.message
    assert (condition(status, "Paused").reason, condition(status, "Paused").message) == (
        "NotPaused",
        "",
    )
    assert condition(under_way(25).decide().status, "Paused").reason == "PauseStep"
    assert condition(settled().decide().status, "Ready").reason == "Promoted"


def test_findings_are_named_whether_they_block_or_not() -> None:
    findings = (
        Finding("warning", "CookieAffinity", "users stay where they are"),
        Finding("error", "SecondCanary", "another is there"),
    )
    status = settled(route=Route(findings=findings)).decide().status
    preflight = condition(status, "Preflight")
    assert (preflight.status, preflight.reason) == ("False", "SecondCanary")
    assert preflight.message == "another is there; users stay where they are"


def test_a_condition_names_no_endless_list_of_findings() -> None:
    findings = [Finding("warning", "NoProbe", f"finding {number}") for number in range(23)]
    status = settled(route=Route(findings=tuple(findings))).decide().status
    words = condition(status, "Preflight").message.split("; ")
    assert words[19:] == ["finding 19", "and 3 more: `rollouts lint --live` names all"]


def test_the_generation_that_was_seen_is_told() -> None:
    assert settled(generation=12).decide().status.observed_generation == 12


def test_what_preflight_finds_is_an_event_once_unless_it_blocks_which_is_one_by_itself() -> None:
    findings = (
        Finding("error", "SecondCanary", "another is there"),
        Finding("warning", "TargetPortUnknown", "Service checkout leads to the port htpp"),
    )
    scene = settled(route=Route(findings=findings))
    decision = scene.decide()
    assert [each.reason for each in decision.events] == ["Blocked", "TargetPortUnknown"]
    assert not scene.after(decision, 5).decide().events


def test_what_is_not_named_in_the_condition_is_no_event_again_and_again() -> None:
    findings = tuple(Finding("warning", "Odd", f"thing {number} is odd") for number in range(30))
    scene = settled(route=Route(findings=findings))
    decision = scene.decide()
    assert decision.events
    assert not scene.after(decision, 5).decide().events
