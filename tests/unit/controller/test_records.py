"""What became of a release is on record when it is over, whatever status remembers by then."""

from typing import Any

import pytest

from rollouts.controller.reconcile import RECORDS_AGAIN
from rollouts.errors import Forbidden
from rollouts.model.kinds import CRD, JSON, OUTCOME_LABEL, RELEASE_RECORD, Ref
from rollouts.ports import Apply, Write
from tests.fakes.control_loop import KEY, ControlLoop
from tests.fakes.crds import definition

DEFINITION = definition(RELEASE_RECORD, RELEASE_RECORD.version)


@pytest.fixture
def loop(loop: ControlLoop) -> ControlLoop:
    """Return a loop in a cluster that knows records."""
    loop.cluster.put(CRD, DEFINITION)
    return loop


def records(loop: ControlLoop) -> list[JSON]:
    """Return what is on record, the first release first."""
    found = loop.cluster.select(RELEASE_RECORD, KEY.namespace)
    return [each["spec"] for each in sorted(found, key=lambda each: each["spec"]["startedAt"])]


def outcomes(loop: ControlLoop) -> list[tuple[int, str]]:
    return [(each["revision"]["number"], each["outcome"]) for each in records(loop)]


async def promoted(loop: ControlLoop, image: str) -> None:
    loop.release(image)
    await loop.until(lambda: loop.status["stableRevision"]["images"] == [image])
    await loop.run(60)


def by(loop: ControlLoop, verb: str, who: str, **words: Any) -> None:
    said = ", ".join(f'"{key}": "{value}"' for key, value in words.items())
    loop.command(f'{{"id": "{verb}-{who}", "verb": "{verb}", "by": "{who}"{said and ", " + said}}}')


async def test_a_promotion_is_on_record_with_its_steps_criteria_and_numbers(
    loop: ControlLoop,
) -> None:
    await loop.deployed()
    await promoted(loop, "shop:2")

    first, second = records(loop)
    assert (first["outcome"], first["revision"]["number"]) == ("Promoted", 1)
    assert first["message"] == "revision 1 (shop:1) is stable, and nothing was before it"
    assert "stable" not in first
    assert (second["outcome"], second["revision"]["images"]) == ("Promoted", ["shop:2"])
    assert second["stable"]["images"] == ["shop:1"]
    assert second["message"].startswith("revision 2 (shop:2) is promoted after ")
    assert second["exposure"]["canaryRequests"] == 1000
    assert [(each["name"], each["verdict"]) for each in second["criteria"]] == [("errors", "pass")]
    assert second["enteredSteps"][:2] == ["setWeight 25", "pause 10s"]
    assert second["startedAt"] < second["endedAt"]
    reasons = [each["reason"] for each in second["decisions"]]
    assert reasons[0] == "RolloutStarted"
    assert reasons[-1] == "Promoted"


async def test_a_rollback_is_on_record_with_its_reason_and_who_wanted_it(loop: ControlLoop) -> None:
    await loop.deployed()
    loop.release("shop:2")
    await loop.until(lambda: loop.status["weights"]["applied"] == 25)
    by(loop, "abort", "alice", reason="odd logs")
    await loop.run(60)
    by(loop, "retry", "bob")
    await loop.until(lambda: loop.status["weights"]["applied"] == 25)
    loop.monitor.failures = 300
    await loop.until(lambda: "abort" in loop.status)
    await loop.run(60)

    _, aborted, failed = records(loop)
    assert (aborted["outcome"], aborted["abortedBy"]) == ("RolledBack", "alice")
    assert aborted["reason"] == "aborted by alice: odd logs"
    assert (aborted["weight"], aborted["step"]) == (25, "2/4")
    assert (failed["startedBy"], failed["abortedBy"]) == ("bob", "rollouts")
    assert failed["revision"] == aborted["revision"]
    assert failed["reason"].startswith("errors: 30% of 1000 canary requests failed")


