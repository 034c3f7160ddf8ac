"""
The promise of the sequential judge, by simulation with fixed seeds.

Between two failures the evidence against a release only falls, and the evidence for it only
rises. So a look after every single request comes to the same as a look at each failure (for
a failure) and just before it (for a pass), with the bounds that the judge itself gives for
every number of failures. That makes thousands of runs cheap, and nothing is approximated.
"""

import math
import random
import statistics
from bisect import bisect_left
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rollouts.judge import judge, sequential
from rollouts.judge.sequential import better_than, log_evidence, worse_than
from rollouts.model.evidence import Counts, Measurement
from tests.unit.judge.measurements import START, error_rate, latency, measured, verdicts

RUNS, REQUESTS = 20_000, 3000
ALPHA, PASS_ERROR = 0.01, 1 / 20


def verdict(requests: int, failures: int, most: float = 0.01) -> str:
    return judge(error_rate(most), measured(requests, failures), None).verdict


def fails_until(failures: int, most: float) -> int:
    """Return the most requests at which so many failures stop the release; 0 for none."""
    found = range(failures, REQUESTS + 1)
    index = bisect_left(found, 1, key=lambda requests: verdict(requests, failures, most) != "fail")
    return found[index - 1] if index else 0


def passes_from(failures: int, most: float) -> int:
    """Return the least requests at which so many failures pass; more than REQUESTS for none."""
    found = range(failures, REQUESTS + 1)
    index = bisect_left(found, 1, key=lambda requests: verdict(requests, failures, most) == "pass")
    return found[index] if index < len(found) else REQUESTS + 1


def failing_requests(chance: random.Random, rate: float) -> Iterator[int]:
    """Yield the number of each request that fails, of REQUESTS."""
    number = 0
    while True:
        number += 1 + int(math.log(1.0 - chance.random()) / math.log1p(-rate))
        if number > REQUESTS:
            return
        yield number


def stopped_at(most: float, rate: float, seed: int) -> list[int]:
    """Return, for each run that was stopped, after how many requests."""
    chance, bounds, stops = random.Random(seed), [0], []
    for _ in range(RUNS):
        for failures, number in enumerate(failing_requests(chance, rate), start=1):
            if failures == len(bounds):
                bounds.append(fails_until(failures, most))
            if number <= bounds[failures]:
                stops.append(number)
                break
    return stops


def three_sigma(probability: float, runs: int = RUNS) -> float:
    return 3 * math.sqrt(probability * (1 - probability) / runs)


@pytest.mark.parametrize(("most", "seed"), [(0.01, 1), (0.05, 2), (0.002, 3)])
def test_a_release_at_its_very_limit_is_stopped_with_probability_alpha_at_most(
    most: float, seed: int
) -> None:
    assert len(stopped_at(most, most, seed)) / RUNS <= ALPHA + three_sigma(ALPHA)


def test_a_release_far_below_its_limit_is_never_stopped() -> None:
    assert not stopped_at(0.01, 0.0005, 4)


