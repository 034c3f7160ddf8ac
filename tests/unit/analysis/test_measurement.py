"""What an error rate and a latency are, of what was counted."""

import pytest

from rollouts.model.evidence import Counts
from tests.unit.analysis.bench import P90, Bench


async def test_no_requests_are_no_value(bench: Bench) -> None:
    await bench.wait(20)
    bench.expose()
    await bench.wait(15)

    assert bench.measured().value is None
    assert bench.measured().error == ""
    assert bench.latest.served_percent is None


async def test_latency_is_judged_at_the_next_bound() -> None:
    bench = Bench(P90)
    await bench.wait(20)
    bench.slow("stable", 1, 0.01)
    await bench.wait(5)
    bench.expose()
    bench.slow("canary", 80, 0.05)
    bench.slow("canary", 15, 0.3)
    bench.slow("canary", 5, 0.7)
    await bench.wait(15)

    found = bench.measured("p90")
    assert found.canary == Counts(100, 5)
    assert found.limit == 0.5
    assert found.value == pytest.approx(0.1 + 0.4 * 10 / 15)
    assert "judged at 500ms" in found.note
    await bench.monitor.close()


async def test_a_limit_beyond_the_histogram_is_an_error() -> None:
    bench = Bench({"name": "p90", "latency": {"quantile": 0.9, "max": "20s"}})
    bench.slow("canary", 1, 0.01)
    await bench.wait(20)
    bench.expose()
    await bench.wait(15)

    assert "above its largest bound" in bench.measured("p90").error
    await bench.monitor.close()


async def test_the_bound_is_one_of_the_canarys_own() -> None:
    bench = Bench(P90)
    for bound in ("0.4", "2", "+Inf"):
        bench.serve_bucket("canary", 1, bound)
    for bound in ("0.5", "2.0", "+Inf"):
        bench.serve_bucket("stable", 1, bound)
    await bench.wait(20)
    bench.expose()
    for bound, within in (("0.4", 8), ("2", 10), ("+Inf", 10)):
        bench.serve_bucket("canary", within, bound)
    await bench.wait(15)
    found = bench.measured("p90")
    assert (found.limit, found.canary, found.stable) == (0.4, Counts(10, 2), Counts())
    assert found.note == "stable's histogram can't tell what took over 400ms"
    await bench.monitor.close()


async def test_histograms_of_one_canary_need_a_bound_in_common() -> None:
    bench = Bench(P90)
    for job, bound in (("a", "0.5"), ("b", "0.4")):
        for le in (bound, "+Inf"):
            bench.serve_bucket("canary", 1, le, job=job, instance=job)
    await bench.wait(20)
    bench.expose()
    for job, bound in (("a", "0.5"), ("b", "0.4")):
        for le in (bound, "+Inf"):
            bench.serve_bucket("canary", 5, le, job=job, instance=job)
    await bench.wait(15)
    assert "no bound at or above 400ms in common" in bench.measured("p90").error
    await bench.monitor.close()
