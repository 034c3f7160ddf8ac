"""What an error rate and a latency are, of what was counted."""

import pytest

from rollouts.model.evidence import Counts
from tests.unit.analysis.harness import P90, Harness


async def test_no_requests_are_no_value(harness: Harness) -> None:
    await harness.wait(20)
    harness.expose()
    await harness.wait(15)

    assert harness.measured().value is None
    assert harness.measured().error == ""
    assert harness.latest.served_percent is None


async def test_latency_is_judged_at_the_next_bound() -> None:
    harness = Harness(P90)
    await harness.wait(20)
    harness.slow("stable", 1, 0.01)
    await harness.wait(5)
    harness.expose()
    harness.slow("canary", 80, 0.05)
    harness.slow("canary", 15, 0.3)
    harness.slow("canary", 5, 0.7)
    await harness.wait(15)

    found = harness.measured("p90")
    assert found.canary == Counts(100, 5)
    assert found.limit == 0.5
    assert found.value == pytest.approx(0.1 + 0.4 * 10 / 15)
    assert "judged at 500ms" in found.note
    await harness.monitor.close()


async def test_a_limit_beyond_the_histogram_is_an_error() -> None:
    harness = Harness({"name": "p90", "latency": {"quantile": 0.9, "max": "20s"}})
    harness.slow("canary", 1, 0.01)
    await harness.wait(20)
    harness.expose()
    await harness.wait(15)

    assert "above its largest bound" in harness.measured("p90").error
    await harness.monitor.close()


async def test_the_bound_is_one_of_the_canarys_own() -> None:
    harness = Harness(P90)
    for bound in ("0.4", "2", "+Inf"):
        harness.serve_bucket("canary", 1, bound)
    for bound in ("0.5", "2.0", "+Inf"):
        harness.serve_bucket("stable", 1, bound)
    await harness.wait(20)
    harness.expose()
    for bound, within in (("0.4", 8), ("2", 10), ("+Inf", 10)):
        harness.serve_bucket("canary", within, bound)
    await harness.wait(15)
    found = harness.measured("p90")
    assert (found.limit, found.canary, found.stable) == (0.4, Counts(10, 2), Counts())
    assert (
        found.note
        == "stable's histogram can't tell what took over 400ms: give it the canary's buckets"
    )
    await harness.monitor.close()


async def test_histograms_of_one_canary_need_a_bound_in_common() -> None:
    harness = Harness(P90)
    for job, bound in (("a", "0.5"), ("b", "0.4")):
        for le in (bound, "+Inf"):
            harness.serve_bucket("canary", 1, le, job=job, instance=job)
    await harness.wait(20)
    harness.expose()
    for job, bound in (("a", "0.5"), ("b", "0.4")):
        for le in (bound, "+Inf"):
            harness.serve_bucket("canary", 5, le, job=job, instance=job)
    await harness.wait(15)
    assert "no bound at or above 400ms in common" in harness.measured("p90").error
    await harness.monitor.close()
