"""Which changes of status are worth a write, and when."""

from typing import Any

import pytest

from rollouts.core.status_writes import (
    COUNTS_EVERY,
    EVIDENCE_EVERY,
    FIRST_SAMPLE,
    GROWTH,
    due_at,
    worth_writing,
)
from rollouts.model.status import (
    Condition,
    CriterionStatus,
    Exposure,
    HandledCommand,
    Restart,
    RolloutStatus,
    Weights,
)
from tests.unit.core.worlds import at, under_way

OLD = (
    under_way(25)
    .decide()
    .status.evolve(
        refreshed_at=at(-1),
        step_started_at=at(-3),
        exposure=Exposure(canary_requests=100),
        criteria=[CriterionStatus(name="errors", verdict="inconclusive", requests=100)],
    )
)
SOON = at(-1) + COUNTS_EVERY
COMMAND = HandledCommand(id="1", verb="abort", accepted=True, message="", at=at(0))


def criterion(**facts: Any) -> list[CriterionStatus]:
    return [OLD.criteria[0].evolve(**facts)]


def reworded(kind: str) -> list[Condition]:
    """Return the conditions with other words in one of them."""
    return [
        entry.evolve(message="other words") if entry.type == kind else entry
        for entry in OLD.conditions
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"phase": "Degraded"},
        {"current_step_index": 2},
        {"step": "3/3"},
        {"weights": Weights(desired=50, applied=25)},
        {"weights": Weights(desired=25, applied=0)},
        {"stable_revision": OLD.current_revision},
        {"stable_floor": 9},
        {"pause": None},
        {"exposed_at": at(0)},
        {"observed_generation": 8},
        {"last_command": COMMAND},
        {"criteria": criterion(verdict="pass")},
        {"criteria": criterion(failed_measurements=1)},
        {"criteria": criterion(errors=1)},
        {"history": []},
        {"retiring": [], "selector": "app=other"},
        {
            "conditions": [
                *OLD.conditions,
                Condition(type="New", status="True", last_transition_time=at(0)),
            ]
        },
        {"conditions": reworded("Preflight")},
    ],
)
def test_what_decides_is_written_at_once(changes: Any) -> None:
    assert worth_writing(OLD, OLD.evolve(**changes), at(0))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"exposure": Exposure(canary_requests=120)},
        {"criteria": criterion(requests=120, message="0 of 120")},
        {"weights": OLD.weights.evolve(served=24.7)},
        {"refreshed_at": at(0)},
        {"conditions": reworded("Ready")},
    ],
)
def test_numbers_that_only_inform_are_not(changes: Any) -> None:
    new = OLD.evolve(**changes)
    assert not worth_writing(OLD, new, at(0))
    assert not worth_writing(OLD, new, at(10_000))
    assert due_at(OLD, new, at(0)) is None


@pytest.mark.parametrize(
    "name", ["replicas", "ready_replicas", "available_replicas", "updated_replicas"]
)
def test_counts_of_pods_wait_a_few_seconds(name: str) -> None:
    new = OLD.evolve(**{name: 99})
    assert not worth_writing(OLD, new, at(0))
    assert due_at(OLD, new, at(0)) == SOON
    assert worth_writing(OLD, new, SOON)
    assert due_at(OLD, new, SOON) is None


def test_a_message_alone_is_written_ever_more_rarely() -> None:
    old = OLD.evolve(unsettled_since=at(-3))
    new = old.evolve(message="other words")
    assert due_at(old, new, at(0)) == SOON
    assert worth_writing(old, new, SOON)
    long = OLD.evolve(step_started_at=at(-3601))
    assert due_at(long, long.evolve(message="other words"), at(0)) == at(3599)


def test_what_a_step_waits_for_that_has_its_pods_is_written_with_the_next_step() -> None:
    new = OLD.evolve(message="the time is over, and a scrape has to be measured")
    assert due_at(OLD, new, at(0)) == at(-1) + EVIDENCE_EVERY


def test_how_far_a_restart_is_does_not_wait_for_long() -> None:
    old = OLD.evolve(step_started_at=at(-3601), restart=Restart(at=at(-60)))
    assert due_at(old, old.evolve(message="other words"), at(0)) == SOON


def test_another_reason_why_nothing_is_measured_does_not_wait_for_long() -> None:
    """Whoever has mended one, such as a token, reads about the next one."""
    refused = criterion(verdict="error", message="answered HTTP 401")
    old = OLD.evolve(step_started_at=at(-3601), criteria=refused)
    empty = criterion(verdict="error", message="the token can't be read")
    new = old.evolve(message="other words", criteria=empty)
    assert due_at(old, new, at(0)) == SOON


def test_what_was_never_written_is_written() -> None:
    never = OLD.evolve(refreshed_at=None)
    assert worth_writing(never, never.evolve(message="other words"), at(0))


@pytest.mark.parametrize(
    ("before", "after", "worth"),
    [
        (0, FIRST_SAMPLE - 1, False),
        (0, FIRST_SAMPLE, True),
        (100, 100 * GROWTH - 1, False),
        (100, 100 * GROWTH, True),
    ],
)
def test_evidence_is_written_when_its_sample_has_grown(
    before: int, after: int, worth: bool
) -> None:
    old = OLD.evolve(exposure=Exposure(canary_requests=before))
    new = OLD.evolve(exposure=Exposure(canary_requests=after))
    assert worth_writing(old, new, at(-1) + EVIDENCE_EVERY) is worth
    assert not worth_writing(old, new, at(0)), "the next step may bring it"


def test_a_day_of_traffic_costs_a_handful_of_writes() -> None:
    status, writes = RolloutStatus(), 0
    for requests in range(0, 4_000_000, 500):
        new = status.evolve(exposure=Exposure(canary_requests=requests))
        if worth_writing(status, new, at(requests / 50)):
            status, writes = new.evolve(refreshed_at=at(requests / 50)), writes + 1
    assert writes < 10
