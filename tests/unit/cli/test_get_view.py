import io
from datetime import timedelta

import pytest
from rich.console import Console

from rollouts.cli.get_view import age, render, step_in_short
from rollouts.cli.rollout_info import RolloutInfo, rollout_info_of
from rollouts.model.kinds import JSON
from rollouts.model.strategy import STEP_KINDS
from tests.unit.cli.objects import (
    NOW,
    ago,
    changed,
    hash_of,
    healthy,
    pod,
    preflight,
    progressing,
    replica_set,
    rolled_back,
    rollout,
)


def info(status: JSON | None) -> RolloutInfo:
    sets = [replica_set(1, 0), replica_set(2, 4), replica_set(3, 2)]
    pods = [pod(2, suffix) for suffix in ("aaaaa", "bbbbb", "ccccc", "ddddd")]
    pods += [pod(3, "eeeee"), pod(3, "fffff", problem="CrashLoopBackOff", restarts=4)]
    return rollout_info_of(rollout(3, status), sets, pods)


def drawn(status: JSON | None, *, width: int = 80, height: int | None = None) -> list[str]:
    console = Console(file=io.StringIO(), width=width, highlight=False, no_color=True)
    console.print(render(info(status), NOW, console, height=height))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("status", [progressing(3), rolled_back(3), healthy(3), None])
def test_no_line_is_wider_than_the_terminal(status: JSON | None, width: int) -> None:
    assert max(len(line) for line in drawn(status, width=width)) <= width


@pytest.mark.parametrize("height", [23, 18, 16])
def test_it_fits_the_height_and_keeps_what_matters_most(height: int) -> None:
    lines = drawn(progressing(3), height=height)
    assert len(lines) <= height
    text = "\n".join(lines)
    for words in ("● Progressing", "▶ analysis 5m", "25 % canary", "CrashLoopBackOff", "? errors"):
        assert words in text


def test_a_promotion_under_way_and_a_rollback_look_different() -> None:
    promoting = "\n".join(drawn(progressing(3, currentStepIndex=7)))
    assert "▶ promotion" in promoting
    stopped = "\n".join(drawn(rolled_back(3)))
    assert "✗ analysis 5m" in stopped
    assert "3 rolled back" in stopped
    assert "✗ errors" in stopped


def test_the_steps_are_those_by_which_the_release_is_run() -> None:
    """A list that was edited in the middle may not be the one that the release is held by."""
    steps = [{"setWeight": 7}, {"setWeight": 8}, {"setWeight": 9}, {"setWeight": 11}]
    effective = {"strategy": {"canary": {"steps": steps}}}
    assert "▶ 11 %" in "\n".join(drawn(progressing(3, effectiveSpec=effective)))


def test_the_strategy_and_the_criteria_are_those_by_which_the_release_is_run() -> None:
    """A strategy that was changed in the middle of a release waits: the old one still moves it."""
    held = {"reason": "StrategyChanged", "at": ago(5)}
    criteria = [{"name": "p99", "latency": {"quantile": 0.99, "max": "500ms"}}]
    effective = {"strategy": {"blueGreen": {}}, "successCriteria": criteria}
    status = progressing(3, phase="Paused", pause=held, effectiveSpec=effective)
    text = "\n".join(drawn(status))
    assert "● Paused  blueGreen\n" in text
    assert "canary through nginx" not in text
    assert "p99" in text
    assert "conversion" not in text


def text_of(status: JSON, *pods: JSON) -> str:
    sets = [replica_set(1, 0), replica_set(2, 1)]
    console = Console(file=io.StringIO(), width=100, no_color=True)
    console.print(render(rollout_info_of(rollout(2, status), sets, pods), NOW, console))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_pod_that_was_evicted_is_called_so_and_is_no_pod_of_its_revision() -> None:
    evicted = {"phase": "Failed", "reason": "Evicted", "containerStatuses": []}
    gone = [changed(pod(number, "gone"), **evicted) for number in (1, 2)]
    text = text_of(healthy(2), pod(2, "aaaaa"), *gone)
    assert "1/1 ready" in text
    (line,) = (each for each in text.splitlines() if f"{hash_of(2)}-gone" in each)
    assert "− " in line
    assert "Evicted" in line
    assert "no pods" in text, "of the revision before"


