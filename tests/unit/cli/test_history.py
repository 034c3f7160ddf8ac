"""What became of earlier releases: `history`, `get --revision`, and `wait` after the fact."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from rollouts.errors import NotFound
from rollouts.model.kinds import JSON, ROLLOUT_LABEL
from rollouts.model.status import ReleaseRecord
from tests.unit.cli.conftest import FakeRequests, Ran
from tests.unit.cli.objects import (
    ago,
    criterion,
    hash_of,
    healthy,
    history,
    progressing,
    revision,
    rollout,
)

Run = Callable[..., Ran]
LATE = "p99: 8.1% of 74 canary requests took longer than 500ms, 1% may"


def release(number: int, outcome: str = "Promoted", **changes: Any) -> JSON:
    """Return what is on record of a release that ended as long ago as later ones have been made."""
    before = 7200 - 600 * number
    return {
        "revision": revision(number),
        "stable": revision(number - 1),
        "outcome": outcome,
        "message": f"revision {number} ended {outcome}",
        "startedAt": ago(before),
        "endedAt": ago(before - 95),
        "step": "7/7",
        "weight": 100,
        "enteredSteps": ["setWeight 5", "promotion"],
        "exposure": {"canaryRequests": 1234 * number, "canaryFailures": number},
        "criteria": [criterion("errors", "pass", 0.002, 0.01, requests=1234, failures=3)],
        "decisions": [history("RolloutStarted", number, before)],
        **changes,
    }


def record(spec: JSON) -> JSON:
    name = ReleaseRecord.model_validate(spec).object_name("checkout")
    labels = {ROLLOUT_LABEL: "checkout"}
    return {"metadata": {"namespace": "shop", "name": name, "labels": labels}, "spec": spec}


ROLLED_BACK = release(
    2,
    "RolledBack",
    message=f"revision 2 is rolled back to revision 1: {LATE}",
    reason=LATE,
    abortedBy="rollouts",
    startedBy="bob",
    step="3/7",
    weight=25,
)


def lines(ran: Ran) -> list[list[str]]:
    return [line.split() for line in ran.out.splitlines()]


@pytest.fixture
def told(rollouts: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return the command line as a pipe sees it."""
    monkeypatch.delenv("COLUMNS")
    return rollouts


def test_history_lists_releases_with_outcome_numbers_reason_and_who(
    told: Run, cluster: FakeRequests
) -> None:
    cluster.add("Rollout", rollout(3, healthy(3)))
    carol = release(3, promotedBy="carol")
    cluster.add("ReleaseRecord", *map(record, (release(1), carol, ROLLED_BACK)))
    ran = told("history", "checkout")
    assert (ran.code, ran.err) == (0, "")
    heads, third, second, first = lines(ran)
    assert heads[:4] == ["REVISION", "OUTCOME", "STEP", "TOOK"]
    assert third[:4] == ["3", "Promoted", "7/7", "1m35s"]
    assert third[5:8] == ["3,702", "3", "demo/checkout:3.0"]
    assert " ".join(third[8:]) == "revision 3 ended Promoted (promoted by carol)"
    assert second[:3] == ["2", "RolledBack", "3/7"]
    assert " ".join(second[8:]) == f"{LATE} (started by bob)"
    assert first[:2] == ["1", "Promoted"]


def test_history_is_a_document_for_programs(told: Run, cluster: FakeRequests) -> None:
    cluster.add("Rollout", rollout(3, healthy(3)))
    cluster.add("ReleaseRecord", record(release(1)), record(release(3)))
    document = json.loads(told("history", "checkout", "--output", "json").out)
    assert (document["rollout"], document["namespace"]) == ("checkout", "shop")
    assert [each["revision"]["number"] for each in document["releases"]] == [3, 1]
    assert document["releases"][0]["durationSeconds"] == 95
    assert (document["missing"], document["unreadable"], document["kept"]) == ([2], [], True)