async def test_who_passed_a_hold_and_who_went_back_are_on_record(loop: ControlLoop) -> None:
    await loop.deployed()
    loop.release("shop:2")
    await loop.until(lambda: loop.status["weights"]["applied"] == 25)
    by(loop, "promote-full", "carol")
    await loop.until(lambda: "Promoted" in loop.reasons())
    await loop.run(60)
    by(loop, "rollback", "dave", reason="slow")
    await loop.run(60)

    _, promoted, back = records(loop)
    assert promoted["promotedBy"] == "carol"
    assert (back["outcome"], back["startedBy"]) == ("Promoted", "dave")
    assert back["decisions"][0]["message"].endswith("since it was stable before: slow")


async def test_a_release_that_another_takes_the_place_of_is_on_record(loop: ControlLoop) -> None:
    await loop.deployed()
    for image in ("shop:2", "shop:3"):
        loop.release(image)
        await loop.run(5)
        assert loop.status["weights"]["applied"] == 25
    loop.release("shop:1")
    await loop.run(60)

    assert outcomes(loop) == [(1, "Promoted"), (2, "Superseded"), (3, "Withdrawn")]
    _, second, third = records(loop)
    assert second["message"].startswith("revision 3 (shop:3) is to replace revision 1")
    assert second["exposure"]["canaryRequests"] == 1000
    assert third["message"].startswith("the template is that of revision 1 (shop:1) again")


async def test_a_release_that_begins_and_ends_in_one_decision_is_on_record(
    loop: ControlLoop,
) -> None:
    await loop.deployed()
    loop.release("shop:2")
    by(loop, "abort", "alice")
    await loop.run(60)
    assert outcomes(loop) == [(1, "Promoted"), (2, "RolledBack")]
    assert records(loop)[1]["abortedBy"] == "alice"


async def test_who_began_is_known_however_many_decisions_followed(loop: ControlLoop) -> None:
    await loop.deployed()
    loop.release("shop:2")
    await loop.until(lambda: loop.status["weights"]["applied"] == 25)
    by(loop, "abort", "alice")
    await loop.run(60)
    by(loop, "retry", "bob")
    await loop.until(lambda: loop.status["weights"]["applied"] == 25)
    for number in range(15):
        by(loop, "pause", f"carol-{number}")
        await loop.run(2)
        by(loop, "resume", f"carol-{number}")
        await loop.run(2)
    by(loop, "abort", "alice", reason="enough")
    await loop.run(60)
    last = records(loop)[-1]
    assert (last["startedBy"], last["reason"]) == ("bob", "aborted by alice: enough")
    assert len(last["decisions"]) == 20
    assert last["decisions"][0]["reason"] == "RolloutStarted"


async def test_a_promotion_that_is_taken_back_says_so(loop: ControlLoop) -> None:
    green = {"activeService": "checkout", "scaleDownDelaySeconds": 600}
    await loop.deployed(strategy={"blueGreen": green})
    loop.release("shop:2")
    await loop.until(lambda: "Promoted" in loop.reasons())
    await loop.run(5)
    assert outcomes(loop)[1] == (2, "Promoted")
    by(loop, "abort", "alice")
    await loop.run(60)
    assert outcomes(loop) == [(1, "Promoted"), (2, "RolledBack")]


async def test_as_many_are_kept_as_the_history_limit_says(loop: ControlLoop) -> None:
    await loop.deployed(revisionHistoryLimit=2)
    for image in ("shop:2", "shop:3", "shop:4"):
        await promoted(loop, image)
    assert [number for number, _ in outcomes(loop)] == [3, 4]
    loop.edit({"spec": {"revisionHistoryLimit": 0}})
    await loop.run(5)
    assert outcomes(loop) == []
    await promoted(loop, "shop:5")
    assert (outcomes(loop), loop.status.get("unrecorded", [])) == ([], [])


