"""Native histograms stand in for the classic ones that they are."""

import math

import pytest

from rollouts.analysis.native_histograms import SHOWN_BOUNDS, as_classic
from rollouts.model.evidence import Counts, Measurement
from rollouts.ports import Histogram, Series
from rollouts.traffic.nginx.counters import REQUESTS
from tests.unit.analysis.app_bench import AppBench
from tests.unit.analysis.bench import ARM, P90, Bench

NAME = "http_request_duration_seconds"
P90_OF_A_SECOND = {"name": "p90", "latency": {"quantile": 0.9, "max": "1s"}}
ERRORS_BY_COUNT = {"name": "errors", "errorRate": {"max": "1%"}}
BY_COUNT = {"requests": f"{NAME}_count"}


def native(*samples: tuple[float, Histogram]) -> Series:
    return Series({"__name__": NAME, "pod": "p"}, (), samples)


def test_a_count_is_that_of_all() -> None:
    series, note = as_classic([native((1.0, Histogram(3)), (2.0, Histogram(5)))], "d_count", ())
    assert series == [Series({"__name__": "d_count", "pod": "p"}, ((1.0, 3), (2.0, 5)))]
    assert note == ""


@pytest.mark.parametrize(
    ("bound", "within", "note"),
    [
        (0.25, 2, ""),
        (0.5, 7, ""),
        (0.4, 7, "judged at 500ms, where the native histogram's bucket around 400ms ends"),
        (0.7, 7, ""),  # nothing is there: wherever that bucket would end, none were above
        (1.5, 9, "judged at 2s, where the native histogram's bucket around 1.5s ends"),
        (1000.0, 9, ""),
    ],
)
def test_a_bound_has_what_is_at_most_so_large(bound: float, within: float, note: str) -> None:
    histogram = Histogram(10, ((0.125, 0.25, 2), (0.25, 0.5, 5), (1.0, 2.0, 2), (512.0, 1024.0, 1)))
    wide = Histogram(9, histogram.buckets[:3])
    series, said = as_classic([native((1.0, wide))], "d_bucket", (bound,))
    buckets = {each.labels["le"]: each.samples[0][1] for each in series}
    assert buckets[repr(bound)] == within
    assert buckets["+Inf"] == 9
    assert said == note


def test_the_bounds_that_only_show_never_say_more_than_is_known() -> None:
    histogram = Histogram(4, ((0.0, 0.3, 1), (0.3, 3.0, 3)))
    series, _ = as_classic([native((1.0, histogram))], "d_bucket", (0.4,))
    by_bound = {float(each.labels["le"]): each.samples[0][1] for each in series}
    assert set(by_bound) == {*SHOWN_BOUNDS, 0.4, math.inf}
    assert (by_bound[0.25], by_bound[0.5], by_bound[2.0], by_bound[4.0]) == (0, 1, 1, 4)
    assert by_bound[0.4] == 4


def test_an_idle_histogram_costs_no_more_than_its_beginning_and_end() -> None:
    idle, busy = Histogram(1, ((0.0, 0.3, 1),)), Histogram(3, ((0.0, 0.3, 3),))
    samples = [(float(at), idle if at < 50 else busy) for at in range(100)]
    series, _ = as_classic([native(*samples)], "d_bucket", (0.4,))
    by_bound = {each.labels["le"]: each.samples for each in series}
    assert by_bound["0.4"] == ((0.0, 1), (49.0, 1), (50.0, 3), (99.0, 3))
    assert len(by_bound["+Inf"]) == 100, "each of them is a scrape"


def test_what_is_no_native_histogram_stands_in_for_nothing() -> None:
    summary = Series({"__name__": NAME, "quantile": "0.5"}, ((1.0, 0.25),))
    assert as_classic([summary], "d_bucket", (0.4,)) == ([], "")


