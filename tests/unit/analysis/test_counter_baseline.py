"""A counter that appears counts from zero if it is new, and from where it was met if it is old."""

from rollouts.model.evidence import Counts
from tests.unit.analysis.harness import Harness, serving

UP = {"__name__": "up", "job": "nginx", "instance": "b"}


def relabel(harness: Harness, **labels: str) -> None:
    """Have Prometheus call every counter otherwise from now on."""
    harness.metrics.values = {
        key if ("__name__", "up") in key else tuple(sorted((dict(key) | labels).items())): value
        for key, value in harness.metrics.values.items()
    }


async def test_counters_that_are_only_called_otherwise_are_not_counted_again(
    harness: Harness,
) -> None:
    harness.serve("canary", 400, "500")  # of an earlier canary
    harness.serve("canary", 9600)
    await harness.wait(60)
    harness.expose()
    await serving(harness, 60)
    relabel(harness, cluster="eu")
    await serving(harness, 30, cluster="eu")
    assert harness.measured().canary.failures == 0
    assert 120 < harness.measured().canary.requests <= 180

    harness.serve("canary", 3, "502", cluster="eu")  # new, beside others of the same process
    await harness.wait(15)
    assert harness.measured().canary.failures == 3


async def test_a_process_that_is_met_late_counts_from_then(harness: Harness) -> None:
    """One of two nginx pods is not scraped while the release begins."""
    up = tuple(sorted(UP.items()))
    for instance in "ab":
        harness.serve("canary", 200, "500", instance=instance)
        harness.serve("canary", 4800, instance=instance)
    await harness.wait(60)
    hidden = {k: v for k, v in harness.metrics.values.items() if ("instance", "b") in k}
    harness.metrics.values = {k: v for k, v in harness.metrics.values.items() if k not in hidden}
    harness.metrics.values[up] = 0
    await harness.wait(125)
    harness.expose()
    await serving(harness, 15)
    harness.metrics.values |= hidden
    harness.metrics.values[up] = 1
    await serving(harness, 30)
    assert harness.measured().canary == Counts(90, 0)

    harness.serve("canary", 2, "503", instance="b")
    await harness.wait(15)
    assert harness.measured().canary == Counts(92, 2)


async def test_a_process_that_started_since_counts_from_zero(harness: Harness) -> None:
    await harness.wait(60)
    harness.expose()
    await serving(harness, 15)
    harness.metrics.values[tuple(sorted(UP.items()))] = 1
    started = harness.clock.now().timestamp()
    harness.metrics.count("process_start_time_seconds", started, job="nginx", instance="b")
    harness.serve("canary", 4, "500", instance="b")
    await harness.wait(15)

    assert harness.measured().canary == Counts(34, 4)


async def test_a_prometheus_that_starts_late_knows_no_beginning(harness: Harness) -> None:
    harness.serve("canary", 500, "500")  # counted long ago, and never scraped
    await harness.wait(20, scraping=False)
    harness.expose()
    await harness.wait(15)
    assert harness.measured().canary == Counts(0, 0)

    harness.serve("canary", 2)
    harness.serve("canary", 1, "500")
    await harness.wait(15)

    assert harness.measured().canary.failures == 1
