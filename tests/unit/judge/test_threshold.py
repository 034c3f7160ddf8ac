"""The threshold judge: three-valued, patient as told, and no look counts twice."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.judge import judge
from rollouts.model.criteria import Criterion
from rollouts.model.evidence import Counts, Measurement, RecentCounts
from tests.unit.judge.measurements import error_rate, judged, latency, measured, query, verdicts

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("criterion", "value", "verdict", "message"),
    [
        (query(max=1), 0.5, "pass", "0.5 is within the limit"),
        (query(max=1), 1.0, "pass", "1 is within the limit"),
        (query(max=1), 1.5, "inconclusive", "1.5 is above 1; 1 failed measurement in a row"),
        (query(min=1), 1.0, "pass", "within"),
        (query(min=1), 0.5, "inconclusive", "0.5 is below 1; 1 failed measurement in a row"),
        (query(min=1, max=2), 1.5, "pass", "within"),
        (query(min=1, max=2), 0.0, "inconclusive", "below 1"),
        (query(min=1, max=2), 3.0, "inconclusive", "above 2"),
        (query(max=0), 0.0, "pass", "within"),
        (query(max=0, failureLimit=0), 0.1, "fail", "0.1 is above 0"),
        (query(max=1), None, "inconclusive", "finds no series; add `or vector(0)`"),
        (query(max=1, failureLimit=0), NAN, "inconclusive", "the query answers nan, which is"),
        (query(max=1, failureLimit=0), INF, "inconclusive", "no data"),
        (query(min=1, failureLimit=0), INF, "inconclusive", "no data"),
    ],
)
def test_a_value_is_compared_with_its_limits(
    criterion: Criterion, value: float | None, verdict: str, message: str
) -> None:
    status = judge(criterion, measured(value=value), None)
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
    assert judge(query(**limits), measured(value=value), None).limit == shown


def test_few_requests_neither_pass_nor_fail() -> None:
    criterion = error_rate(judge="threshold", failureLimit=0)
    status = judge(criterion, measured(99, 50), None)
    assert (status.verdict, status.needed) == ("inconclusive", 1)
    assert status.message == (
        "50.5% of 99 canary requests so far failed, 1% may; needs about 1 more requests"
    )
    assert judge(criterion, measured(99, 0), None).message == (
        "99 canary requests so far; needs about 1 more requests"
    )
    status = judge(criterion, measured(100, 50), None)
    assert (status.verdict, status.needed) == ("fail", None)
    assert status.message.startswith("50% of 100 canary requests in the last 1m failed, 1% may; ")
    assert judge(criterion, measured(1000, 10), None).verdict == "pass"
    assert judge(criterion, measured(1000, value=NAN), None).message == "no data"


def lately(
    requests: int, failures: int, at_weight: tuple[int, int] | None = None, **facts: Any
) -> Measurement:
    """Return a look at a canary that was good for a day, and then what is said."""
    present = Counts(*at_weight) if at_weight is not None else None
    recent = RecentCounts(300, Counts(requests, failures), present)
    value = failures / requests if requests else None
    return measured(100_000, 50, **{"recent": recent, "value": value, **facts})


def test_only_the_requests_of_the_window_count() -> None:
    criterion = error_rate(judge="threshold", window="5m", failureLimit=0)
    failed = judge(criterion, lately(120, 9), None)
    assert (failed.verdict, failed.requests, failed.failures) == ("fail", 100_000, 50)
    assert failed.message == (
        "7.5% of 120 canary requests in the last 5m failed, 1% may; 1 failed measurement in a row, and"
        " failureLimit is 0"
    )
    few = judge(criterion, lately(42, 3), None)
    assert (few.verdict, few.needed) == ("inconclusive", 58)
    assert (
        few.message
        == "7.14% of 42 canary requests so far failed, 1% may; needs about 58 more requests"
    )
    assert judge(criterion, lately(120, 1), None).verdict == "pass"


def test_a_pass_needs_requests_at_the_present_weight_and_a_fail_does_not() -> None:
    criterion = error_rate(judge="threshold", failureLimit=0)
    few = judge(criterion, lately(900, 0, at_weight=(40, 0)), None)
    assert (few.verdict, few.needed) == ("inconclusive", 60)
    assert few.message.startswith(
        "40 canary requests in the last 5m at this weight; needs about 60"
    )
    assert judge(criterion, lately(900, 0, at_weight=(100, 0)), None).verdict == "pass"
    assert judge(criterion, lately(900, 20, at_weight=(40, 0)), None).verdict == "fail"
    worse = judge(criterion, lately(900, 5, at_weight=(100, 5)), None)
    assert worse.verdict == "inconclusive"
    assert worse.message == (
        "5% of 100 canary requests in the last 5m at this weight failed, 1% may"
    )


def test_slow_requests_at_the_present_weight_keep_from_passing() -> None:
    criterion = latency(0.9, judge="threshold")
    slow = judge(criterion, lately(900, 50, at_weight=(100, 50), value=0.3), None)
    assert slow.verdict == "inconclusive"
    assert slow.message == (
        "50% of 100 canary requests in the last 5m at this weight took over 500ms, 10% may"
    )


def test_what_is_slower_than_any_bucket_is_not_within_the_limit() -> None:
    """The quantile that is shown is the largest bound then, and so is the limit."""
    criterion = latency(0.9, "10s", judge="threshold", failureLimit=0)
    slow = judge(criterion, measured(500, 200, value=10.0, limit=10.0), None)
    assert slow.verdict == "fail"
    assert "40% of 500 canary requests in the last 1m took over 10s, 10% may" in slow.message


def test_as_many_slow_ones_as_may_are_no_breach() -> None:
    for quantile in (0.5, 0.9, 0.95, 0.99, 0.999):
        criterion = latency(quantile, judge="threshold", failureLimit=0)
        may = round(1000 * (1 - quantile))
        assert judge(criterion, measured(1000, may, value=0.4), None).verdict == "pass"
        assert judge(criterion, measured(1000, may + 1, value=0.4), None).verdict == "fail"


def test_a_look_that_breaks_the_limit_leans_and_no_other() -> None:
    criterion = error_rate(judge="threshold")
    assert judge(criterion, lately(120, 9), None).leans
    assert judge(criterion, lately(900, 5, at_weight=(100, 5)), None).leans
    assert not judge(criterion, lately(900, 5, at_weight=(100, 1)), None).leans
    assert not judge(error_rate(judge="threshold", failureLimit=0), lately(120, 9), None).leans
    assert judge(query(max=1), measured(value=2.0), None).leans
    assert not judge(query(max=1), measured(value=None), None).leans
    assert not judge(error_rate(1 - 2**-53, judge="threshold"), lately(50, 50), None).leans


def test_few_requests_lean_when_they_are_so_bad_that_it_is_hardly_chance() -> None:
    criterion = error_rate("5%", judge="threshold")
    assert judge(criterion, lately(12, 12), None).leans
    assert judge(criterion, lately(3, 2), None).leans
    assert not judge(criterion, lately(30, 1), None).leans
    assert judge(criterion, lately(60, 3, at_weight=(4, 3)), None).leans
    present = judge(criterion, lately(900, 10, at_weight=(42, 10)), None)
    assert present.leans
    assert present.message == (
        "23.8% of 42 canary requests in the last 5m at this weight failed, 5% may; needs about 58"
        " more requests"
    )
    assert not judge(criterion, lately(900, 10, at_weight=(42, 2)), None).leans
    slow = latency(0.9, judge="threshold")
    assert judge(slow, lately(10, 9, value=0.9), None).leans
    assert judge(error_rate(0, judge="threshold"), lately(50, 1), None).leans


def test_what_was_missed_is_remembered() -> None:
    assert judge(error_rate(judge="threshold"), measured(500, unseen=70), None).unseen == 70


def test_latency_is_compared_at_the_limit_that_was_applied() -> None:
    criterion = latency(judge="threshold", failureLimit=0)
    slow = judge(criterion, measured(500, 30, value=0.7, limit=0.6, note="bucket 600ms"), None)
    assert (slow.verdict, slow.value, slow.limit) == ("fail", 0.7, 0.6)
    assert slow.message == (
        "6% of 500 canary requests in the last 1m took over 600ms, 1% may;"
        " 1 failed measurement in a row, and failureLimit is 0; bucket 600ms"
    )
    assert judge(criterion, measured(500, value=0.45), None).verdict == "pass"


GOOD, BAD, NONE = 0.0, 2.0, None


def series(*values: float | None) -> list[Any]:
    return [measured(value=value, second=second) for second, value in enumerate(values)]


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
def test_failed_measurements_are_tolerated_up_to_the_limit(
    settings: Any, values: list[float | None], verdict: str, failed: int
) -> None:
    status = judged(query(max=1, **settings), *series(*values))[-1]
    assert (status.verdict, status.failed_measurements) == (verdict, failed)


def test_failed_measurements_need_no_row_when_the_setting_says_so() -> None:
    status = judge(query(max=1, consecutive=False), measured(value=BAD), None)
    assert "1 failed measurement, and failureLimit is 2" in status.message


def test_the_same_look_is_never_counted_twice() -> None:
    same = measured(value=BAD, second=1)
    assert [status.failed_measurements for status in judged(query(max=1), same, same, same)] == [
        1,
        1,
        1,
    ]
    older = measured(value=BAD, second=0)
    assert judged(query(max=1), same, older)[-1].failed_measurements == 1


@given(st.lists(st.sampled_from([GOOD, BAD, NONE, NAN]), max_size=30), st.integers(0, 5))
def test_a_failure_is_never_found_with_fewer_failed_measurements_than_the_limit(
    values: list[float | None], limit: int
) -> None:
    criterion = query(max=1, failureLimit=limit, consecutive=False)
    for number, verdict in enumerate(verdicts(criterion, *series(*values)), start=1):
        bad = sum(value == BAD for value in values[:number])
        assert verdict != "fail" or bad > limit