def test_eight_percent_against_one_is_found_soon() -> None:
    stops = sorted(stopped_at(0.01, 0.08, 5))
    assert len(stops) == RUNS
    assert statistics.median(stops) <= 75
    assert stops[RUNS * 95 // 100] <= 200


@pytest.mark.parametrize("rate", [0.01, 0.012])
def test_a_release_that_misses_its_limit_passes_with_a_small_probability(rate: float) -> None:
    chance, passed = random.Random(6), 0
    bounds: list[int] = []
    for _ in range(RUNS):
        bad = [*failing_requests(chance, rate), REQUESTS + 1]
        for failures, number in enumerate(bad):
            if failures == len(bounds):
                bounds.append(passes_from(failures, 0.01))
            if number - 1 >= bounds[failures]:
                passed += 1
                break
    assert passed / RUNS <= PASS_ERROR + three_sigma(PASS_ERROR)


RESTARTED_RUNS, EVERY = 1000, 150


def begun_anew(bad: Sequence[int], number: int, *, every: int = EVERY) -> Measurement:
    """Return the look at request `number`, with the last two of the grid that have begun."""
    latest = (number - 1) // every

    def since(start: int) -> Counts:
        return Counts(number - start, sum(start < each <= number for each in bad))

    kept = tuple((each, since(each * every)) for each in (latest - 1, latest) if each >= 1)
    return measured(number, since(0).failures, restarts=kept)


def test_beginning_anew_keeps_the_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new beginning only lowers the evidence, so that looks at the failures are all looks."""
    # How many more requests it takes is no part of a verdict, and takes longer than one.
    monkeypatch.setattr(sequential, "fewest_needed", lambda _: None)
    chance, criterion, stopped = random.Random(7), error_rate(), 0
    for _ in range(RESTARTED_RUNS):
        bad: list[int] = []
        for number in failing_requests(chance, 0.01):
            bad.append(number)
            if judge(criterion, begun_anew(bad, number), None).verdict == "fail":
                stopped += 1
                break
    assert stopped / RESTARTED_RUNS <= ALPHA + three_sigma(ALPHA, RESTARTED_RUNS)


@pytest.mark.parametrize(("kind", "text"), [("errors", "failed"), ("p99", "took over 500ms")])
@pytest.mark.parametrize(("every", "at"), [(3, 12), (12, 253)])
def test_what_turns_bad_late_is_stopped_soon(kind: str, text: str, every: int, at: int) -> None:
    """Whatever went well for days: ten thousand good requests, and then all, or 8 %, are bad."""
    criterion = error_rate() if kind == "errors" else latency()
    good, step = 10_000, 1 if every == 3 else 12
    for number in range(1, at + 1):
        bad = Counts(number, number // step)
        grid = ((32, Counts(number + 300, bad.failures)), (33, Counts(number + 40, bad.failures)))
        found = judge(criterion, measured(good + number, bad.failures, restarts=grid), None)
        if found.verdict == "fail":
            break
    assert found.verdict == "fail"
    assert f"of the last {number + 40} canary requests {text}" in found.message
    assert found.requests == good + number
    assert judge(criterion, measured(good + number, bad.failures), None).verdict == "pass"


def test_what_has_not_begun_yet_costs_half_the_evidence() -> None:
    alone = math.exp(log_evidence(Counts(2, 2), 0.01, worse_than(0.01)))
    for kept, worth in (
        ((), 1.0),
        (((1, Counts()),), 1.0),
        (((4, Counts()), (5, Counts())), 1 / 20 + 1 / 30 + 1 / 6),
    ):
        message = judge(error_rate(), measured(2, 2, restarts=kept), None).message
        assert f"(odds against it {(alone + worth) / 2:,.0f} : 1)" in message


@pytest.mark.parametrize("most", [0, 0.001, 0.01, 0.05])
def test_a_release_that_fails_altogether_is_found_at_once(most: float) -> None:
    found = [verdict(requests, requests, most) for requests in range(1, 6)]
    assert found[-1] == "fail"
    assert "pass" not in found


def test_no_data_is_inconclusive_and_no_request_is_no_pass() -> None:
    status = judge(error_rate(), measured(), None)
    assert (status.verdict, status.value, status.requests) == ("inconclusive", None, 0)
    assert (
        status.message
        == f"no request has reached the canary yet; needs about {status.needed} more requests"
    )
    assert verdict(1, 0) == "inconclusive"
    assert verdict(100, 0) == "inconclusive"


@pytest.mark.parametrize("most", [0.001, 0.01, 0.05, 0.3])
def test_what_is_said_to_be_needed_is_what_it_takes(most: float) -> None:
    promised = judge(error_rate(most), measured(), None).needed
    assert promised is not None
    for seen in (0, 1, promised // 3, promised - 1):
        status = judge(error_rate(most), measured(seen), None)
        assert (status.verdict, status.needed) == ("inconclusive", promised - seen)
    status = judge(error_rate(most), measured(promised), None)
    assert (status.verdict, status.needed) == ("pass", None)


def test_with_failures_what_is_needed_is_an_estimate_that_shrinks_to_a_pass() -> None:
    # One request in 250 fails, where one in 100 may: it takes about 1,650 to know.
    totals, requests = [], 1000
    while verdict(requests, requests // 250) != "pass":
        status = judge(error_rate(), measured(requests, requests // 250), None)
        assert status.needed is not None
        totals.append(requests + status.needed)
        requests += 50
    assert requests == 1650
    assert all(total == pytest.approx(requests, rel=0.35) for total in totals)


def test_too_near_the_limit_promises_nothing() -> None:
    for failures in (10, 12):
        status = judge(error_rate(), measured(1000, failures), None)
        assert (status.verdict, status.needed) == ("inconclusive", None)
        assert status.message.endswith("; too near the limit to say")


def test_nothing_may_fail_and_nearly_all_may_fail() -> None:
    assert verdicts(error_rate(0), measured(), measured(1), measured(5), measured(6, 1)) == (
        ["inconclusive", "pass", "pass", "fail"]
    )
    assert verdicts(error_rate(1 - 2**-53), measured(), measured(5, 5)) == ["inconclusive", "pass"]
    assert judge(error_rate(0), measured(6, 1), None).message == (
        "16.7% of 6 canary requests failed, 0% may"
    )


@pytest.mark.parametrize("most", [5e-324, 1e-300, 1e-12, 1 - 1e-12, 1 - 2**-53])
def test_limits_at_the_edge_of_numbers_are_judged(most: float) -> None:
    # Whatever the limit, nothing is raised; a billionth is as good as nothing, and as all.
    expected = "fail" if most < 0.5 else "pass"
    assert verdict(10, 10, most) == expected
    if most > 2**-53:
        assert judge(latency(1 - most), measured(10, 10), None).verdict == expected


def test_latency_is_judged_by_the_requests_that_are_slower_than_the_limit() -> None:
    found = judge(latency(), measured(200, 40, limit=0.5, value=0.7, note="bucket 0.5"), None)
    assert found.verdict == "fail"
    assert (found.value, found.limit) == (0.7, 0.5)
    assert found.message.startswith(
        "20% of 200 canary requests took over 500ms, 1% may (odds against it"
    )
    assert found.message.endswith("; bucket 0.5")
    assert judge(latency(), measured(1000, 2), None).limit == 0.5
    assert judge(latency(0.5), measured(1000, 450), None).verdict == "inconclusive"


def test_a_status_keeps_all_numbers() -> None:
    found = measured(200, 40, stable=Counts(900, 3))
    status = judge(error_rate(), found, None)
    assert (status.requests, status.failures) == (200, 40)
    assert (status.stable_requests, status.stable_failures) == (900, 3)
    assert (status.value, status.limit, status.checked_at) == (0.2, 0.01, START)
    assert (
        status.message
    ) == "20% of 200 canary requests failed, 1% may (odds against it over 8 million : 1)"


def test_a_smaller_alpha_needs_more_evidence() -> None:
    stops = [
        next(
            n
            for n in range(1, 100)
            if judge(error_rate(alpha=alpha), measured(n, n), None).verdict == "fail"
        )
        for alpha in (0.5, 0.01, 1e-6, 1e-12)
    ]
    assert stops == sorted(stops)
    assert stops[0] < stops[-1]


@pytest.mark.parametrize(
    ("counts", "p0"),
    [(Counts(1, 2), 0.1), (Counts(1, -1), 0.1), (Counts(1, 0), 0), (Counts(1, 0), 1)],
)
def test_impossible_counts_and_limits_are_refused(counts: Counts, p0: float) -> None:
    with pytest.raises(ValueError, match=r"impossible|inside"):
        log_evidence(counts, p0, [0.5])


LIMITS = st.floats(1e-6, 0.9)
REQUEST_COUNTS = st.integers(0, 100_000)


@given(LIMITS, REQUEST_COUNTS, st.data())
def test_one_more_failure_never_speaks_for_the_release(
    p0: float, requests: int, data: st.DataObject
) -> None:
    failures = data.draw(st.integers(0, requests))
    assume(failures < requests)
    less, more = Counts(requests, failures), Counts(requests, failures + 1)
    assert log_evidence(more, p0, worse_than(p0)) >= log_evidence(less, p0, worse_than(p0))
    assert log_evidence(more, p0, better_than(p0)) <= log_evidence(less, p0, better_than(p0))
    order = ["pass", "inconclusive", "fail"]
    before, after = (
        order.index(verdict(requests, count, p0)) for count in (failures, failures + 1)
    )
    assert after >= before


@given(LIMITS, REQUEST_COUNTS, st.data())
def test_one_more_good_request_never_speaks_against_the_release(
    p0: float, requests: int, data: st.DataObject
) -> None:
    failures = data.draw(st.integers(0, requests))
    now, later = Counts(requests, failures), Counts(requests + 1, failures)
    assert log_evidence(later, p0, worse_than(p0)) <= log_evidence(now, p0, worse_than(p0))
    assert log_evidence(later, p0, better_than(p0)) >= log_evidence(now, p0, better_than(p0))


@given(LIMITS)
def test_evidence_is_a_bet_with_fair_odds(p0: float) -> None:
    """At the limit itself, the expectation after one request is 1: Ville's inequality needs that."""
    for grid in (worse_than(p0), better_than(p0)):
        bad, good = (math.exp(log_evidence(Counts(1, failed), p0, grid)) for failed in (1, 0))
        assert p0 * bad + (1 - p0) * good == pytest.approx(1)
        assert math.exp(log_evidence(Counts(), p0, grid)) == pytest.approx(1)
    assert min(worse_than(p0)) > p0 > max(better_than(p0))
