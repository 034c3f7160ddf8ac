"""
Each request's counter once, where several Prometheus or several jobs have scraped the same process.

The two of an HA pair scrape the same targets, each at its own times, and what asks both (Thanos,
Mimir, VictoriaMetrics, a federation) tells their series apart by one label, unless it was told
to deduplicate. Counted as they are, every request counts twice. Of each process all series
are taken from one of them, because what one scrape shows belongs together.

Two jobs of one Prometheus that scrape the same process count everything twice as well.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise

from rollouts.analysis.series import Labels, labels_of
from rollouts.judge.counters import Counter
from rollouts.model.counter_metric import Metric
from rollouts.ports import Series

ENOUGH = 0.8
"""So large a part of the other's samples makes one as good: their scrapes come at other times."""
SKEW_SECONDS = 2.0
"""So far apart two clocks may be that stamp the samples of one counter."""
AMBIGUOUS = "replica"
"""An app may have a label of this name too, and count by it."""
_COMPARED = 3
"""So many samples of two series have to be compared to say that they are two counters."""

_Target = tuple[str, str]
_Replicas = dict[str, Series]


def one_of_each(found: Iterable[Series], names: Sequence[str]) -> tuple[list[Series], str]:
    """
    Return one of the series that differ in labels of these names only, without those labels.

    Of a process it is the first by name that has not clearly fewer samples than another: so it
    is the same one, read by read, until it fails. Which one of how many is said in words; no
    words, if there are no copies.
    """
    found = list(found)
    used = [name for name in names if any(name in each.labels for each in found)]
    if not used:
        return found, ""
    groups: dict[Labels, _Replicas] = defaultdict(dict)
    for each in found:
        rest = tuple(label for label in labels_of(each) if label[0] not in used)
        groups[rest][_replica(each, used)] = each
    if AMBIGUOUS in used and any(_are_apart(list(group.values())) for group in groups.values()):
        return one_of_each(found, [name for name in names if name != AMBIGUOUS])
    chosen = _chosen(groups)
    result = []
    for rest, group in groups.items():
        replica = chosen[_target(rest)]
        if replica in group:
            others = (each for name, each in group.items() if name != replica)
            result.append(Series(dict(rest), _in_order(group[replica], others)))
    return result, _note(groups, chosen)


def by_one_job(
    metric: Metric,
    found: Iterable[Series],
    chosen: dict[str, str],
    counters: Mapping[Labels, Counter],
) -> list[Series]:
    """
    Return each process' series of one job only: two that scrape it count everything twice.

    It is the job with the most series, of equals the first by name; `chosen` keeps it for
    as long as it is there. Of the one that replaces it, only what is later counts.
    """
    jobs: dict[str, dict[str, list[Series]]] = {}
    for series in found:
        of_process = jobs.setdefault(metric.process(series.labels), {})
        of_process.setdefault(series.labels.get("job", ""), []).append(series)
    result: list[Series] = []
    for name, of_process in jobs.items():
        best = min(of_process, key=lambda job: (-len(of_process[job]), job))
        before = chosen.get(name, best)
        if before in of_process:
            best = before
        chosen[name] = best
        if best == before:
            result += of_process[best]
        else:
            seen = (
                each.at for labels, each in counters.items() if metric.process(dict(labels)) == name
            )
            result += _after(of_process[best], max(seen, default=0.0))
    return result


def _after(found: Iterable[Series], moment: float) -> list[Series]:
    later = [
        Series(each.labels, tuple(sample for sample in each.samples if sample[0] > moment))
        for each in found
    ]
    return [each for each in later if each.samples]


def _replica(series: Series, names: Collection[str]) -> str:
    return ", ".join(f"{name}={series.labels.get(name, '')}" for name in names)


def _target(labels: Labels) -> _Target:
    """Return the labels of what is scraped: its series come together."""
    facts = dict(labels)
    return facts.get("job", ""), facts.get("instance", "")


def _chosen(groups: dict[Labels, _Replicas]) -> dict[_Target, str]:
    """Return, for each target, whose samples are taken."""
    counts: dict[_Target, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for rest, group in groups.items():
        for replica, series in group.items():
            counts[_target(rest)][replica] += len(series.samples)
    return {
        target: min(name for name, count in each.items() if count >= ENOUGH * max(each.values()))
        for target, each in counts.items()
    }


def _note(groups: dict[Labels, _Replicas], chosen: dict[_Target, str]) -> str:
    replicated = {rest: group for rest, group in groups.items() if len(group) > 1}
    if not replicated:
        return ""
    many = len(set().union(*replicated.values()))
    taken = " and ".join(sorted({chosen[_target(rest)] for rest in replicated}))
    return f"of {many} replicas of Prometheus one is counted: {taken}"


def _are_apart(alike: Sequence[Series]) -> bool:
    """Return whether two of them are not samples of one counter, taken at different times."""
    return any(_is_apart(one, other) for one in alike for other in alike if one is not other)


def _is_apart(one: Series, other: Series) -> bool:
    """
    Return whether `one` is as a rule lower than `other` was before it, or higher than it is after it.

    Before and after leave room for clocks that differ. Where a counter began anew in between,
    nothing can be said; that it did so without a trace is no rule.
    """
    samples = sorted(other.samples)
    times = [at for at, _ in samples]
    falls = [later for (_, before), (later, after) in pairwise(samples) if after < before]
    compared = wrong = 0
    for at, value in one.samples:
        before = bisect_right(times, at - SKEW_SECONDS) - 1
        after = bisect_right(times, at + SKEW_SECONDS)
        if before < 0 or after >= len(samples):
            continue
        if any(times[before] < fall <= times[after] for fall in falls):
            continue
        compared += 1
        wrong += not samples[before][1] <= value <= samples[after][1]
    return compared >= _COMPARED and 2 * wrong >= compared


def _in_order(taken: Series, others: Iterable[Series]) -> tuple[tuple[float, float], ...]:
    """
    Return its samples without those that say less than another copy said just before.

    Its clock is late then. After the other was taken until now, such a sample would look like
    a counter that began anew.
    """
    seen = sorted(sample for each in others for sample in each.samples)
    times = [at for at, _ in seen]

    def is_late(at: float, value: float) -> bool:
        just_before = slice(bisect_left(times, at - SKEW_SECONDS), bisect_left(times, at))
        return any(more > value for _, more in seen[just_before])

    return tuple(sample for sample in taken.samples if not is_late(*sample))
