"""Evidence leans long before it is proof, and a pass rests on what came at the present weight."""

import random
import statistics
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.judge import judge
from rollouts.judge.sequential import fewest_needed
from rollouts.model.evidence import Counts, Interval, Measurement
from rollouts.model.status import CriterionStatus
from tests.unit.judge.measurements import START, error_rate, latency, measured
from tests.unit.judge.test_ratio import beside

ALPHA = 0.01


def said(requests: int, failures: int, **facts: Any) -> CriterionStatus:
    return judge(error_rate(), measured(requests, failures, **facts), None)


def test_it_says_how_many_more_requests_will_tell() -> None:
    found = said(42, 3)
    assert (found.verdict, found.leans, found.needed) == ("inconclusive", True, 43)
    assert found.message == (
        "7.14% of 42 canary requests failed, 1% may; about 43 more requests will tell"
    )


def test_what_is_said_to_tell_does() -> None:
    """Going on at the rate that was seen, so many more requests are a failure, and not far fewer."""
    for requests, failures in ((42, 3), (100, 4), (30, 1)):
        needed = said(requests, failures).needed
        assert needed is not None
        rate = failures / requests
        enough = said(requests + needed + 2, round((requests + needed) * rate) + 1)
        assert enough.verdict == "fail"
        half = needed // 2
        assert said(requests + half, int((requests + half) * rate)).verdict != "fail"


@pytest.mark.parametrize(
    ("requests", "failures", "leans"),
    [(0, 0, False), (100, 0, False), (1000, 8, False), (100, 1, False), (20, 1, True)],
)
def test_only_more_failures_than_may_lean(requests: int, failures: int, leans: bool) -> None:
    assert said(requests, failures).leans is leans


def test_what_is_hardly_over_the_limit_in_a_large_sample_does_not_lean_for_ever() -> None:
    assert not said(20_000, 201).leans


def test_a_failure_leans_no_more() -> None:
    found = said(40, 10)
    assert (found.verdict, found.leans) == ("fail", False)


def test_an_outage_after_a_long_good_time_leans_by_its_last_requests() -> None:
    restarts = ((7, Counts(130, 2)), (8, Counts(30, 2)))
    found = said(10_000, 2, restarts=restarts)
    assert (found.verdict, found.leans) == ("pass", True)
    assert found.message.startswith("6.67% of the last 30 canary requests failed, 1% may; about")


def test_latency_leans_as_well() -> None:
    found = judge(latency(), measured(42, 3, limit=0.5), None)
    assert found.leans
    assert "took over 500ms, 1% may; about 43 more requests will tell" in found.message


def test_the_comparison_with_stable_leans() -> None:
    def beside_stable(n_c: int, e_c: int, n_s: int, e_s: int) -> CriterionStatus:
        interval = Interval(0, Counts(n_c, e_c), Counts(n_s, e_s))
        measured = Measurement(START, interval.canary, interval.stable, intervals=(interval,))
        return judge(beside(), measured, None)

    worse = beside_stable(100, 4, 900, 9)
    assert (worse.verdict, worse.leans) == ("inconclusive", True)
    assert worse.message.endswith("; more requests will tell")
    assert not beside_stable(100, 1, 900, 9).leans
    assert not beside_stable(0, 0, 900, 9).leans


def test_limits_of_nothing_and_of_nearly_all_never_lean() -> None:
    assert not judge(error_rate(0), measured(100), None).leans
    assert not judge(error_rate(1 - 2**-53), measured(100, 100), None).leans


def test_a_pass_rests_on_the_requests_at_the_present_weight() -> None:
    assert said(2000, 0).verdict == "pass"
    early = said(2000, 0, at_weight=Counts(40, 0))
    assert (early.verdict, early.needed) == ("inconclusive", 318)
    assert early.message.endswith("needs about 318 more requests at this weight")
    assert said(2000, 0, at_weight=Counts(358, 0)).verdict == "pass"
    assert said(2000, 0, at_weight=Counts()).verdict == "inconclusive"
    assert judge(error_rate(0), measured(9, at_weight=Counts()), None).verdict == "inconclusive"


def test_a_failure_rests_on_all_requests() -> None:
    assert said(200, 20, at_weight=Counts(20, 0)).verdict == "fail"


def test_a_comparison_passes_on_what_came_at_the_present_weight() -> None:
    before = Interval(0, Counts(9000, 45), Counts(81000, 405), at_weight=False)
    now = Interval(1, Counts(100, 1), Counts(900, 9))
    measured = Measurement(START, Counts(9100, 46), Counts(81900, 414), intervals=(before, now))
    assert judge(beside(), measured, None).verdict == "inconclusive"


def test_what_was_missed_is_remembered() -> None:
    assert said(10, 0, unseen=70).unseen == 70


def test_good_releases_lean_seldom_and_bad_ones_nearly_always() -> None:
    """At the look where a weight of 10 % has had 100 requests, as docs/adr/0017 says."""
    chance, runs = random.Random(8), 2000

    def held(rate: float) -> bool:
        found = said(100, sum(chance.random() < rate for _ in range(100)))
        return found.leans or found.verdict == "fail"

    assert statistics.mean(held(0.005) for _ in range(runs)) < 0.11
    assert statistics.mean(held(0.04) for _ in range(runs)) > 0.89


@given(st.integers(1, 10_000))
def test_the_fewest_are_found(least: int) -> None:
    assert fewest_needed(lambda number: number >= least) == least


def test_no_number_is_the_fewest_of_what_never_comes() -> None:
    assert fewest_needed(lambda _: False) is None
