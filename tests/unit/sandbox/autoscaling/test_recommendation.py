"""What metrics ask for: the documented algorithm, with what is not known and not ready held back."""

import pytest

from rollouts.sandbox.autoscaling.recommendation import (
    MetricTarget,
    NoMetrics,
    PodMetric,
    by_average,
    by_pods,
    by_value,
)

HALF = MetricTarget(50, utilisation=True)


def pod_metrics(*usages: float | None, unready: int = 0) -> list[PodMetric]:
    """Pods that asked for one core each; the last `unready` of them have just started."""
    first = len(usages) - unready
    return [
        PodMetric(f"pod-{number}", usage, 1.0, unready=number >= first)
        for number, usage in enumerate(usages)
    ]


@pytest.mark.parametrize(
    ("usages", "unready", "replicas"),
    [
        ((1.0, 1.0), 0, 4),  # twice the target
        ((0.5, 0.5), 0, 2),
        ((0.54, 0.54), 0, 2),  # within the tolerance
        ((0.56, 0.56), 0, 3),
        ((0.45, 0.45), 0, 2),
        ((0.1, 0.1, 0.1, 0.1), 0, 1),
        ((0.0, 0.0), 0, 0),
        ((1.0, 1.0, None), 0, 4),  # of the third nothing is known: it uses nothing
        ((0.8, None), 0, 2),  # and so the change is lost
        ((0.1, 0.1, None, None), 0, 4),  # when shrinking, it uses all it asked for
        ((0.1, 0.1, 0.1, None), 0, 3),
        ((1.0, 1.0, 1.0), 1, 4),  # one that has just started does not count yet
        ((0.1, 0.1, 1.0), 1, 1),  # and does not hold back when shrinking
    ],
)
def test_utilisation(usages: tuple[float | None, ...], unready: int, replicas: int) -> None:
    found = by_pods(len(usages), pod_metrics(*usages, unready=unready), HALF)
    assert found.replicas == replicas


def test_average_value() -> None:
    found = by_pods(2, pod_metrics(0.3, 0.5), MetricTarget(0.2))
    assert (found.replicas, found.level) == (4, 0.4)


def test_nothing_is_known_of_anybody_who_is_ready() -> None:
    with pytest.raises(NoMetrics, match="did not receive metrics for any ready pods"):
        by_pods(2, pod_metrics(None, 1.0, unready=1), HALF)


@pytest.mark.parametrize(
    ("present", "total", "replicas"),
    [(2, 300, 3), (3, 310, 3), (3, 50, 1), (0, 250, 3), (4, 0, 0)],
)
def test_a_number_that_pods_share(present: int, total: float, replicas: int) -> None:
    assert by_average(present, total, MetricTarget(100)).replicas == replicas


@pytest.mark.parametrize(
    ("current", "ready", "total", "replicas"),
    [(2, 2, 200, 4), (2, 1, 200, 2), (2, 2, 105, 2), (0, 0, 250, 3)],
)
def test_a_number_for_all(current: int, ready: int, total: float, replicas: int) -> None:
    assert by_value(current, ready, total, MetricTarget(100)).replicas == replicas
