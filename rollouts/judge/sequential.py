"""
The sequential judge: evidence that may be judged after every scrape.

An e-process is non-negative and has expectation at most 1, at any stopping time, as long
as the hypothesis holds; so the probability that it ever reaches 1/alpha is at most alpha
(Ville's inequality). The one used here is a mixture of likelihood ratios over a grid of
failure probabilities p_k:

    E = Σ_k π_k · (p_k/p0)^e · ((1-p_k)/(1-p0))^(n-e)

for e failures in n requests. Over p_k > p0 it is evidence against "at most p0 fail",
and over p_k < p0 evidence against "at least p0 fail", that is, for promotion.

Over all requests since the exposure, a long good past outweighs an outage that begins late.
So the evidence against a release is a mixture once more, with processes E_j that begin anew
at moments j = 1, 2, … of a grid that is fixed before anything is seen:

    E = ½·E_all + ½·Σ_j E_j / (j·(j+1))

The weights sum to 1, and a process that has not begun is worth 1, so E is an e-process too.
Of those that have begun only the last few are kept: what is left out is not negative, so
that E is only smaller for it, and the promise holds. The price is a factor of 2 for a
canary that is bad from the start, and 2·j·(j+1) for one that turns bad at the j-th moment:
about 15 failures more in an outage of 5 % after a day, and 3 when everything fails.

Long before it is proof, the same evidence *leans*: more fail than may, and the odds that this
is no chance are above 2 : 5. That stops nobody. The weight waits for it, which costs a good
release some seconds now and then, and a bad one its next users.
Ref.: Ramdas, Grünwald, Vovk, Shafer, "Game-theoretic statistics and safe anytime-valid
inference", Statistical Science 38(4), 2023.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rollouts.model.criteria import Criterion
from rollouts.model.durations import format_duration
from rollouts.model.evidence import Counts, Measurement
from rollouts.model.status import CriterionStatus, Verdict
from rollouts.model.units import format_fraction

GRID_POINTS = 48
WIDEST_RATIO = 50.0
PASS_EVIDENCE = 20.0
"""Odds at which "meets the limit" is believed: wrong with probability 1/20 at most."""
LEAN_EVIDENCE = 0.4
"""Odds at which evidence leans: higher ones let bad releases rise, without sparing good ones much (bench/leaning.py)."""
MOST_NEEDED = 1_000_000_000
"""An estimate beyond this is none."""
_LEAST, _MOST = 1e-9, 0.999
"""A limit nearer to 0 is taken for the former; grids above it end at the latter."""


@dataclass(frozen=True, slots=True)
class EvidenceAgainst:
    """The evidence against a release: all of it, and of the processes that have begun those that tell."""

    log_odds: float
    decisive: int = 0
    """Which of them tells most, by its number; 0 is the exposure."""
    leaning: int | None = None
    """Which of them leans most against the release; None: none does."""

    def counts(self, measurement: Measurement) -> Counts:
        """Return what the process that leans has counted."""
        return dict(measurement.restarts)[self.leaning] if self.leaning else measurement.canary


def log_evidence(counts: Counts, p0: float, grid: Sequence[float]) -> float:
    """
    Return log E for the grid of alternatives, mixed with equal weights.

    Raises:
        ValueError: p0 is not inside (0, 1), or the counts are impossible.
    """
    if not 0 < p0 < 1:
        raise ValueError(f"p0 must be inside (0, 1), got {p0}")
    if not 0 <= counts.failures <= counts.requests:
        raise ValueError(f"{counts.failures} failures in {counts.requests} requests are impossible")
    return _log_mixture(counts.failures, counts.requests - counts.failures, p0, grid)


def _log_mixture(failed: float, good: float, p0: float, grid: Sequence[float]) -> float:
    return log_mean([failed * bad + good * well for bad, well in _log_ratios(p0, tuple(grid))])


@lru_cache(maxsize=256)  # a grid for each limit that anybody has, asked in every round
def _log_ratios(p0: float, grid: Sequence[float]) -> tuple[tuple[float, float], ...]:
    """Return, for each point of the grid, what one failed and what one good request add to log E."""
    return tuple((math.log(p / p0), math.log1p(-p) - math.log1p(-p0)) for p in grid)


def log_mean(terms: Sequence[float]) -> float:
    """Return the logarithm of the mean of e to the `terms`."""
    highest = max(terms)
    return highest + math.log(sum(math.exp(term - highest) for term in terms) / len(terms))


def log_evidence_over_starts(terms: Mapping[int, float], latest: int) -> tuple[float, int]:
    """
    Return log E of the mixture over the moments at which counting began, and which tells most.

    `terms` has log E_j by the number of its moment; 0 is the exposure. `latest` is the last
    moment there has been.
    """
    weighed = {
        number: term - (math.log(number * (number + 1)) if number else 0.0)
        for number, term in terms.items()
    }
    decisive = max(weighed, key=lambda number: weighed[number])
    highest = max(weighed[decisive], 0.0)
    # The weights of those that have not begun sum to 1/(latest+1).
    total = sum(math.exp(term - highest) for term in weighed.values())
    total += math.exp(-highest) / (latest + 1)
    return highest + math.log(total / 2), decisive


def leaning(terms: Mapping[int, float], over: Collection[int]) -> int | None:
    """
    Return which process leans most against the release, by its number; None when none does.

    `terms` has log E_j, `over` those whose rate is over the limit. Each that has begun is asked by itself:
    in the mixture, those that have not would outweigh a lean for ever. It decides only that
    the weight waits, so nothing has to be paid for asking several.
    """
    leaning = [number for number in over if terms[number] >= math.log(LEAN_EVIDENCE)]
    return max(leaning, key=lambda number: terms[number], default=None)


def leans(counts: Counts, p0: float) -> bool:
    """Return whether these counts by themselves lean against "at most `p0` of all"."""
    if counts.failures <= p0 * counts.requests or p0 > 1 - _LEAST:
        return False  # nothing is over a limit of all
    if p0 <= 0:
        return True
    p0 = max(p0, _LEAST)
    return leaning({0: log_evidence(counts, p0, worse_than(p0))}, {0}) is not None


@lru_cache(maxsize=256)
def worse_than(p0: float) -> tuple[float, ...]:
    """Return a logarithmic grid of failure probabilities above p0: 5 % worse, up to nearly all."""
    return log_grid(min(p0 * 1.05, (p0 + 1) / 2), max(_MOST, (p0 + 1) / 2))


@lru_cache(maxsize=256)
def better_than(p0: float) -> tuple[float, ...]:
    """Return a logarithmic grid of failure probabilities below p0: 5 % better, down to a fiftieth."""
    return log_grid(p0 / WIDEST_RATIO, p0 * 0.95)


def log_grid(low: float, high: float) -> tuple[float, ...]:
    """Return the grid's points from `low` to `high`, each as many times the one before."""
    step = math.log(high / low) / (GRID_POINTS - 1)
    return tuple(low * math.exp(step * index) for index in range(GRID_POINTS))


