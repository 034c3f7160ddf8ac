from datetime import timedelta

import pytest

from rollouts.cli.wait_outcome import (
    Exit,
    Wanted,
    outcome,
    parse_revision,
    pin,
    present_revision,
    still_to_come,
)
from rollouts.model.kinds import JSON
from tests.unit.cli.objects import (
    NOW,
    ago,
    changed,
    hash_of,
    healthy,
    history,
    progressing,
    replica_set,
    revision,
    rolled_back,
    rollout,
)

PAUSED = progressing(3, phase="Paused", pause={"reason": "PauseStep", "at": ago(5)})
UNSURE = progressing(3, phase="Paused", pause={"reason": "Inconclusive", "at": ago(5)})
ROLLED_BACK_TO_2 = {
    **healthy(2),
    "observedGeneration": 3,
    "phase": "Degraded",
    "message": "the rollout was rolled back to revision 2 by ann",
    "pinned": {"hash": hash_of(2), "insteadOf": hash_of(3), "at": ago(60), "by": "ann"},
    "history": [history("Promoted", 3, 600), history("Promoted", 2, 60)],
}
PROMOTED_THEN_4 = {
    **progressing(4),
    "history": [history("Promoted", 3, 90), history("RolloutStarted", 4, 60)],
}
OPEN = None


@pytest.mark.parametrize(
    ("version", "status", "named", "expected"),
    [
        pytest.param(3, healthy(3), "", Exit.PROMOTED, id="the present one is promoted"),
        pytest.param(3, progressing(3), "", OPEN, id="on its way"),
        pytest.param(3, rolled_back(3), "", Exit.FAILED, id="rolled back"),
        pytest.param(3, healthy(2), "", OPEN, id="an older success is not ours"),
        pytest.param(3, rolled_back(2), "", OPEN, id="an older failure is not ours"),
        pytest.param(3, None, "", OPEN, id="no controller has seen it"),
        pytest.param(3, progressing(3, phase="Degraded"), "", Exit.FAILED, id="degraded"),
        pytest.param(3, PAUSED, "", OPEN, id="a pause is waited out"),
        pytest.param(3, healthy(3), "3", Exit.PROMOTED, id="by number"),
        pytest.param(3, healthy(3), hash_of(3), Exit.PROMOTED, id="by hash"),
        pytest.param(4, PROMOTED_THEN_4, "3", Exit.PROMOTED, id="promoted, then superseded"),
        pytest.param(
            4, PROMOTED_THEN_4, hash_of(3), Exit.PROMOTED, id="the same by hash, from ReplicaSets"
        ),
        pytest.param(
            4,
            {
                **progressing(4),
                "history": [history("FirstDeploy", 3, 90), history("RolloutStarted", 4, 60)],
            },
            "3",
            Exit.PROMOTED,
            id="the first, then superseded",
        ),
        pytest.param(
            4,
            {
                **progressing(4),
                "stableRevision": None,
                "history": [history("FirstDeploy", 3, 90), history("FirstDeploy", 4, 60)],
            },
            "3",
            Exit.SUPERSEDED,
            id="a first one that never became stable",
        ),
        pytest.param(
            4,
            {**progressing(4), "stableRevision": {"number": 2, "hash": hash_of(2)}, "history": []},
            "3",
            Exit.SUPERSEDED,
            id="superseded before it was promoted",
        ),
        pytest.param(
            4,
            {**healthy(4), "history": [history("RolledBack", 3, 90)]},
            "3",
            Exit.FAILED,
            id="rolled back, then superseded",
        ),
        pytest.param(
            4,
            {
                **healthy(4),
                "history": [history("RolledBack", 3, 90), history("RolloutStarted", 3, 80)],
            },
            "3",
            Exit.SUPERSEDED,
            id="rolled back, tried again, then superseded",
        ),
        pytest.param(3, healthy(3), "5", OPEN, id="the next number, still to come"),
        pytest.param(
            3, healthy(3), "9", Exit.USAGE, id="a number that no release is about to have"
        ),
        pytest.param(
            3,
            {**healthy(3), "phase": "Degraded"},
            "",
            Exit.FAILED,
            id="promoted, and degraded since",
        ),
        pytest.param(3, ROLLED_BACK_TO_2, "", Exit.FAILED, id="rolled back after its promotion"),
        pytest.param(
            4,
            {**healthy(4), "pastRevisions": [{**revision(3), "rolledBackFrom": True}]},
            "3",
            Exit.FAILED,
            id="rolled back after its promotion, and replaced",
        ),
        pytest.param(3, healthy(3), "nosuchhash", Exit.USAGE, id="an unknown hash"),
    ],
)
def test_what_became_of_a_revision(
    version: int, status: JSON | None, named: str, expected: Exit | None
) -> None:
    sets = [replica_set(number, 0) for number in (1, 2, 3, 4)]
    obj = rollout(version, status)
    wanted = parse_revision(named, sets) if named else present_revision(obj)
    found = outcome(obj, wanted, now=NOW)
    assert (found.exit if found else None) == expected