class NativeBench(AppBench):
    """Pods whose histograms are native ones."""

    def observe(self, arm: str, fast: int, slow: int) -> None:
        """Let a pod have answered so many within half a second, and so many in one to two, in all."""
        self.metrics.observe(NAME, {(0.25, 0.5): fast, (1.0, 2.0): slow}, **self.pod(arm, 1))

    async def released(self, *, by_stable: str) -> Measurement:
        """Return what is measured of 40 requests of a canary, 10 of them slow, beside such a stable."""
        if by_stable == "native":
            self.observe("stable", 100, 0)
        else:
            self.take("stable", 100, 0.05)
        await self.expose()
        self.begin("canary")
        self.observe("canary", 0, 0)
        await self.wait(15)
        self.observe("canary", 30, 10)
        await self.wait(30)
        return self.measured(
            "p90" if "latency" in str(self.target.spec.success_criteria) else "errors"
        )


@pytest.mark.parametrize("by_stable", ["native", "classic"])
async def test_a_latency_criterion_reads_the_canarys_whatever_stable_has(by_stable: str) -> None:
    bench = NativeBench(P90_OF_A_SECOND)
    found = await bench.released(by_stable=by_stable)
    assert (found.error, found.canary, found.limit) == ("", Counts(40, 10), 1.0)
    assert "judged at" not in found.note
    await bench.monitor.close()


async def test_a_limit_inside_a_bucket_is_judged_where_that_ends_and_says_so() -> None:
    bench = NativeBench(P90)
    found = await bench.released(by_stable="native")
    assert (found.canary, found.limit) == (Counts(40, 10), 0.4)
    assert "judged at 500ms, where the native histogram's bucket around 400ms ends" in found.note
    await bench.monitor.close()


async def test_requests_counted_by_a_native_histogram_are_counted() -> None:
    bench = NativeBench(ERRORS_BY_COUNT, appMetrics={**BY_COUNT, "codeLabel": "code"})
    bench.metrics.observe(NAME, {(0.0, 1.0): 9}, code="200", **bench.pod("stable", 1))
    await bench.expose()
    bench.begin("canary")
    await bench.wait(15)
    bench.metrics.observe(NAME, {(0.0, 1.0): 30}, code="200", **bench.pod("canary", 1))
    bench.metrics.observe(NAME, {(0.0, 1.0): 4}, code="500", **bench.pod("canary", 1))
    await bench.wait(30)
    assert bench.measured("errors").canary == Counts(34, 4)
    await bench.monitor.close()


async def test_what_is_kept_both_ways_is_counted_once() -> None:
    bench = NativeBench(P90)
    for arm in ("stable", "canary"):
        bench.begin(arm)
        bench.take(arm, 10, 0.05)
        bench.observe(arm, 10, 0)
    await bench.expose()
    bench.take("canary", 30, 0.05)
    bench.take("canary", 10, 3.0)
    bench.observe("canary", 40, 10)
    await bench.wait(30)
    found = bench.measured("p90")
    assert (found.error, found.canary) == ("", Counts(40, 10))
    assert "judged at 500ms, the histogram's next bound" in found.note, "the classic one is taken"
    await bench.monitor.close()


async def test_what_ingress_nginx_counts_is_read_where_prometheus_makes_it_native(
    bench: Bench,
) -> None:
    """As with `convert_classic_histograms_to_nhcb`: there is no `_count`, which errors are counted by."""
    nginx = {"job": "nginx", "instance": "a", "ingress": "checkout", "namespace": "shop"}
    name = REQUESTS.removesuffix("_count")

    def serve(arm: str, requests: int, status: str) -> None:
        labels = {**nginx, "service": "checkout", "canary": ARM[arm], "status": status}
        bench.metrics.observe(name, {(0.0, 1.0): requests}, **labels)

    serve("stable", 100, "200")
    await bench.wait(20)
    bench.expose()
    serve("stable", 160, "200")
    serve("canary", 37, "200")
    serve("canary", 3, "500")
    await bench.wait(30)
    found = bench.measured()
    assert (found.error, found.canary, found.stable) == ("", Counts(40, 3), Counts(60, 0))
