"""`rollouts wait`: what it tells, when it ends, and with which exit status."""

import json
from collections.abc import Callable

import pytest

from rollouts.backoff import Backoff
from rollouts.errors import Unavailable
from rollouts.model.kinds import JSON
from tests.unit.cli.conftest import FakeRequests, Ran
from tests.unit.cli.objects import (
    hash_of,
    healthy,
    history,
    preflight,
    progressing,
    rolled_back,
    rollout,
)

Run = Callable[..., Ran]


def test_wait_survives_cuts_tells_each_decision_once_and_ends_with_promotion(
    rollouts: Run, cluster: FakeRequests
) -> None:
    cluster.add("Rollout", rollout(3, healthy(2)))
    cluster.script = [
        rollout(3, progressing(3)),
        Unavailable("cut"),
        rollout(3, progressing(3, message="later")),
        rollout(3, healthy(3)),
    ]
    ran = rollouts("wait", "checkout", "--timeout", "30s")
    assert ran.code == 0
    assert ran.out == "checkout: revision 3 (demo/checkout:3.0) is promoted\n"
    assert ran.err.count("the canary has 5 % of the traffic") == 1
    assert "revision 2: Promoted" not in ran.err
    assert cluster.watches == 2


@pytest.mark.parametrize(
    ("states", "options", "code", "word"),
    [
        ([rolled_back(3)], [], 1, "rolled-back"),
        ([progressing(3)], ["--timeout", "0.05s"], 3, "timed-out"),
        (
            [
                progressing(
                    3, phase="Paused", pause={"reason": "PauseStep", "at": "2026-03-01T12:00:00Z"}
                )
            ],
            ["--fail-on-pause"],
            4,
            "paused",
        ),
        ([healthy(3)], [], 0, "promoted"),
    ],
)
def test_wait_says_the_end_in_its_status_and_in_one_document(
    rollouts: Run,
    cluster: FakeRequests,
    *,
    states: list[JSON],
    options: list[str],
    code: int,
    word: str,
) -> None:
    cluster.add("Rollout", rollout(3, healthy(2)))
    cluster.script = [rollout(3, status) for status in states]
    ran = rollouts("wait", "checkout", *options, "--output", "json")
    document = json.loads(ran.out)
    assert (ran.code, document["exitCode"], document["outcome"]) == (code, code, word)
    assert document["hash"] == hash_of(3)


def test_wait_for_a_revision_that_another_replaced(rollouts: Run, cluster: FakeRequests) -> None:
    cluster.add("Rollout", rollout(3, progressing(3)))
    newer = {
        **progressing(4),
        "stableRevision": {"number": 2, "hash": hash_of(2)},
        "history": [history("RolloutStarted", 4, 1)],
    }
    cluster.script = [rollout(4, newer)]
    ran = rollouts("wait", "checkout")
    assert ran.code == 5
    assert "revision 3 was superseded by revision 4" in ran.out


def test_wait_says_at_once_that_a_revision_does_not_exist_yet_and_goes_on_waiting(
    rollouts: Run, cluster: FakeRequests
) -> None:
    cluster.add("Rollout", rollout(2, healthy(2)))
    cluster.script = [rollout(2, healthy(2)), rollout(3, progressing(3)), rollout(3, healthy(3))]
    ran = rollouts("wait", "checkout", "--revision", "3", "--timeout", "30s")
    assert (ran.code, ran.out) == (0, "checkout: revision 3 (demo/checkout:3.0) is promoted\n")
    assert ran.err.splitlines()[:1] == ["revision 3 does not exist yet; the newest is 2"]


def test_wait_ends_with_what_it_has_waited_for_in_vain(
    rollouts: Run, cluster: FakeRequests
) -> None:
    cluster.add("Rollout", rollout(3, healthy(3)))
    ran = rollouts("wait", "checkout", "--revision", "4", "--timeout", "0s")
    assert ran.code == 3
    assert ran.err == "revision 4 does not exist yet; the newest is 3\n"
    assert ran.out.endswith(
        "not promoted after 0 s: revision 4 does not exist yet; the newest is 3\n"
    )


def test_wait_answers_at_once_for_a_number_that_no_release_is_about_to_have(
    rollouts: Run, cluster: FakeRequests
) -> None:
    cluster.add("Rollout", rollout(2, healthy(2)))
    ran = rollouts("wait", "checkout", "--revision", "9")
    assert ran.code == 2
    assert ran.out == "checkout: revision 9 does not exist yet; the newest is 2\n"


def test_a_long_pause_shows_a_sign_of_life(
    rollouts: Run, cluster: FakeRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rollouts.cli.wait.TICK_SECONDS", 0.01)
    monkeypatch.setattr("rollouts.cli.wait.HEARTBEAT_SECONDS", 0.05)
    pausing = progressing(3, message="step 2/7 at 5 %: pauses for 30m")
    cluster.add("Rollout", rollout(3, pausing))
    ran = rollouts("wait", "checkout", "--timeout", "0.5s")
    assert ran.err.count("still waiting: step 2/7 at 5 %: pauses for 30m") > 1


def test_wait_for_what_does_not_exist_or_goes(rollouts: Run, cluster: FakeRequests) -> None:
    ran = rollouts("wait", "nobody")
    assert ran.code == 1
    assert "there is no Rollout nobody in namespace shop" in ran.err
    cluster.add("Rollout", rollout(3, progressing(3)))
    cluster.script = [None]
    ran = rollouts("wait", "checkout")
    assert ran.code == 1
    assert "was deleted" in ran.err


def test_a_timeout_that_is_none_is_wrong_usage(rollouts: Run) -> None:
    ran = rollouts("wait", "checkout", "--timeout", "soon")
    assert ran.code == 2
    assert "--timeout" in ran.err


def test_a_timeout_of_nothing_still_takes_one_look(rollouts: Run, cluster: FakeRequests) -> None:
    cluster.add("Rollout", rollout(3, healthy(3)))
    assert rollouts("wait", "checkout", "--timeout", "0s").code == 0
    cluster.objects.clear()
    cluster.add("Rollout", rollout(3, progressing(3)))
    ran = rollouts("wait", "checkout", "--timeout", "0s")
    assert ran.code == 3
    assert ran.out.startswith("checkout: revision 3 is not promoted after 0 s: step 4/7")


def test_a_wait_that_ends_in_silence_says_so(
    rollouts: Run, cluster: FakeRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rollouts.cli.watch_rollout.BACKOFF", Backoff(10.0, 10.0, jitter=0))
    cluster.add("Rollout", rollout(3, progressing(3)))
    cluster.script = [Unavailable("cut")]
    ran = rollouts("wait", "checkout", "--timeout", "0.1s")
    assert ran.code == 3
    assert "the cluster has stopped answering; before that: step 4/7" in ran.out


def test_wait_tells_once_what_preflight_finds_though_the_release_is_promoted(
    rollouts: Run, cluster: FakeRequests
) -> None:
    found = preflight("TargetPortUnknown", "Service checkout leads to the port htpp")
    cluster.add("Rollout", rollout(3, progressing(3, conditions=[found])))
    cluster.script = [rollout(3, {**healthy(3), "conditions": [found]})]
    ran = rollouts("wait", "checkout")
    assert ran.code == 0
    text = "warning: TargetPortUnknown: Service checkout leads to the port htpp\n"
    assert ran.err.count(text) == 1