def test_a_pause_ends_the_wait_only_when_asked() -> None:
    obj = rollout(3, PAUSED)
    found = outcome(obj, present_revision(obj), now=NOW, fail_on_pause=True)
    assert found is not None
    assert found.exit == Exit.PAUSED


@pytest.mark.parametrize(
    ("status", "seconds", "expected"),
    [
        pytest.param(UNSURE, 0, None, id="evidence is missing, and comes with requests"),
        pytest.param(UNSURE, 600, Exit.PAUSED, id="it has not come for inconclusiveWaitSeconds"),
        pytest.param(
            {**UNSURE, "leaningSince": ago(700)}, 0, Exit.PAUSED, id="it has leaned for so long"
        ),
        pytest.param(
            {**UNSURE, "step": "7/7", "currentStepIndex": 7},
            0,
            Exit.PAUSED,
            id="nothing was measured before the promotion",
        ),
        pytest.param(
            {**UNSURE, "pause": {"reason": "MetricsUnavailable", "at": ago(5)}},
            0,
            Exit.PAUSED,
            id="Prometheus does not answer",
        ),
        pytest.param(
            {**UNSURE, "effectiveSpec": {"inconclusiveWaitSeconds": "3s"}},
            0,
            Exit.PAUSED,
            id="it waits less, as the spec says",
        ),
    ],
)
def test_missing_evidence_is_a_matter_for_a_person_only_when_it_does_not_come(
    status: JSON, seconds: float, expected: Exit | None
) -> None:
    obj, now = rollout(3, status), NOW + timedelta(seconds=seconds)
    found = outcome(obj, present_revision(obj), now=now, fail_on_pause=True)
    assert (found.exit if found else None) == expected


def test_who_rolled_a_promoted_revision_back_is_said() -> None:
    obj = rollout(3, ROLLED_BACK_TO_2)
    found = outcome(obj, present_revision(obj), now=NOW)
    assert found is not None
    assert "was rolled back by ann: the rollout was rolled back to revision 2" in found.message


def test_another_template_before_a_controller_saw_ours_is_superseded() -> None:
    wanted = present_revision(rollout(3, healthy(2)))
    newer = progressing(4, stableRevision={"number": 2, "hash": hash_of(2)})
    found = outcome(rollout(4, newer), wanted, now=NOW)
    assert found is not None
    assert found.exit == Exit.SUPERSEDED


def test_a_revision_that_was_seen_is_remembered_by_number() -> None:
    obj = rollout(3, progressing(3))
    assert pin(obj, present_revision(obj)).number == 3
    assert pin(rollout(3, healthy(2)), Wanted(hash_of(3))).number is None


def test_an_unpromoted_size_change_waits_for_the_controller() -> None:
    obj = rollout(3, healthy(3), generation=4)
    assert outcome(obj, present_revision(obj), now=NOW) is None


def test_an_invalid_spec_is_a_failure_that_names_the_field() -> None:
    invalid = {
        "type": "InvalidSpec",
        "status": "True",
        "message": "spec.replicas: too many",
        "lastTransitionTime": ago(1),
    }
    obj = changed(rollout(3, healthy(2)), observedGeneration=3, conditions=[invalid])
    found = outcome(obj, present_revision(obj), now=NOW)
    assert found is not None
    assert found.exit == Exit.FAILED
    assert "spec.replicas: too many" in found.message


def test_what_history_has_forgotten_is_not_said_to_be_superseded() -> None:
    found = outcome(rollout(9, healthy(9)), Wanted(number=2), now=NOW)
    assert found is not None
    assert found.exit == Exit.SUPERSEDED
    assert "what became of revision 2 is not known any more" in found.message


@pytest.mark.parametrize(
    ("status", "named", "told"),
    [
        (healthy(3), "7", "revision 7 does not exist yet; the newest is 4"),
        (healthy(3), "4", ""),  # it has a ReplicaSet, and the controller has not told of it yet
        (None, "9", "revision 9 does not exist yet; the newest is 4"),
        ({**healthy(3), "history": [history("RolledBack", 8, 5)]}, "8", ""),
        (healthy(3), hash_of(7), ""),
    ],
)
def test_only_a_number_can_be_still_to_come(status: JSON | None, named: str, told: str) -> None:
    sets = [replica_set(number, 0) for number in (2, 3, 4)]
    assert still_to_come(rollout(3, status), parse_revision(named, sets)) == told


def test_the_first_number_of_all_may_be_still_to_come() -> None:
    found = still_to_come(rollout(1), Wanted(number=1))
    assert found == "revision 1 does not exist yet; there is none so far"
