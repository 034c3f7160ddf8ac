"""A provider that does not answer: an error that is counted up to its limit, and never a verdict."""

import pytest

from rollouts.judge import judge
from rollouts.model.criteria import Criterion
from rollouts.model.evidence import Measurement
from tests.unit.judge.measurements import START, error_rate, judged, measured, query

DOWN = "Prometheus does not answer"


def unavailable(count: int, start: int = 1) -> list[Measurement]:
    return [measured(second=second, error=DOWN) for second in range(start, start + count)]


@pytest.mark.parametrize("criterion", [error_rate(errorLimit=4), query(max=1, errorLimit=4)])
def test_errors_are_counted_up_to_one_beyond_the_limit(criterion: Criterion) -> None:
    found = judged(criterion, *unavailable(8))
    assert [status.errors for status in found] == [1, 2, 3, 4, 5, 5, 5, 5]
    assert {status.verdict for status in found} == {"error"}
    assert {status.message for status in found} == {DOWN}


def test_the_first_error_of_all_has_a_name_and_nothing_else() -> None:
    status = judge(error_rate(), measured(error=DOWN), None)
    assert (status.name, status.errors, status.requests) == ("errors", 1, 0)
    assert status.checked_at == START


def test_the_same_error_is_counted_once() -> None:
    same = measured(second=1, error=DOWN)
    assert [status.errors for status in judged(error_rate(), same, same)] == [1, 1]


def test_the_numbers_of_the_last_answer_are_kept() -> None:
    good = measured(1000, 2)
    status = judged(error_rate(), good, *unavailable(1))[-1]
    assert (status.verdict, status.requests, status.failures) == ("error", 1000, 2)
    assert status.value == 0.002
    assert status.needed is None


def test_an_answer_ends_the_counting_at_once() -> None:
    again = measured(1000, 0, second=9)
    status = judged(error_rate(), *unavailable(8), again)[-1]
    assert (status.verdict, status.errors) == ("pass", 0)
    assert judged(error_rate(), *unavailable(8), again, *unavailable(1, 10))[-1].errors == 1


def test_failed_measurements_outlive_an_error() -> None:
    bad = [measured(value=2.0, second=second) for second in (0, 1)]
    found = judged(query(max=1), *bad, *unavailable(1, 2), measured(value=2.0, second=3))
    assert [status.failed_measurements for status in found] == [1, 2, 2, 3]
    assert found[-1].verdict == "fail"
