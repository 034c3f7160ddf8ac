"""Bounds of buckets are numbers, and what can't be counted is said, never counted as nothing."""

from collections.abc import AsyncIterator

import pytest

from rollouts.analysis.sample_checks import countable_series
from rollouts.model.evidence import Counts
from rollouts.ports import Series
from tests.unit.analysis.harness import ERRORS, P90, Harness, settle

SLOW = {"name": "p90", "latency": {"quantile": 0.9, "max": "1s"}}


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    made = Harness(SLOW)
    made.slow("canary", 100, 0.05)
    await made.wait(20)
    made.expose()
    yield made
    await made.monitor.close()


def respell(harness: Harness, **spelled: str) -> None:
    """Have Prometheus write bounds otherwise from now on."""
    harness.metrics.values = {
        tuple(
            (name, spelled.get(value, value) if name == "le" else value) for name, value in key
        ): n
        for key, n in harness.metrics.values.items()
    }


async def test_a_bound_that_is_written_otherwise_is_the_same_bucket(harness: Harness) -> None:
    """Prometheus 3 writes the bounds of typed histograms as floats, in mid-release."""
    harness.slow("canary", 200, 0.05)
    await harness.wait(15)
    respell(harness, **{"1": "1.0", "0.1": "1e-01"})
    for key in list(harness.metrics.values):
        if ("le", "+Inf") in key or ("le", "1e-01") in key:
            harness.metrics.values[key] += 150
        if ("le", "0.5") in key or ("le", "1.0") in key:
            harness.metrics.values[key] += 150
    await harness.wait(15)
    assert harness.measured("p90").error == ""
    assert harness.measured("p90").canary == Counts(350, 0)

    for key in list(harness.metrics.values):
        if ("le", "+Inf") in key:
            harness.metrics.values[key] += 150
    await harness.wait(15)
    before = harness.measured("p90")
    assert before.canary == Counts(500, 150)
    await harness.monitor.close()

    harness.monitor = harness.new_monitor()
    harness.monitor.follow(harness.target)
    await settle()
    assert harness.measured("p90").canary == before.canary
    assert harness.measured("p90").restarts == before.restarts


async def test_a_bucket_that_began_anew_with_its_histogram_is_no_contradiction(
    harness: Harness,
) -> None:
    """The quick ones are more than before, so that only the sum shows it."""
    harness.slow("canary", 300, 0.7)
    await harness.wait(15)
    harness.metrics.reset()
    harness.slow("canary", 150, 0.05)
    await harness.wait(15)
    assert harness.measured("p90").canary == Counts(450, 0)
    assert harness.measured("p90").value == pytest.approx(0.5 + 0.5 * 255 / 300)


async def test_two_spellings_at_once_are_an_error_until_one_is_left(harness: Harness) -> None:
    harness.slow("canary", 10, 0.05)
    harness.serve_bucket("canary", 7, "1.0")
    await harness.wait(15)
    assert harness.measured("p90").error == (
        'nginx_ingress_controller_request_duration_seconds_bucket has the bound le="1.0" twice,'
        " written in two ways: drop one of the two series, or wait until only one is scraped"
    )
    harness.metrics.values = {
        k: v for k, v in harness.metrics.values.items() if ("le", "1.0") not in k
    }
    await harness.wait(180)
    assert harness.measured("p90").error == ""
    assert harness.measured("p90").canary == Counts(10, 0)


@pytest.mark.parametrize("bound", ["fast", "1_0", " 10", "NaN", "\u0661"])
async def test_a_bound_that_is_no_number_is_an_error(harness: Harness, bound: str) -> None:
    harness.serve_bucket("canary", 3, bound)
    await harness.wait(15)
    assert f'the bound le="{bound}", which is no number' in harness.measured("p90").error


async def test_a_histogram_without_its_sum_is_an_error(harness: Harness) -> None:
    other = Harness(SLOW)
    other.serve_bucket("canary", 1, "1")
    await other.wait(20)
    other.expose()
    other.serve_bucket("canary", 30, "1")
    await other.wait(15)
    assert 'no bucket le="+Inf"' in other.measured("p90").error
    await other.monitor.close()


async def test_more_requests_in_a_bucket_than_in_all_are_an_error(harness: Harness) -> None:
    harness.slow("canary", 10, 0.05)
    harness.serve_bucket("canary", 25, "1")
    await harness.wait(15)
    assert harness.measured("p90").error.startswith(
        "the histogram contradicts itself: it has counted 10 requests in all, and 35 that took 1s at most"
    )
    assert harness.measured("p90").canary == Counts()


async def test_a_quantile_beyond_the_largest_bound_says_so(harness: Harness) -> None:
    harness.slow("canary", 80, 0.05)
    harness.slow("canary", 20, 7)
    await harness.wait(15)
    found = harness.measured("p90")
    assert (found.value, found.canary) == (1.0, Counts(100, 20))
    assert found.note.startswith("the 0.9 quantile is above the largest bound, 1s; give the")


@pytest.mark.parametrize("nonsense", [-3.0, float("inf"), float("-inf")])
async def test_a_value_that_no_counter_has_is_an_error(nonsense: float) -> None:
    harness = Harness(ERRORS)
    harness.serve("canary", 5)
    await harness.wait(20)
    harness.expose()
    harness.serve("canary", 10)
    await harness.wait(15)
    good = dict(harness.metrics.values)
    harness.metrics.values |= dict.fromkeys(
        (k for k in good if ("__name__", "up") not in k), nonsense
    )
    await harness.wait(15)
    assert "is negative, or infinite: it is no counter" in harness.measured().error

    harness.metrics.values = good
    harness.serve("canary", 4)
    await harness.wait(180)
    assert (harness.measured().error, harness.measured().canary) == ("", Counts(14, 0))
    await harness.monitor.close()


async def test_buckets_that_are_named_as_the_requests_count_each_request_once() -> None:
    harness = Harness(P90)
    harness.slow("canary", 5, 0.05)
    await harness.wait(20)
    harness.expose()
    harness.slow("canary", 8, 0.05)
    await harness.wait(15)
    (counters,) = (
        each
        for metric, each in harness.monitor._watches[harness.target.key].measurer._counters.items()
        if metric.series.name.endswith("_bucket")
    )
    assert counters.windows.total.arm(canary=True) == Counts(8, 0)
    await harness.monitor.close()


def series(le: str, *times: float) -> Series:
    return Series({"__name__": "b", "le": le}, tuple((at, at) for at in times))


def test_one_that_is_written_so_then_otherwise_then_so_again_is_one() -> None:
    joined, wrong = countable_series([series("1", 0, 15, 30, 75, 90), series("1.0", 45, 60)])
    assert wrong == ""
    assert joined == [series("1.0", 0, 15, 30, 45, 60, 75, 90)]


@pytest.mark.parametrize("times", [(0, 15, 30), (7, 22, 37), (30,), (22,)])
def test_two_that_are_scraped_in_turn_are_not_one(times: tuple[float, ...]) -> None:
    joined, wrong = countable_series([series("1", 0, 15, 30, 45), series("1e+00", *times)])
    assert "twice" in wrong
    assert len(joined) == 1
