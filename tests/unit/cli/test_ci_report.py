"""What CI is told of a release: JUnit's XML, and Markdown."""

from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest

from rollouts.model.kinds import JSON
from tests.unit.cli.conftest import FakeRequests, Ran
from tests.unit.cli.objects import hash_of, healthy, history, progressing, rolled_back, rollout
from tests.unit.cli.test_history import LATE, record, release

Run = Callable[..., Ran]
FAILED = "errors: 8.1% of 74 canary requests failed, 1% may (odds against it 212 : 1)"


def ended(version: int) -> JSON:
    """Return the record of the release that `rolled_back` is the status of."""
    status = rolled_back(version)
    return release(
        version,
        "RolledBack",
        message=f"revision {version} is rolled back: {FAILED}",
        reason=FAILED,
        criteria=status["criteria"],
        decisions=[each for each in status["history"] if each["revision"] == version],
        step="4/7",
    )


def waited(rollouts: Run, output: str, *more: str) -> Ran:
    return rollouts("wait", "checkout", "--timeout", "0s", "--output", output, *more)


def parsed(ran: Ran) -> ET.Element:
    assert ran.out.startswith('<?xml version="1.0" encoding="utf-8"?>\n<testsuites ')
    return ET.fromstring(ran.out)


def test_junit_has_the_release_and_its_criteria_as_tests(
    rollouts: Run, cluster: FakeRequests
) -> None:
    cluster.add("Rollout", rollout(3, rolled_back(3)))
    cluster.add("ReleaseRecord", record(ended(3)))
    ran = waited(rollouts, "junit")
    root = parsed(ran)
    (suite,) = root
    assert ran.code == 1
    for each in (root, suite):
        counts = {name: each.get(name) for name in ("tests", "failures", "errors", "skipped")}
        assert counts == {"tests": "2", "failures": "2", "errors": "0", "skipped": "0"}
        assert each.get("time") == "95.000"
    whole, errors = suite.findall("testcase")
    assert whole.get("name") == "revision 3 is promoted"
    failure = whole.find("failure")
    assert failure is not None
    assert (failure.get("type"), FAILED in str(failure.get("message"))) == ("rolled-back", True)
    assert (errors.get("classname"), errors.get("name")) == ("shop.checkout.criteria", "errors")
    assert [each.text for each in errors] == [FAILED]
    told = str(suite.findtext("system-out"))
    assert "revision 3 is to replace revision 2 in 7 steps" in told
    properties = {each.get("name"): each.get("value") for each in suite.iter("property")}
    assert properties["outcome"] == "rolled-back"
    assert properties["step"] == "4/7"


def test_junit_of_a_promotion_passes_and_what_was_not_decided_is_skipped(
    rollouts: Run, cluster: FakeRequests
) -> None:
    unsure = {"name": "p99", "verdict": "inconclusive", "message": "needs more"}
    broken = {"name": "sales", "verdict": "error", "message": "Prometheus: no such host"}
    cluster.add("Rollout", rollout(3, healthy(3)))
    cluster.add("ReleaseRecord", record(release(3, criteria=[unsure, broken])))
    ran = waited(rollouts, "junit")
    assert ran.code == 0
    (suite,) = parsed(ran)
    assert [suite.get(each) for each in ("failures", "errors", "skipped")] == ["0", "1", "1"]
    assert [[part.tag for part in each] for each in suite.findall("testcase")] == [
        [],
        ["skipped"],
        ["error"],
    ]


def test_github_has_a_summary_with_reason_criteria_and_decisions(
    rollouts: Run, cluster: FakeRequests
) -> None:
    cluster.add("Rollout", rollout(3, rolled_back(3)))
    cluster.add("ReleaseRecord", record({**ended(3), "startedBy": "bob"}))
    ran = waited(rollouts, "github")
    lines = ran.out.splitlines()
    assert ran.code == 1
    assert lines[0] == "### ❌ shop/checkout revision 3: rolled-back"
    assert FAILED in lines[2]
    assert (
        "| rolled-back | 1 | demo/checkout:3.0 | 4/7 | 1m35s | 3,702 | 3 | started by bob |"
        in lines
    )
    assert f"| errors | ❌ fail | 6 / 74 | 4 / 3,702 | {FAILED} |" in lines
    assert "#### Decisions" in lines
    assert any(each.endswith("| the canary has 25 % of the traffic |") for each in lines)


@pytest.mark.parametrize("output", ["junit", "github"])
def test_what_goes_on_is_told_by_status(rollouts: Run, cluster: FakeRequests, output: str) -> None:
    cluster.add("Rollout", rollout(3, progressing(3)))
    ran = waited(rollouts, output)
    assert ran.code == 3
    assert "timed-out" in ran.out
    for told in ("4/7", "1,234", "conversion", "the canary has 25 % of the traffic"):
        assert told in ran.out


@pytest.mark.parametrize("output", ["junit", "github"])
def test_without_records_the_outcome_is_told(
    rollouts: Run, cluster: FakeRequests, output: str
) -> None:
    cluster.add("Rollout", rollout(3, healthy(3)))
    cluster.forbidden = ("ReleaseRecord",)
    ran = waited(rollouts, output)
    assert ran.code == 0
    assert "promoted" in ran.out


def test_words_of_others_are_neither_markup_nor_control_characters(
    rollouts: Run, cluster: FakeRequests
) -> None:
    evil = '<script>alert(1)</script> | @everyone [x](y)\x1b[2J\x00 "]]>'
    cluster.add("Rollout", rollout(3, healthy(3)))
    cluster.add("ReleaseRecord", record(release(3, decisions=[history("Command", 3, 9, evil)])))
    (suite,) = parsed(waited(rollouts, "junit"))
    assert "<script>alert(1)</script>" in str(suite.findtext("system-out"))
    summary = waited(rollouts, "github").out
    assert "&lt;script>alert(1)&lt;/script> \\| &#64;everyone \\[x](y)" in summary
    assert "\x1b" not in summary


def test_set_image_tells_ci_what_it_waited_for(rollouts: Run, cluster: FakeRequests) -> None:
    def promoted(made: JSON) -> None:
        made["status"] = healthy(3)
        made["status"]["observedGeneration"] = made["metadata"]["generation"]

    cluster.add("Rollout", rollout(2, healthy(2)))
    cluster.add("ReleaseRecord", record(release(3)))
    cluster.on_patch = promoted
    given = ("set-image", "checkout", "web=demo/checkout:3.0", "--output", "github")
    ran = rollouts(*given, "--wait")
    assert (ran.code, ran.out.splitlines()[0]) == (
        0,
        "### ✅ shop/checkout revision 3: promoted",
    )
    assert hash_of(3) in ran.err
    ran = rollouts(*given)
    assert (ran.code, ran.err) == (
        2,
        "rollouts: --output github tells how a release ended; add --wait\n",
    )


def test_a_rollback_after_the_promotion_is_told(rollouts: Run, cluster: FakeRequests) -> None:
    cluster.add("Rollout", rollout(4, healthy(4)))
    late = release(2, "RolledBack", message=f"revision 2 is rolled back: {LATE}", reason=LATE)
    cluster.add("ReleaseRecord", record(late))
    ran = waited(rollouts, "github", "--revision", "2")
    assert ran.code == 1
    assert LATE in ran.out