def test_what_waits_in_status_is_listed_and_wins(told: Run, cluster: FakeRequests) -> None:
    late = release(3, "RolledBack", reason="taken back")
    cluster.add("Rollout", rollout(3, {**healthy(3), "unrecorded": [late]}))
    cluster.add("ReleaseRecord", *map(record, (release(1), release(2), release(3))))
    ran = told("history", "checkout")
    assert [each[:2] for each in lines(ran)[1:]] == [
        ["3", "RolledBack"],
        ["2", "Promoted"],
        ["1", "Promoted"],
    ]


def test_half_of_the_records_gone_is_said_and_the_rest_is_shown(
    told: Run, cluster: FakeRequests
) -> None:
    cluster.add("Rollout", rollout(6, healthy(6)))
    cluster.add("ReleaseRecord", *map(record, (release(1), release(4), release(5))))
    ran = told("history", "checkout")
    assert (ran.code, ran.err) == (0, "checkout: there is no record of revisions 2, 3, 6\n")
    assert [each[0] for each in lines(ran)[1:]] == ["5", "4", "1"]


@pytest.mark.parametrize(
    "spec",
    [{}, None, {"outcome": "Lost"}, {**release(2), "startedAt": "yesterday"}, {"revision": 7}],
)
def test_a_record_that_can_t_be_read_is_left_out_and_named(
    told: Run, cluster: FakeRequests, spec: JSON | None
) -> None:
    cluster.add("Rollout", rollout(3, healthy(3)))
    cluster.add("ReleaseRecord", {**record(release(2)), "spec": spec}, record(release(3)))
    ran = told("history", "checkout")
    name = record(release(2))["metadata"]["name"]
    assert ran.code == 0
    assert f"what is in {name} can't be read as a record, and is left out" in ran.err
    assert [each[0] for each in lines(ran)[1:]] == ["3"]


def test_without_any_record_it_says_so(told: Run, cluster: FakeRequests) -> None:
    cluster.add("Rollout", rollout(3, healthy(3)))
    assert told("history", "checkout").out == "checkout: there is no record of any release.\n"


