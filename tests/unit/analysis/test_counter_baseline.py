"""A counter that appears counts from zero if it is new, and from where it was met if it is old."""

from rollouts.model.evidence import Counts
from tests.unit.analysis.bench import Bench, serving

UP = {"__name__": "up", "job": "nginx", "instance": "b"}


def relabel(bench: Bench, **labels: str) -> None:
    """Have Prometheus call every counter otherwise from now on."""
    bench.metrics.values = {
        key if ("__name__", "up") in key else tuple(sorted((dict(key) | labels).items())): value
        for key, value in bench.metrics.values.items()
    }


async def test_counters_that_are_only_called_otherwise_are_not_counted_again(bench: Bench) -> None:
    bench.serve("canary", 400, "500")  # of an earlier canary
    bench.serve("canary", 9600)
    await bench.wait(60)
    bench.expose()
    await serving(bench, 60)
    relabel(bench, cluster="eu")
    await serving(bench, 30, cluster="eu")
    assert bench.measured().canary.failures == 0
    assert 120 < bench.measured().canary.requests <= 180

    bench.serve("canary", 3, "502", cluster="eu")  # new, beside others of the same process
    await bench.wait(15)
    assert bench.measured().canary.failures == 3


async def test_a_process_that_is_met_late_counts_from_then(bench: Bench) -> None:
    """One of two nginx pods is not scraped while the release begins."""
    up = tuple(sorted(UP.items()))
    for instance in "ab":
        bench.serve("canary", 200, "500", instance=instance)
        bench.serve("canary", 4800, instance=instance)
    await bench.wait(60)
    hidden = {k: v for k, v in bench.metrics.values.items() if ("instance", "b") in k}
    bench.metrics.values = {k: v for k, v in bench.metrics.values.items() if k not in hidden}
    bench.metrics.values[up] = 0
    await bench.wait(125)
    bench.expose()
    await serving(bench, 15)
    bench.metrics.values |= hidden
    bench.metrics.values[up] = 1
    await serving(bench, 30)
    assert bench.measured().canary == Counts(90, 0)

    bench.serve("canary", 2, "503", instance="b")
    await bench.wait(15)
    assert bench.measured().canary == Counts(92, 2)


async def test_a_process_that_started_since_counts_from_zero(bench: Bench) -> None:
    await bench.wait(60)
    bench.expose()
    await serving(bench, 15)
    bench.metrics.values[tuple(sorted(UP.items()))] = 1
    started = bench.clock.now().timestamp()
    bench.metrics.count("process_start_time_seconds", started, job="nginx", instance="b")
    bench.serve("canary", 4, "500", instance="b")
    await bench.wait(15)

    assert bench.measured().canary == Counts(34, 4)


async def test_a_prometheus_that_starts_late_knows_no_beginning(bench: Bench) -> None:
    bench.serve("canary", 500, "500")  # counted long ago, and never scraped
    await bench.wait(20, scraping=False)
    bench.expose()
    await bench.wait(15)
    assert bench.measured().canary == Counts(0, 0)

    bench.serve("canary", 2)
    bench.serve("canary", 1, "500")
    await bench.wait(15)

    assert bench.measured().canary.failures == 1
