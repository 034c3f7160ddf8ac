"""
The comparison with stable: is the canary's failure rate more than r0 times stable's?

Given which of all requests failed, each of them is the canary's with a probability that only
its share of the traffic and the ratio r of the rates decide, whatever the rate is that both
have. With n_c and n_s requests in one short interval:

    θ(r) = r·n_c / (r·n_c + n_s)

So an outage that both sides have is evidence of nothing, and the weight may change from one
interval to the next. For e_c and e_s failures, summed over the intervals:

    log E_k = Σ e_c·log(θ(r_k)/θ(r0)) + e_s·log((1-θ(r_k))/(1-θ(r0)))

Mixed over a grid r_k > r0 it is evidence against "at most r0 times", over r_k < r0 against
"at least r0 times". It may be judged at any time; see `sequential` for why, and for how
evidence begins anew. It needs users that are assigned at random.
Ref.: Lindon, Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022.
"""

import math
from collections.abc import Iterable, Sequence

from rollouts.judge.sequential import (
    PASS_EVIDENCE,
    WIDEST_RATIO,
    EvidenceAgainst,
    fewest_needed,
    leaning,
    log_evidence_over_starts,
    log_grid,
    log_mean,
    odds_against,
)
from rollouts.model.criteria import Criterion
from rollouts.model.evidence import Counts, Interval, Measurement
from rollouts.model.status import CriterionStatus, Verdict
from rollouts.model.units import format_fraction


def log_terms(intervals: Iterable[Interval], r0: float, grid: Sequence[float]) -> list[float]:
    """
    Return log E_k for each ratio of the grid, against the ratio `r0`.

    Raises:
        ValueError: `r0` is not positive.
    """
    if r0 <= 0:
        raise ValueError(f"a ratio must be positive, got {r0}")
    logs = [math.log(ratio / r0) for ratio in grid]
    terms = [0.0] * len(grid)
    for each in intervals:
        n_c, n_s = each.canary.requests, each.stable.requests
        e_c, e = each.canary.failures, each.canary.failures + each.stable.failures
        if not n_c or not n_s:
            continue  # θ is the same for every ratio
        null = r0 * n_c + n_s
        for index, ratio in enumerate(grid):
            terms[index] += e_c * logs[index] - e * math.log((ratio * n_c + n_s) / null)
    return terms


def worse(r0: float) -> tuple[float, ...]:
    """Return the ratios above r0: 5 % above it, up to fifty times."""
    return log_grid(r0 * 1.05, r0 * WIDEST_RATIO)


def better(r0: float) -> tuple[float, ...]:
    """Return the ratios below r0: down to a fiftieth, up to 5 % below it."""
    return log_grid(r0 / WIDEST_RATIO, r0 * 0.95)


def judge_ratio(criterion: Criterion, measurement: Measurement) -> CriterionStatus:
    """Return the verdict on how many times stable's failure rate the canary's is."""
    assert criterion.error_rate is not None
    r0 = criterion.error_rate.max_ratio_to_stable
    assert r0 is not None
    against = _against(measurement, r0)
    met = log_terms((each for each in measurement.intervals if each.at_weight), r0, better(r0))
    verdict: Verdict = "inconclusive"
    if against.log_odds >= -math.log(criterion.alpha):
        verdict = "fail"
    elif log_mean(met) >= math.log(PASS_EVIDENCE):
        verdict = "pass"
    leans = against.leaning is not None and verdict != "fail"
    needed = _needed(measurement, r0, met) if verdict == "inconclusive" and not leans else None
    text = _message(measurement, r0)
    if verdict == "fail":
        text += f" ({odds_against(against.log_odds)})"
    elif leans:
        text += "; more requests will tell"
    elif verdict == "inconclusive":
        text += f"; needs about {needed:,} more requests" if needed else "; too early to say"
    counts, stable = measurement.canary, measurement.stable
    return CriterionStatus(
        name=criterion.name,
        verdict=verdict,
        value=_ratio(measurement) if counts.requests and stable.requests else None,
        limit=r0,
        leans=leans,
        requests=counts.requests,
        unseen=measurement.unseen,
        failures=counts.failures,
        stable_requests=stable.requests,
        stable_failures=stable.failures,
        needed=needed,
        message="; ".join(filter(None, (text, measurement.note))),
        checked_at=measurement.at,
    )


def _against(measurement: Measurement, r0: float) -> EvidenceAgainst:
    grid, latest = worse(r0), max((number for number, _ in measurement.restarts), default=0)
    begun = {
        number: [each for each in measurement.intervals if each.number >= number]
        for number in (0, *(number for number, _ in measurement.restarts))
    }
    terms = {number: log_mean(log_terms(each, r0, grid)) for number, each in begun.items()}
    over = {number for number, each in begun.items() if _is_over(each, r0)}
    log_odds, decisive = log_evidence_over_starts(terms, latest)
    return EvidenceAgainst(log_odds, decisive, leaning(terms, over))


def _is_over(intervals: Sequence[Interval], r0: float) -> bool:
    """Return whether the canary failed more than `r0` times as often as stable (Mantel and Haenszel)."""
    above = below = 0.0
    for each in intervals:
        everyone = each.canary.requests + each.stable.requests
        if everyone:
            above += each.canary.failures * each.stable.requests / everyone
            below += each.stable.failures * each.canary.requests / everyone
    return above > r0 * below


def _ratio(measurement: Measurement) -> float:
    """
    Return about how many times stable's failure rate the canary's is.

    Mantel and Haenszel's estimate, which changes of the weight do not mislead, with half a
    failure on either side: where nothing failed it is 1.
    """
    canary, stable = measurement.canary.requests, measurement.stable.requests
    half = 0.5 * canary * stable / (canary + stable) ** 2
    above = below = half
    for each in measurement.intervals:
        everyone = each.canary.requests + each.stable.requests
        above += each.canary.failures * each.stable.requests / everyone
        below += each.stable.failures * each.canary.requests / everyone
    return above / below


def _needed(measurement: Measurement, r0: float, met: Sequence[float]) -> int | None:
    """Return about how many more canary requests show that the limit is met, if all goes on so."""
    canary, stable = measurement.canary, measurement.stable
    if not canary.requests or not stable.requests:
        return None
    failed = canary.failures + stable.failures
    ratio = min(1.0, _ratio(measurement))
    beside = stable.requests / canary.requests
    rate = failed / (ratio * canary.requests + stable.requests)  # stable's
    if not failed or ratio >= r0:
        return None
    growth = [
        rate * (ratio * math.log(each / r0))
        - rate * (ratio + beside) * math.log((each + beside) / (r0 + beside))
        for each in better(r0)
    ]

    def shown(more: int) -> bool:
        terms = [term + more * each for term, each in zip(met, growth, strict=True)]
        return log_mean(terms) >= math.log(PASS_EVIDENCE)

    return fewest_needed(shown)


def _message(measurement: Measurement, r0: float) -> str:
    canary, stable = measurement.canary, measurement.stable
    if not canary.requests or not stable.requests:
        silent = "the canary" if not canary.requests else "stable"
        return measurement.no_data or f"no request has reached {silent} yet"
    failed = f"{_share(canary)} canary requests failed, and {_share(stable)} stable ones"
    if not canary.failures + stable.failures:
        return f"{failed}: without a failure nothing can be compared"
    return f"{failed}: about {_ratio(measurement):.2g} times as many, {r0:g} times may"


def _share(counts: Counts) -> str:
    return f"{format_fraction(counts.failures / counts.requests)} of {counts.requests:,}"
