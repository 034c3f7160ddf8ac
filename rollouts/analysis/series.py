"""The series that Prometheus answers with: by which key one is known, and how new they are."""

from collections.abc import Iterable

from rollouts.ports import Series

Labels = tuple[tuple[str, str], ...]
REPLICA_LABELS = ("prometheus_replica", "__replica__", "replica")
"""
What tells the two of an HA pair of Prometheus apart, as far as their makers have a name for it.

The first is prometheus-operator's (`replicaExternalLabelName`), the second that of Cortex and
Mimir, the third the one in Thanos' and VictoriaMetrics' documentation.
"""


def labels_of(series: Series) -> Labels:
    """Return the labels of a series as a key."""
    return tuple(sorted(series.labels.items()))


def newest(found: Iterable[Series]) -> float:
    """Return the time of the newest sample; 0 without any."""
    return max((at for each in found for at, _ in each.samples), default=0.0)
