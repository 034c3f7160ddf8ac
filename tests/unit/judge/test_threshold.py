"""The threshold judge: three-valued, patient as told, and no look counts twice."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.judge import judge
from rollouts.model.criteria import Criterion
from tests.unit.judge.looks import error_rate, judged, latency, look, query, verdicts

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("criterion", "value", "verdict", "message"),
    [
        (query(max=1), 0.5, "pass", "0.5 is within the limit"),
        (query(max=1), 1.0, "pass", "1 is within the limit"),
        (query(max=1), 1.5, "inconclusive", "1.5 is above 1; 1 failed looks in a row"),
        (query(min=1), 1.0, "pass", "within"),
        (query(min=1), 0.5, "inconclusive", "0.5 is below 1; 1 failed looks in a row"),
        (query(min=1, max=2), 1.5, "pass", "within"),
        (query(min=1, max=2), 0.0, "inconclusive", "below 1"),
        (query(min=1, max=2), 3.0, "inconclusive", "above 2"),
        (query(max=0), 0.0, "pass", "within"),
        (query(max=0, failureLimit=0), 0.1, "fail", "0.1 is above 0"),
        (query(max=1), None, "inconclusive", "no data"),
        (query(max=1, failureLimit=0), NAN, "inconclusive", "no data"),
        (query(max=1, failureLimit=0), INF, "inconclusive", "no data"),
        (query(min=1, failureLimit=0), INF, "inconclusive", "no data"),
    ],
)
def test_a_value_is_compared_with_its_limits(
    criterion: Criterion, value: float | None, verdict: str, message: str
) -> None:
    status = judge(criterion, look(value=value), None)
    assert status.verdict == verdict
    assert message in status.message
    assert status.needed is None


@pytest.mark.parametrize(
    ("limits", "value", "shown"),
    [
        ({"max": 1}, 5.0, 1),
        ({"min": 1}, 5.0, 1),
        ({"min": 1, "max": 9}, 5.0, 9),
        ({"min": 1, "max": 9}, 0.0, 1),
    ],
)
def test_the_limit_that_counts_is_shown(limits: Any, value: float, shown: float) -> None:
    assert judge(query(**limits), look(value=value), None).limit == shown


def test_few_requests_say_nothing_about_a_rate() -> None:
    criterion = error_rate(judge="threshold", failureLimit=0)
    status = judge(criterion, look(99, 50), None)
    assert (status.verdict, status.needed) == ("inconclusive", 1)
    assert status.message == "needs about 1 more requests"
    status = judge(criterion, look(100, 50), None)
    assert (status.verdict, status.needed) == ("fail", None)
    assert status.message.startswith("50% is above 1%")
    assert judge(criterion, look(1000, 10), None).verdict == "pass"
    assert judge(criterion, look(1000, value=NAN), None).message == "no data"


def test_latency_is_compared_as_a_time_with_the_limit_that_was_applied() -> None:
    criterion = latency(judge="threshold", failureLimit=0)
    slow = judge(criterion, look(500, value=0.7, limit=0.6, note="bucket 600ms"), None)
    assert slow.verdict == "fail"
    assert slow.limit == 0.6
    assert (
        slow.message
        == "700ms is above 600ms; 1 failed looks in a row, 0 are tolerated; bucket 600ms"
    )
    assert judge(criterion, look(500, value=0.45), None).verdict == "pass"


GOOD, BAD, NONE = 0.0, 2.0, None


def series(*values: float | None) -> list[Any]:
    return [look(value=value, second=second) for second, value in enumerate(values)]


@pytest.mark.parametrize(
    ("settings", "values", "verdict", "failed"),
    [
        ({}, [BAD, BAD], "inconclusive", 2),
        ({}, [BAD, BAD, BAD], "fail", 3),
        ({}, [BAD, BAD, GOOD, BAD, BAD], "inconclusive", 2),
        ({}, [BAD, BAD, NONE, BAD], "fail", 3),
        ({}, [BAD, BAD, NONE], "inconclusive", 2),
        ({}, [BAD, GOOD], "pass", 0),
        ({"consecutive": False}, [BAD, GOOD, BAD, GOOD, BAD], "fail", 3),
        ({"consecutive": False}, [BAD, GOOD, BAD, GOOD], "pass", 2),
        ({"failureLimit": 0}, [BAD], "fail", 1),
        ({"failureLimit": 0}, [BAD, BAD, BAD], "fail", 1),
    ],
)
def test_failed_looks_are_tolerated_up_to_the_limit(
    settings: Any, values: list[float | None], verdict: str, failed: int
) -> None:
    status = judged(query(max=1, **settings), *series(*values))[-1]
    assert (status.verdict, status.failed_looks) == (verdict, failed)


def test_failed_looks_need_no_row_when_the_setting_says_so() -> None:
    status = judge(query(max=1, consecutive=False), look(value=BAD), None)
    assert "1 failed looks, 2 are tolerated" in status.message


def test_the_same_look_is_never_counted_twice() -> None:
    same = look(value=BAD, second=1)
    assert [status.failed_looks for status in judged(query(max=1), same, same, same)] == [1, 1, 1]
    older = look(value=BAD, second=0)
    assert judged(query(max=1), same, older)[-1].failed_looks == 1


@given(st.lists(st.sampled_from([GOOD, BAD, NONE, NAN]), max_size=30), st.integers(0, 5))
def test_a_failure_is_never_found_with_fewer_failed_looks_than_the_limit(
    values: list[float | None], limit: int
) -> None:
    criterion = query(max=1, failureLimit=limit, consecutive=False)
    for number, verdict in enumerate(verdicts(criterion, *series(*values)), start=1):
        bad = sum(value == BAD for value in values[:number])
        assert verdict != "fail" or bad > limit