def judge_sequentially(criterion: Criterion, measurement: Measurement) -> CriterionStatus:
    """
    Return the verdict on counts: an absolute limit on failed, or on too slow, requests.

    All that was counted speaks against a release; for it, only what came since its present
    weight took effect, for that is what nobody knew before.
    """
    p0, limit = _hypothesis(criterion, measurement)
    p0 = max(p0, _LEAST) if 0 < p0 < 1 - _LEAST else round(p0)  # 0 and 1 are judged apart
    counts = measurement.canary
    at_weight = counts if measurement.at_weight is None else measurement.at_weight
    against = _against(measurement, p0)
    verdict = _verdict(counts, at_weight, p0, criterion.alpha, against)
    leans = against.leaning is not None and verdict != "fail"
    needed = None
    if leans:
        needed = _until_fail(against.counts(measurement), p0, criterion.alpha, against.leaning or 0)
    elif verdict == "inconclusive":
        needed = _until_pass(at_weight, p0)
    return CriterionStatus(
        name=criterion.name,
        verdict=verdict,
        value=measurement.value,
        limit=limit,
        leans=leans,
        requests=counts.requests,
        unseen=measurement.unseen,
        failures=counts.failures,
        stable_requests=measurement.stable.requests,
        stable_failures=measurement.stable.failures,
        needed=needed,
        message=_message(criterion, measurement, against, verdict, needed),
        checked_at=measurement.at,
    )


def _hypothesis(criterion: Criterion, measurement: Measurement) -> tuple[float, float]:
    """Return the probability that must not be exceeded, and the limit that people set."""
    if criterion.latency is not None:
        return 1 - criterion.latency.quantile, measurement.limit or criterion.latency.max
    assert criterion.error_rate is not None
    assert criterion.error_rate.max is not None  # a ratio has a judge of its own
    return criterion.error_rate.max, criterion.error_rate.max


def _against(measurement: Measurement, p0: float) -> EvidenceAgainst:
    """
    Return the evidence against the release.

    With a limit of nothing one failure is enough, and with one of all none is.
    """
    counts = measurement.canary
    if p0 <= 0:
        return EvidenceAgainst(math.inf if counts.failures else 0.0)
    if p0 >= 1 or not counts.requests:
        return EvidenceAgainst(0.0)
    grid = worse_than(p0)
    latest = max((number for number, _ in measurement.restarts), default=0)
    begun = {0: counts, **dict(measurement.restarts)}
    terms = {number: log_evidence(each, p0, grid) for number, each in begun.items()}
    over = {number for number, each in begun.items() if each.failures > p0 * each.requests}
    log_odds, decisive = log_evidence_over_starts(terms, latest)
    return EvidenceAgainst(log_odds, decisive, leaning(terms, over))