def test_a_comparison_is_shown_in_times() -> None:
    body = rollout(3, progressing(3))
    body["spec"]["successCriteria"][0] = {"name": "errors", "errorRate": {"maxRatioToStable": 1.5}}
    status = body["status"]["criteria"][0]
    status |= {"value": 0.96, "limit": 1.5}
    console = Console(file=io.StringIO(), width=100, no_color=True)
    console.print(render(rollout_info_of(body, [replica_set(3, 2)], []), NOW, console))
    assert isinstance(console.file, io.StringIO)
    (line,) = (each for each in console.file.getvalue().splitlines() if "? errors" in each)
    assert "0.96 ×" in line
    assert "≤ 1.5 ×" in line


def test_what_no_controller_has_seen_is_new() -> None:
    assert "● New" in drawn(None)[0]


SHOWN: list[tuple[JSON, str]] = [
    ({"setWeight": 5}, "5 %"),
    ({"pause": {}}, "pause until promoted"),
    ({"pause": {"duration": 90}}, "pause 1m30s"),
    ({"analysis": {"duration": "5m"}}, "analysis 5m"),
    ({"setCanaryScale": {"replicas": 3}}, "3 pods"),
    ({"setCanaryScale": {"weight": 50}}, "size 50 %"),
    ({"setCanaryScale": {"matchTrafficWeight": True}}, "size as weight"),
    ({"pause": {"duration": "soon"}}, "pause soon"),
    (
        {"setHeaderRoute": {"name": "testers", "match": [{"headerName": "x"}]}},
        "setHeaderRoute testers",
    ),
    ({"setHeaderRoute": {"name": "testers"}}, "setHeaderRoute testers ends"),
    ({"setMirrorRoute": {"name": "copy", "percentage": 10}}, "setMirrorRoute copy"),
    ({"setMirrorRoute": {"name": "copy", "match": [{}]}}, "setMirrorRoute copy"),
    ({"setMirrorRoute": {"name": "copy", "percentage": 0}}, "setMirrorRoute copy ends"),
    ({"setMirrorRoute": None}, "setMirrorRoute ? ends"),
    ({}, "?"),
]


@pytest.mark.parametrize(("step", "label"), SHOWN)
def test_a_step_in_a_few_words(step: JSON, label: str) -> None:
    assert step_in_short(step) == label


def test_every_kind_of_step_is_shown() -> None:
    """One that is not known here would be shown as a pause without an end."""
    assert {kind for step, _ in SHOWN for kind in step} == set(STEP_KINDS)


def test_ages_are_as_kubectl_has_them() -> None:
    view = info(progressing(3)).revisions[0].pods[0]
    assert age(NOW, view.created_at) == "70s"
    assert age(NOW, NOW - timedelta(seconds=200)) == "3m20s"
    assert age(NOW, NOW + timedelta(seconds=200)) == "0s"
    assert age(NOW, None) == "–"


def test_what_preflight_finds_stands_below_the_phase_however_healthy_it_is() -> None:
    status = {
        **healthy(3),
        "conditions": [preflight("TargetPortUnknown", "Service x leads to htpp")],
    }
    assert "! Preflight: Service x leads to htpp" in drawn(status)[2]
    assert "! Preflight" not in "\n".join(drawn(healthy(3)))


def test_on_a_low_terminal_preflight_is_one_word() -> None:
    status = {**progressing(3), "conditions": [preflight("TargetPortUnknown", "long " * 200)]}
    lines = drawn(status, height=19)
    assert len(lines) <= 19
    assert "! Preflight: TargetPortUnknown" in lines
