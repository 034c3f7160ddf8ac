"""The current step is found again in steps that were edited, and a status stands at it, or it is held."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.core.effective_spec import with_step_found
from rollouts.core.facts import resumes_at
from rollouts.model.kinds import JSON
from rollouts.model.step_labels import PROMOTION, entered_steps, step_labels
from tests.unit.core.worlds import at, spec_of, under_way

HOLD: JSON = {"pause": {}}
TESTERS: JSON = {"headerName": "x-tester", "headerValue": {"exact": "yes"}}


def weight(percent: int) -> JSON:
    return {"setWeight": percent}


def timed(duration: str) -> JSON:
    return {"pause": {"duration": duration}}


def header(*match: JSON) -> JSON:
    return {"setHeaderRoute": {"name": "testers", "match": list(match)}}


WAS = [weight(5), HOLD, weight(25), HOLD, weight(50)]


@pytest.mark.parametrize(
    ("entered", "now", "index"),
    [
        pytest.param(4, [*WAS, HOLD, weight(75)], 3, id="what comes after has changed"),
        pytest.param(4, [weight(5), HOLD, weight(25), HOLD], 3, id="what comes after is gone"),
        pytest.param(4, [*WAS[:3], timed("1m")], 3, id="the pause has a duration now"),
        pytest.param(3, [*WAS[:2], weight(40), HOLD], 2, id="the weight is another"),
        pytest.param(4, WAS[2:], 1, id="what is past was removed"),
        pytest.param(4, [weight(1), HOLD, *WAS], 5, id="something was put in front"),
        pytest.param(4, [weight(7), HOLD, weight(25), HOLD], 3, id="what is past has changed"),
        pytest.param(4, [weight(30), HOLD, weight(90)], 1, id="only the pause is left"),
        pytest.param(4, [weight(5), weight(50)], None, id="the pause was removed"),
        pytest.param(4, [HOLD, weight(9), HOLD], None, id="it may be either of two"),
        pytest.param(4, [], None, id="there are none"),
        pytest.param(4, [*WAS[:3], weight(50), HOLD], None, id="another gate further on is not it"),
        pytest.param(4, [weight(9), timed("5s"), *WAS[:4]], 5, id="a timed pause was put in front"),
        pytest.param(6, [weight(1)], 1, id="it promotes"),
        pytest.param(6, [*WAS, HOLD], 6, id="it promotes, and more was added"),
    ],
)
def test_the_current_step_is_found_again_or_it_is_said_that_it_is_not(
    entered: int, now: list[JSON], index: int | None
) -> None:
    before = spec_of(WAS)
    status = under_way(25).status.evolve(
        current_step_index=entered - 1, entered_steps=entered_steps(before, entered - 1)
    )
    after = spec_of(now)
    found = with_step_found(after, status, at(0))
    assert (found.current_step_index if found else None) == index
    if found is not None and index is not None:
        assert found.entered_steps == [*step_labels(after), PROMOTION][: index + 1]
        assert found.weights == status.weights, "nothing is moved by that"
        assert with_step_found(after, found, at(9)) == found, "once and for all"


CLOCKED = [weight(10), timed("20s"), weight(50), HOLD, weight(60), timed("20s")]


@pytest.mark.parametrize(
    "now",
    [
        pytest.param([CLOCKED[0], *CLOCKED[2:]], id="it was removed, and one like it comes later"),
        pytest.param([weight(50), weight(60), timed("20s")], id="all in front were changed"),
        pytest.param([weight(5), HOLD, weight(50), timed("20s")], id="a gate was put in front"),
        pytest.param([weight(20), timed("20s"), weight(90)], id="what led to it was changed"),
    ],
)
def test_a_step_that_ends_by_itself_is_not_found_behind_what_was_never_entered(
    now: list[JSON],
) -> None:
    status = under_way(10).status.evolve(
        current_step_index=1, entered_steps=entered_steps(spec_of(CLOCKED), 1)
    )
    assert with_step_found(spec_of(now), status, at(0)) is None


def test_what_a_person_passed_is_the_step_that_it_was() -> None:
    status = under_way(10).status.evolve(
        current_step_index=1, entered_steps=["setWeight 10", "pause"], promoted="Step"
    )
    same = with_step_found(spec_of([weight(10), HOLD, weight(90)]), status, at(0))
    other = with_step_found(spec_of([weight(10), timed("5m"), weight(90)]), status, at(0))
    assert same is not None
    assert other is not None
    assert (same.promoted, other.promoted) == ("Step", "")


def test_a_header_route_that_nobody_entered_does_not_open_by_an_edit() -> None:
    before = spec_of([header(TESTERS), HOLD])
    status = under_way(25).status.evolve(
        current_step_index=1, entered_steps=entered_steps(before, 1)
    )
    everybody = {"headerName": "x-tester", "headerValue": {"regex": ".*"}}
    assert with_step_found(spec_of([header(everybody), HOLD]), status, at(0)) is None
    assert with_step_found(spec_of([header(), HOLD]), status, at(0)) is not None
    assert with_step_found(spec_of([weight(5), header(TESTERS), HOLD]), status, at(0))


def test_the_clock_of_a_pause_that_had_none_begins_with_the_edit() -> None:
    before = spec_of([weight(25), HOLD])
    status = under_way(25).status.evolve(
        current_step_index=1, entered_steps=entered_steps(before, 1), step_started_at=at(-900)
    )
    found = with_step_found(spec_of([weight(25), timed("10m")]), status, at(0))
    assert found is not None
    assert found.step_started_at == at(0)
    longer = with_step_found(spec_of([weight(25), timed("20m")]), found, at(60))
    assert longer is not None
    assert longer.step_started_at == at(0), "another duration counts from the beginning of the step"


def test_a_status_from_before_steps_were_remembered_is_trusted_by_its_index() -> None:
    spec = spec_of(WAS)
    status = under_way(25).status.evolve(current_step_index=3, entered_steps=[])
    found = with_step_found(spec, status, at(0))
    assert found is not None
    assert (found.current_step_index, found.entered_steps) == (3, step_labels(spec)[:4])


ANY_STEP = st.sampled_from(
    [weight(5), weight(25), weight(50), HOLD, timed("1m"), timed("2m"), header(TESTERS), header()]
)


@given(st.lists(ANY_STEP, min_size=1, max_size=6), st.lists(ANY_STEP, max_size=6), st.data())
def test_whatever_is_edited_it_stands_at_a_step_of_its_kind_or_nowhere(
    before: list[JSON], after: list[JSON], data: st.DataObject
) -> None:
    at_step = data.draw(st.integers(0, len(before)))
    entered = entered_steps(spec_of(before), at_step)
    status = under_way(25).status.evolve(current_step_index=at_step, entered_steps=entered)
    found = with_step_found(spec_of(after), status, at(0))
    if found is None:
        steps = step_labels(spec_of(after))
        index = resumes_at(entered, steps)
        assert steps[:index] == entered[:index], "it goes on after what has not changed"
        return
    kind = entered[-1].split()[0]
    assert found.entered_steps[-1].split()[0] == kind
    assert (found.current_step_index == len(after)) is (kind == PROMOTION)
    assert found.evolve(current_step_index=at_step, entered_steps=entered) == status.evolve(
        step_started_at=found.step_started_at
    ), "nothing else is changed"


def test_an_attempt_without_steps_that_has_not_begun_is_at_the_promotion() -> None:
    """A rollback that waits until another strategy comes into force."""
    status = under_way(promoted="Full", entered_steps=[], current_step_index=3).status
    found = with_step_found(spec_of(WAS), status, at(0))
    assert found is not None
    assert (found.current_step_index, found.promoted) == (len(WAS), "Full")
