"""
One of the copies of each series, where several Prometheus have scraped the same process.

The two of an HA pair scrape the same targets, each at its own times, and what asks both (Thanos,
Mimir, VictoriaMetrics, a federation) tells their series apart by one label, unless it was told
to deduplicate. Counted as they are, every request counts twice. Of each process all series
are taken from one of them, because what one scrape shows belongs together.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from rollouts.controller.counted import Labels, labels_of
from rollouts.ports import Series

ENOUGH = 0.8
"""So large a part of the other's samples makes one as good: their scrapes come at other times."""
SKEW_SECONDS = 2.0
"""So far apart two clocks may be that stamp the samples of one counter."""

_Copies = dict[str, Series]


def one_of_each(
    found: Iterable[Series], names: Sequence[str], said: dict[str, str]
) -> list[Series]:
    """
    Return the series, without the labels in `names` by which only copies differ, and one of each.

    Of a process it is the first by name that has not clearly fewer samples than another: so it
    is the same one, look by look, until it fails. `said` tells by label what was taken of how
    many, and is kept up to date. Series that differ by such a label and are not
    copies are left as they are: the label is the app's own.
    """
    result = list(found)
    for name in names:
        result = _without(name, result, said)
    return result


def _without(name: str, found: Sequence[Series], said: dict[str, str]) -> list[Series]:
    if not any(name in each.labels for each in found):
        return list(found)
    groups: dict[Labels, _Copies] = defaultdict(dict)
    for each in found:
        groups[_rest(each, name)][each.labels.get(name, "")] = each
    if not all(_are_copies(list(group.values())) for group in groups.values()):
        said.pop(name, None)
        return list(found)
    chosen = _chosen(groups)
    taken: set[str] = set()
    among: set[str] = set()
    result = []
    for rest, group in groups.items():
        among.update(group)
        copy = group.get(chosen[_target(rest)])
        if copy is not None:
            taken.add(chosen[_target(rest)])
            others = [each for each in group.values() if each is not copy]
            result.append(Series(dict(rest), _in_order(copy, others)))
    if len(among) > 1:
        which = ", ".join(sorted(taken))
        said[name] = f"of {len(among)} replicas of Prometheus one is counted: {name}={which}"
    return result


def _rest(series: Series, name: str) -> Labels:
    return tuple(each for each in labels_of(series) if each[0] != name)


def _target(labels: Labels) -> tuple[str, str]:
    """Return the labels of what is scraped: its series come together."""
    facts = dict(labels)
    return facts.get("job", ""), facts.get("instance", "")


def _chosen(groups: dict[Labels, _Copies]) -> dict[tuple[str, str], str]:
    """Return, for each target, whose samples are taken."""
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for rest, group in groups.items():
        for value, series in group.items():
            counts[_target(rest)][value] += len(series.samples)
    return {
        target: min(value for value, count in each.items() if count >= ENOUGH * max(each.values()))
        for target, each in counts.items()
    }


def _are_copies(alike: Sequence[Series]) -> bool:
    """Say whether all of them may be samples of one counter, taken at different times."""
    return all(_lies_within(one, other) for one in alike for other in alike if one is not other)


def _lies_within(one: Series, other: Series) -> bool:
    """
    Say whether `one` is nowhere lower than `other` was before it, nor higher than it is after it.

    Before and after leave room for clocks that differ. Where a counter began anew in between,
    nothing can be said.
    """
    samples = sorted(other.samples)
    times = [at for at, _ in samples]
    falls = [later for (_, before), (later, after) in pairwise(samples) if after < before]
    for at, value in one.samples:
        before = bisect_right(times, at - SKEW_SECONDS) - 1
        after = bisect_right(times, at + SKEW_SECONDS)
        if before < 0 or after >= len(samples):
            continue
        if any(times[before] < fall <= times[after] for fall in falls):
            continue
        if not samples[before][1] <= value <= samples[after][1]:
            return False
    return True


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
