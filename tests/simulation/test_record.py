"""The page of what the simulation has done says what was recorded last, and nothing else."""

from dataclasses import replace

from tests.simulation.failures import Failure, WeekOutcome
from tests.simulation.planted.patches import every_planted
from tests.simulation.record import PAGE, Bug, Record
from tests.simulation.state import State, WeekCounts


def test_the_page_is_what_was_recorded() -> None:
    assert PAGE.read_text(encoding="utf-8") == Record.read().page, "run `make weeks`"


def test_what_is_on_the_page_was_planted() -> None:
    assert set(Record.read().planted) <= {each.name for each in every_planted()}


def test_another_record_is_another_page() -> None:
    counts = {"router": WeekCounts(weeks=1234)}
    state = State(0, wanted=5678, done=1234, commits={"abcdef0": 1234}, counts=counts)
    found = Record(state, 100, {"a-bug": Bug("It does harm.", 7, "sizes.check", "too few")})
    assert "1,234 of 5,678 weeks" in found.page
    assert "| a-bug | It does harm. | 7 | `sizes.check`: too few |" in found.page
    missed = replace(found, planted={"a-bug": Bug("It does harm.", 100)})
    assert "| a-bug | It does harm. | not in 100 | |" in missed.page


def test_a_bug_that_was_not_tried_is_on_the_page_as_such() -> None:
    page = Record().page
    for each in every_planted():
        assert f"| {each.name} | {each.what} | not tried yet | |" in page


def test_what_was_mended_since_is_no_failure_any_more() -> None:
    counts = {"router": WeekCounts(weeks=2, failures=2)}
    failed = [Failure(seed, "router", "sizes.check", "too few", None, ()) for seed in (3, 5)]
    state = State(0, wanted=2, done=2, counts=counts, failures=failed)
    outcome = WeekOutcome(3, "router", 5, 9, 7, None)
    state.tell_again(lambda seed: replace(outcome, failure=failed[0] if seed == 3 else None))
    assert [each.seed for each in state.failures] == [3]
    assert state.counts["router"].failures == 1