def test_without_the_kind_it_says_how_to_get_it(
    told: Run, cluster: FakeRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unknown(*_: object) -> list[JSON]:
        raise NotFound("the server could not find the requested resource")

    cluster.add("Rollout", rollout(3, {**healthy(3), "unrecorded": [release(3)]}))
    monkeypatch.setattr(cluster, "select", unknown)
    ran = told("history", "checkout")
    assert ran.code == 0
    assert "does not know the kind ReleaseRecord; install it: `rollouts crd" in ran.err
    assert lines(ran)[1][:2] == ["3", "Promoted"]


def test_who_may_not_read_records_is_told(told: Run, cluster: FakeRequests) -> None:
    cluster.add("Rollout", rollout(3, healthy(3)))
    cluster.forbidden = ("ReleaseRecord",)
    ran = told("history", "checkout")
    assert ran.code == 1
    assert "releaserecords is forbidden. Ask for the permission" in ran.err


def test_nothing_in_a_record_steers_the_terminal(told: Run, cluster: FakeRequests) -> None:
    evil = release(3, promotedBy="\x1b[2Jcarol", message="all\nis\x07well")
    cluster.add("Rollout", rollout(3, healthy(3)))
    cluster.add("ReleaseRecord", record(evil))
    for arguments in (["history", "checkout"], ["get", "checkout", "--revision", "3"]):
        printed = told(*arguments).out
        assert "\x1b" not in printed
        assert "all is well" in printed


@pytest.mark.parametrize("named", ["2", hash_of(2)])
def test_get_shows_a_release_that_is_over_with_all_that_is_known(
    told: Run, cluster: FakeRequests, named: str
) -> None:
    cluster.add("Rollout", rollout(3, healthy(3)))
    again = {**ROLLED_BACK, "startedAt": ago(5000), "outcome": "Superseded"}
    cluster.add("ReleaseRecord", *map(record, (ROLLED_BACK, again, release(3))))
    ran = told("get", "checkout", "--revision", named)
    assert ran.code == 0
    assert ran.out.startswith("shop/checkout  revision 2  ● Superseded\n")
    for told_of in (
        f"revision 2 is rolled back to revision 1: {LATE}",
        "demo/checkout:2.0",
        "revision 1 (demo/checkout:1.0)",
        "started by bob",
        "3/7 at 25 %",
        "setWeight 5 → promotion",
        "2,468 requests, 2 of them failed",
        "✓ errors  3 of 1,234 requests count against it",
        "revision 2: RolloutStarted",
        "The last of 2 attempts at this revision",
    ):
        assert told_of in ran.out


def test_get_prints_a_release_as_a_document(told: Run, cluster: FakeRequests) -> None:
    cluster.add("Rollout", rollout(3, healthy(3)))
    cluster.add("ReleaseRecord", record(ROLLED_BACK))
    ran = told("get", "checkout", "--revision", "2", "--output", "json")
    assert json.loads(ran.out)["reason"] == LATE


def test_get_of_the_revision_that_is_under_way_is_the_live_one(
    told: Run, cluster: FakeRequests
) -> None:
    """Also when there was an attempt at it before."""
    cluster.add("Rollout", rollout(3, progressing(3)))
    cluster.add("ReleaseRecord", record(release(3, "RolledBack")))
    assert told("get", "checkout", "--revision", "3").out == told("get", "checkout").out


def test_get_of_what_is_not_on_record_names_what_is(told: Run, cluster: FakeRequests) -> None:
    cluster.add("Rollout", rollout(3, healthy(3)))
    cluster.add("ReleaseRecord", record(release(2)), record(release(3)))
    ran = told("get", "checkout", "--revision", "1")
    assert ran.code == 1
    assert ran.err == (
        "rollouts: checkout has no record of revision 1; there are records of 2, 3\n"
    )
    assert told("get", "checkout", "--revision", "1", "--watch").code == 2


@pytest.mark.parametrize(
    ("records", "code", "words"),
    [
        ([release(2)], 0, "revision 2 ended Promoted"),
        ([ROLLED_BACK], 1, f"revision 2 is rolled back to revision 1: {LATE}"),
        ([release(2, "Superseded")], 5, "revision 2 was superseded before it was promoted"),
        ([release(3)], 5, "what became of revision 2 is not known any more"),
    ],
)
def test_wait_after_the_fact_knows_what_became_of_it(
    rollouts: Run, cluster: FakeRequests, records: list[JSON], code: int, words: str
) -> None:
    cluster.add("Rollout", rollout(4, healthy(4)))
    cluster.add("ReleaseRecord", *map(record, records))
    ran = rollouts("wait", "checkout", "--revision", "2", "--timeout", "0s")
    assert ran.code == code
    assert words in ran.out


def test_wait_after_a_promotion_was_gone_back_from_fails_with_the_story(
    rollouts: Run, cluster: FakeRequests
) -> None:
    story = "revision 3 is to replace revision 2 without steps: slow"
    command = {**history("RolloutStarted", 3, 60, story), "command": "rollback", "by": "dave"}
    cluster.add("Rollout", rollout(4, healthy(4)))
    back = release(3, decisions=[command], startedBy="dave")
    cluster.add("ReleaseRecord", record(release(2)), record(back))
    ran = rollouts("wait", "checkout", "--revision", "2", "--timeout", "0s")
    assert ran.code == 1
    assert ran.out == f"checkout: revision 2 was promoted, and rolled back since: {story}\n"


def test_wait_takes_no_old_release_of_the_same_template_for_the_one_that_never_began(
    rollouts: Run, cluster: FakeRequests
) -> None:
    """Git went back to version 2, and a newer commit came before the controller had looked."""
    cluster.add("Rollout", rollout(2, {**healthy(3), "startedAt": release(3)["startedAt"]}))
    cluster.add("ReleaseRecord", *map(record, (release(2), release(3))))
    newer = {**progressing(4), "history": [history("RolloutStarted", 4, 1)]}
    cluster.script = [rollout(4, newer)]
    ran = rollouts("wait", "checkout", "--timeout", "30s")
    assert ran.code == 5


def test_wait_makes_do_without_records(rollouts: Run, cluster: FakeRequests) -> None:
    cluster.add("Rollout", rollout(4, healthy(4)))
    cluster.forbidden = ("ReleaseRecord",)
    ran = rollouts("wait", "checkout", "--revision", "2", "--timeout", "0s")
    assert (ran.code, ran.err) == (5, "")