def _verdict(
    counts: Counts, at_weight: Counts, p0: float, alpha: float, against: EvidenceAgainst
) -> Verdict:
    if counts.requests == 0:
        return "inconclusive"
    if (p0 <= 0 and counts.failures) or against.log_odds >= -math.log(alpha):
        return "fail"
    if at_weight.requests == 0:
        return "inconclusive"
    if p0 <= 0 or p0 >= 1:
        return "pass"  # "nothing may fail" can be refuted, but no sample proves it
    shown = log_evidence(at_weight, p0, better_than(p0)) >= math.log(PASS_EVIDENCE)
    return "pass" if shown else "inconclusive"


@lru_cache(maxsize=1024)  # it is asked at each reconcile, and the counts change at each look only
def _until_pass(counts: Counts, p0: float) -> int | None:
    """
    Return about how many more requests show that the limit is met, if failures go on as they do.

    None when they never would: the failure rate is at the limit, or too near to it.
    """
    rate = (counts.failures + 0.5) / (counts.requests + 1) if counts.failures else 0.0
    if not 0 < p0 < 1 or rate >= p0:
        return None
    grid, good = better_than(p0), counts.requests - counts.failures

    def shown(more: int) -> bool:
        reached = _log_mixture(counts.failures + rate * more, good + (1 - rate) * more, p0, grid)
        return reached >= math.log(PASS_EVIDENCE)

    return fewest_needed(shown)


@lru_cache(maxsize=1024)
def _until_fail(counts: Counts, p0: float, alpha: float, number: int) -> int | None:
    """
    Return about how many more requests show that the limit is broken, if failures go on as they do.

    `number` is that of the process that leans, for whose share of the mixture the odds have
    to be the higher.
    """
    rate, grid = counts.failures / counts.requests, worse_than(p0)
    enough = math.log(2 / alpha) + (math.log(number * (number + 1)) if number else 0.0)

    def shown(more: int) -> bool:
        failed = counts.failures + rate * more
        return _log_mixture(failed, counts.requests + more - failed, p0, grid) >= enough

    return fewest_needed(shown)


def fewest_needed(shown: Callable[[int], bool]) -> int | None:
    """Return the least number from 1 on of which `shown` is true, as it is of all above; None beyond reason."""
    enough = 1
    while not shown(enough) and enough < MOST_NEEDED:
        enough *= 2
    if enough >= MOST_NEEDED:
        return None
    return bisect_left(range(enough), True, lo=1, key=shown)  # noqa: FBT003 - what is sought


def _message(
    criterion: Criterion,
    measurement: Measurement,
    against: EvidenceAgainst,
    verdict: Verdict,
    needed: int | None,
) -> str:
    leans = verdict != "fail" and against.leaning is not None
    tells = against.decisive if verdict == "fail" else against.leaning or 0
    counts = dict(measurement.restarts)[tells] if tells else measurement.canary
    text = _seen(criterion, measurement, counts, " the last" if tells else "")
    if verdict == "fail" and math.isfinite(against.log_odds):
        text += f" ({odds_against(against.log_odds)})"
    if leans and needed:
        text += f"; about {needed:,} more requests will tell"
    elif verdict == "inconclusive":
        total = measurement.at_weight is None or measurement.at_weight == measurement.canary
        here = "" if total else " at this weight"
        text += (
            f"; needs about {needed:,} more requests{here}"
            if needed
            else "; too near the limit to say"
        )
    return f"{text}{'; ' if measurement.note else ''}{measurement.note}"


def _seen(criterion: Criterion, measurement: Measurement, counts: Counts, which: str) -> str:
    """Return what was counted, in words; `which` requests these are, where not all."""
    if counts.requests == 0:
        return measurement.no_data or "no request has reached the canary yet"
    share = format_fraction(counts.failures / counts.requests)
    of = f"{share} of{which} {counts.requests} canary requests"
    if criterion.latency is not None:
        limit = format_duration(measurement.limit or criterion.latency.max)
        return f"{of} took over {limit}, {format_fraction(1 - criterion.latency.quantile)} may"
    assert criterion.error_rate is not None
    return f"{of} failed, {format_fraction(criterion.error_rate.max or 0)} may"


def odds(log_odds: float) -> str:
    """Return odds as people read them."""
    return f"{math.exp(log_odds):,.0f}" if log_odds < 16 else "over 8 million"


def odds_against(log_odds: float) -> str:
    """Return in words the odds that prove a canary bad."""
    return f"odds against it {odds(log_odds)} : 1"