async def test_what_was_written_has_left_status_and_is_written_once(loop: ControlLoop) -> None:
    await loop.deployed()
    await promoted(loop, "shop:2")
    kept = [each for each in loop.cluster.writes if _keeps(each)]
    assert (len(kept), loop.status.get("unrecorded", [])) == (2, [])
    before = len(loop.cluster.writes)
    await loop.run(60)
    assert len(loop.cluster.writes) == before


async def test_without_the_kind_a_release_goes_on_and_is_recorded_once_there_is_one() -> None:
    loop = ControlLoop()
    await loop.deployed()
    await promoted(loop, "shop:2")
    assert [each["outcome"] for each in loop.status["unrecorded"]] == ["Promoted", "Promoted"]
    assert not [each for each in loop.cluster.writes if _keeps(each)]

    loop.cluster.put(CRD, DEFINITION)
    await loop.run(5)
    assert outcomes(loop) == [(1, "Promoted"), (2, "Promoted")]


async def test_of_many_releases_without_the_kind_the_latest_wait() -> None:
    loop = ControlLoop()
    await loop.deployed()
    for image in ("shop:2", "shop:3", "shop:4"):
        await promoted(loop, image)
    waiting = [each["revision"]["number"] for each in loop.status["unrecorded"]]
    assert waiting == [2, 3, 4]


async def test_a_record_that_is_refused_holds_up_nothing_and_is_tried_again(
    loop: ControlLoop,
) -> None:
    """The permissions are those of an older version: releases go on, and are not told as refused."""
    await loop.deployed()
    asked: list[Write] = []

    def refuses(write: Write) -> Exception | None:
        if not _keeps(write):
            return None
        asked.append(write)
        return Forbidden("not you")

    loop.cluster.refuses = refuses
    loop.release("shop:2")
    await loop.run(120)
    assert loop.status["stableRevision"]["images"] == ["shop:2"]
    assert loop.status["phase"] == "Healthy"
    assert "refused" not in loop.status["message"]
    assert len(asked) == 1, "who may not, is not asked again and again"
    loop.cluster.refuses = lambda _: None
    await loop.run(RECORDS_AGAIN.total_seconds())
    await loop.reconciler.reconcile(KEY)
    assert outcomes(loop) == [(1, "Promoted"), (2, "Promoted")]


async def test_where_definitions_may_not_be_read_records_are_written_all_the_same() -> None:
    """A controller that has Roles alone can't see whether the kind is there."""
    loop = ControlLoop()
    loop.cluster.unseen[RELEASE_RECORD] = "customresourcedefinitions may not be listed"
    await loop.deployed()
    assert outcomes(loop) == [(1, "Promoted")]


async def test_records_of_a_rollout_that_is_gone_count_among_those_of_the_next(
    loop: ControlLoop,
) -> None:
    await loop.deployed(revisionHistoryLimit=1)
    (before,) = loop.cluster.select(RELEASE_RECORD, "shop")
    loop.cluster.drop(KEY.ref)
    await loop.deployed(revisionHistoryLimit=1)
    await promoted(loop, "shop:2")
    (after,) = loop.cluster.select(RELEASE_RECORD, "shop")
    assert before["metadata"]["name"] != after["metadata"]["name"]
    (owner,) = after["metadata"]["ownerReferences"]
    assert owner["uid"] == loop.rollout["metadata"]["uid"]


async def test_a_record_that_somebody_has_unlabelled_is_not_known_and_no_trouble(
    loop: ControlLoop,
) -> None:
    await loop.deployed()
    (record,) = loop.cluster.select(RELEASE_RECORD, "shop")
    ref = Ref(RELEASE_RECORD, "shop", record["metadata"]["name"])
    loop.cluster.edit(ref, {"metadata": {"labels": {OUTCOME_LABEL: None}}})
    await promoted(loop, "shop:2")
    assert outcomes(loop) == [(1, "Promoted"), (2, "Promoted")]


def _keeps(write: Write) -> bool:
    return isinstance(write, Apply) and write.kind == RELEASE_RECORD
