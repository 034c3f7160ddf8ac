"""The comparison with stable keeps its promise, whatever both sides go through."""

import math
import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.judge import judge
from rollouts.judge.ratio import better, log_terms, worse
from rollouts.judge.sequential import log_mean
from rollouts.model.criteria import Criterion
from rollouts.model.evidence import Counts, Interval, Measurement
from rollouts.model.status import CriterionStatus

AT = datetime(2030, 1, 1, tzinfo=UTC)


def beside(ratio: float = 1.5, alpha: float = 0.01) -> Criterion:
    body = {"name": "beside", "alpha": alpha, "errorRate": {"maxRatioToStable": ratio}}
    return Criterion.model_validate(body)


def measurement(*intervals: tuple[int, int, int, int], **fields: object) -> Measurement:
    """Return one of intervals (canary requests and failures, stable requests and failures)."""
    made = tuple(
        Interval(0, Counts(n_c, e_c), Counts(n_s, e_s)) for n_c, e_c, n_s, e_s in intervals
    )
    canary = Counts(sum(each[0] for each in intervals), sum(each[1] for each in intervals))
    stable = Counts(sum(each[2] for each in intervals), sum(each[3] for each in intervals))
    failing = tuple(each for each in made if each.canary.failures or each.stable.failures)
    return Measurement(at=AT, canary=canary, stable=stable, intervals=failing, **fields)  # type: ignore[arg-type]


def said(*intervals: tuple[int, int, int, int], ratio: float = 1.5) -> CriterionStatus:
    return judge(beside(ratio), measurement(*intervals), None)


def test_a_canary_that_fails_everything_is_found_at_once() -> None:
    found = said((6, 6, 94, 0))
    assert found.verdict == "fail"
    assert found.message.startswith(
        "100% of 6 canary requests failed, and 0% of 94 stable ones: about "
    )
    assert "odds against it" in found.message
    assert found.limit == 1.5


def test_an_outage_of_both_is_evidence_of_nothing() -> None:
    assert said((10, 10, 90, 90)).verdict == "inconclusive"
    assert said(*[(10, 0, 90, 1)] * 20, (10, 5, 90, 45)).verdict != "fail"


def test_a_canary_as_good_as_stable_passes_and_says_how_much_that_takes() -> None:
    few = said(*[(100, 1, 900, 9)] * 3)
    assert few.verdict == "inconclusive"
    assert few.value == pytest.approx(1.0, abs=0.1)
    assert few.needed is not None
    assert f"needs about {few.needed:,} more requests" in few.message
    enough = 1 + few.needed // 100
    assert said(*[(100, 1, 900, 9)] * (3 + enough)).verdict == "pass"
    assert said(*[(100, 1, 900, 9)] * (3 + enough * 8 // 10)).verdict == "inconclusive"


def test_nothing_is_compared_with_nothing() -> None:
    assert "no request has reached the canary yet" in said((0, 0, 10, 1)).message
    assert "no request has reached stable yet" in said((10, 1, 0, 0)).message
    assert said((10, 1, 0, 0)).value is None
    clean = said((10, 0, 90, 0))
    assert (clean.verdict, clean.value) == ("inconclusive", 1.0)
    assert "without a failure nothing can be compared; too early to say" in clean.message


def test_weights_that_change_do_not_mislead() -> None:
    """Pooled, the canary would seem four times worse: it had most requests in the bad hour."""
    quiet, bad = (100, 0, 9900, 10), (5000, 250, 5000, 250)
    assert said(*[quiet] * 20, *[bad] * 3).verdict in {"pass", "inconclusive"}
    assert said(*[quiet] * 20, *[bad] * 3).value == pytest.approx(1.0, abs=0.1)


def test_evidence_begins_anew() -> None:
    """A canary that was better for long, and turns bad, is found by its last requests."""
    good = [Interval(0, Counts(100, 0), Counts(900, 90))] * 20
    late = Interval(2, Counts(100, 30), Counts(900, 9))
    canary, stable = Counts(2100, 30), Counts(18900, 1809)
    whole = Measurement(at=AT, canary=canary, stable=stable, intervals=(*good, late))
    assert judge(beside(), whole, None).verdict != "fail"
    restarts = ((1, Counts(100, 30)), (2, Counts(100, 30)))
    anew = Measurement(
        at=AT, canary=canary, stable=stable, intervals=(*good, late), restarts=restarts
    )
    assert judge(beside(), anew, None).verdict == "fail"


INTERVALS = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 50), st.floats(0, 1), st.floats(0, 1)).map(
        lambda each: (each[0], int(each[0] * each[2]), each[1], int(each[1] * each[3]))
    ),
    max_size=20,
)


@given(intervals=INTERVALS, ratio=st.floats(0.1, 100))
def test_any_counts_have_a_verdict(
    intervals: list[tuple[int, int, int, int]], ratio: float
) -> None:
    found = said(*intervals, ratio=ratio)
    assert found.verdict in {"pass", "fail", "inconclusive"}
    assert found.value is None or math.isfinite(found.value)


@given(n_c=st.integers(1, 200), n_s=st.integers(1, 200), e=st.integers(0, 12), r0=st.floats(0.2, 5))
def test_the_expectation_under_the_limit_is_one(n_c: int, n_s: int, e: int, r0: float) -> None:
    """Over all ways in which e failures fall on the sides; so it is an e-process (Ville)."""
    theta = r0 * n_c / (r0 * n_c + n_s)
    for grid in (worse(r0), better(r0)):
        mean = 0.0
        for e_c in range(e + 1):
            chance = math.comb(e, e_c) * theta**e_c * (1 - theta) ** (e - e_c)
            interval = Interval(0, Counts(n_c, e_c), Counts(n_s, e - e_c))
            mean += chance * math.exp(log_mean(log_terms([interval], r0, grid)))
        assert mean == pytest.approx(1.0, rel=1e-6)


def test_good_releases_are_stopped_as_seldom_as_promised() -> None:
    """At the limit itself, with a baseline that leaps and a weight that grows, looked at always."""
    chance, stopped, runs = random.Random(7), 0, 200
    for _ in range(runs):
        intervals: list[tuple[int, int, int, int]] = []
        for step in range(30):
            n_c, rate = (5, 10, 25, 50)[step // 8], chance.choice((0.005, 0.02, 0.15))
            e_c = sum(chance.random() < 1.5 * rate for _ in range(n_c))
            e_s = sum(chance.random() < rate for _ in range(100 - n_c))
            intervals.append((n_c, e_c, 100 - n_c, e_s))
            if e_c and judge(beside(alpha=0.05), measurement(*intervals), None).verdict == "fail":
                stopped += 1
                break
    assert stopped <= runs * 0.05
