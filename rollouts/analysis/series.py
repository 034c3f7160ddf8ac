"""The series that Prometheus answers with: by which key one is known, and how new they are."""

from collections.abc import Iterable

from rollouts.ports import Series

Labels = tuple[tuple[str, str], ...]


def labels_of(series: Series) -> Labels:
    """Return the labels of a series as a key."""
    return tuple(sorted(series.labels.items()))


def newest(found: Iterable[Series]) -> float:
    """Return the time of the newest sample; 0 without any."""
    return max((at for each in found for at, _ in each.samples), default=0.0)
