"""Native histograms stand in for the classic ones that they are."""

import math
from collections.abc import Sequence

import pytest

from rollouts.analysis.native_histograms import (
    SHOWN_BOUNDS,
    Ends,
    as_classic,
    where_buckets_end,
    widest_ends,
)
from rollouts.model.evidence import Counts, Measurement
from rollouts.ports import Histogram, Series
from rollouts.traffic.nginx.counters import REQUESTS
from tests.unit.analysis.app_harness import AppHarness
from tests.unit.analysis.harness import ARM, P90, Harness

NAME = "http_request_duration_seconds"
P90_OF_A_SECOND = {"name": "p90", "latency": {"quantile": 0.9, "max": "1s"}}
ERRORS_BY_COUNT = {"name": "errors", "errorRate": {"max": "1%"}}
BY_COUNT = {"requests": f"{NAME}_count"}


def native(*samples: tuple[float, Histogram]) -> Series:
    return Series({"__name__": NAME, "pod": "p"}, (), samples)


def classic(
    found: Sequence[Series], name: str, *bounds: float, before: Ends | None = None
) -> tuple[dict[float, tuple[tuple[float, float], ...]], str]:
    """Return the samples of each bucket, by its bound, and what is said of where they are judged."""
    ends = widest_ends(found, bounds, before or {})
    series = as_classic(found, name, bounds, ends)
    samples = {float(each.labels["le"]): tuple(each.samples) for each in series}
    return samples, where_buckets_end(bounds, ends)


def test_a_count_is_that_of_all() -> None:
    series = as_classic([native((1.0, Histogram(3)), (2.0, Histogram(5)))], "d_count", (), {})
    assert series == [Series({"__name__": "d_count", "pod": "p"}, ((1.0, 3), (2.0, 5)))]


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
    histogram = Histogram(9, ((0.125, 0.25, 2), (0.25, 0.5, 5), (1.0, 2.0, 2)))
    buckets, said = classic([native((1.0, histogram))], "d_bucket", bound)
    assert buckets[bound] == ((1.0, within),)
    assert buckets[math.inf] == ((1.0, 9),)
    assert said == note


def test_the_bounds_that_only_show_are_those_that_are_exact() -> None:
    histogram = Histogram(4, ((0.0, 0.3, 1), (0.3, 3.0, 3)))
    buckets, _ = classic([native((1.0, histogram))], "d_bucket", 0.4)
    assert set(buckets) == {*(each for each in SHOWN_BOUNDS if each > 3), 0.4, math.inf}
    assert (buckets[4.0], buckets[0.4]) == (((1.0, 4),), ((1.0, 4),))


def test_a_bound_above_the_largest_one_is_not_told_and_the_largest_is() -> None:
    """A histogram of classic buckets has all that was slower in one bucket without an end."""
    histogram = Histogram(3, ((5.0, 10.0, 2), (10.0, math.inf, 1)))
    buckets, said = classic([native((1.0, histogram))], "d_bucket", 15.0)
    finite = [each for each in buckets if each < math.inf]
    assert max(finite) == 10.0
    assert buckets[10.0] == ((1.0, 2),)
    assert said == ""


FINE = Histogram(10, ((0.25, 0.297, 2), (0.297, 0.324, 3), (0.324, 0.354, 5)))
COARSER = Histogram(12, ((0.25, 0.297, 2), (0.297, 0.354, 10)))


@pytest.mark.parametrize("apart", [True, False], ids=["two pods", "one pod"])
def test_what_has_buckets_of_several_widths_is_counted_up_to_one_end(*, apart: bool) -> None:
    """A client library that has too many buckets makes them twice as wide, in the middle of a release."""
    first, then = (1.0, FINE), (2.0, COARSER)
    found = [native(first), native(then)] if apart else [native(first, then)]
    ends = widest_ends(found, (0.3,), {})
    told = [each for each in as_classic(found, "d_bucket", (0.3,), ends) if "0.3" in str(each)]
    counts = [value for each in told if each.labels["le"] == "0.3" for _, value in each.samples]
    assert counts == [10, 12], "of the two that came none was slower"
    assert "judged at 354ms" in where_buckets_end((0.3,), ends)
    assert widest_ends([native(first)], (0.3,), ends) == ends, "it never ends earlier again"


def test_wider_buckets_are_no_reset() -> None:
    """A client library may make the bucket around zero wider: what is in it does not begin anew."""
    before = Histogram(10, ((-0.0, 0.0, 1), (0.001, 0.002, 9)))
    after = Histogram(11, ((-0.05, 0.05, 11),))
    buckets, _ = classic([native((1.0, before), (2.0, after))], "d_bucket", 0.3)
    values = [[value for _, value in samples] for samples in buckets.values()]
    assert all(each == sorted(each) for each in values)


def test_an_idle_histogram_costs_no_more_than_its_beginning_and_end() -> None:
    idle, busy = Histogram(1, ((0.0, 0.3, 1),)), Histogram(3, ((0.0, 0.3, 3),))
    samples = [(float(at), idle if at < 50 else busy) for at in range(100)]
    buckets, _ = classic([native(*samples)], "d_bucket", 0.4)
    assert buckets[0.4] == ((0.0, 1), (49.0, 1), (50.0, 3), (99.0, 3))
    assert len(buckets[math.inf]) == 100, "each of them is a scrape"


def test_what_is_no_native_histogram_stands_in_for_nothing() -> None:
    summary = Series({"__name__": NAME, "quantile": "0.5"}, ((1.0, 0.25),))
    assert classic([summary], "d_bucket", 0.4) == ({}, "")


class NativeHarness(AppHarness):
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
    harness = NativeHarness(P90_OF_A_SECOND)
    found = await harness.released(by_stable=by_stable)
    assert (found.error, found.canary, found.limit) == ("", Counts(40, 10), 1.0)
    assert "judged at" not in found.note
    await harness.monitor.close()


async def test_a_limit_inside_a_bucket_is_judged_where_that_ends_and_says_so() -> None:
    harness = NativeHarness(P90)
    found = await harness.released(by_stable="native")
    assert (found.canary, found.limit) == (Counts(40, 10), 0.4)
    assert "judged at 500ms, where the native histogram's bucket around 400ms ends" in found.note
    await harness.monitor.close()


async def test_buckets_that_become_wider_in_the_middle_are_counted_as_if_they_always_were() -> None:
    """Also what stable had observed before the exposure, which is much."""
    harness = NativeHarness({"name": "p90", "latency": {"quantile": 0.9, "max": "300ms"}})
    fine = {(0.25, 0.297): 0, (0.297, 0.324): 100, (0.324, 0.354): 5000}
    harness.metrics.observe(NAME, fine, **harness.pod("stable", 1))
    await harness.expose()
    harness.begin("canary")
    harness.metrics.observe(NAME, {}, **harness.pod("canary", 1))
    await harness.wait(15)
    harness.metrics.observe(
        NAME, {(0.297, 0.324): 30, (0.324, 0.354): 10}, **harness.pod("canary", 1)
    )
    await harness.wait(30)
    assert harness.measured("p90").canary == Counts(40, 10)
    for arm, count in (("stable", 5105), ("canary", 44)):
        wide = {(0.297, 0.354): count - 4, (1.0, 1.19): 4}
        harness.metrics.observe(NAME, wide, **harness.pod(arm, 1))
    await harness.wait(30)
    found = harness.measured("p90")
    assert (found.error, found.canary, found.stable) == ("", Counts(44, 4), Counts(5, 4))
    assert "judged at 354ms" in found.note
    await harness.monitor.close()


COARSE = {(0.25, 0.5): 90, (8.0, math.inf): 2}
SHORT = {(0.0, 10.0): 90, (10.0, math.inf): 2}


@pytest.mark.parametrize(
    ("limit", "stable", "canary"),
    [
        ("300ms", COARSE, {(0.25, 0.3): 30, (0.3, 0.36): 10}),
        ("15s", SHORT, {(0.0, 15.0): 30, (15.0, 60.0): 10}),
    ],
    ids=["wider", "shorter"],
)
async def test_stables_buckets_are_nothing_to_a_canary_s(
    limit: str, stable: dict[tuple[float, float], float], canary: dict[tuple[float, float], float]
) -> None:
    """Stable has run for weeks, and its library has made them wider; or the release has new ones."""
    harness = NativeHarness({"name": "p90", "latency": {"quantile": 0.9, "max": limit}})
    harness.metrics.observe(NAME, stable, **harness.pod("stable", 1))
    await harness.expose()
    harness.begin("canary")
    await harness.wait(15)
    harness.metrics.observe(NAME, canary, **harness.pod("canary", 1))
    await harness.wait(30)
    found = harness.measured("p90")
    assert (found.error, found.canary) == ("", Counts(40, 10))
    assert "judged at" not in found.note
    await harness.monitor.close()


async def test_a_limit_above_the_largest_bound_can_t_be_told() -> None:
    harness = NativeHarness({"name": "p90", "latency": {"quantile": 0.9, "max": "15s"}})
    harness.metrics.observe(NAME, {(5.0, 10.0): 9}, **harness.pod("stable", 1))
    await harness.expose()
    harness.begin("canary")
    harness.metrics.observe(NAME, {(5.0, 10.0): 9}, **harness.pod("canary", 1))
    await harness.wait(30)
    assert harness.measured("p90").canary == Counts(9, 0)
    slower = {(5.0, 10.0): 9, (10.0, math.inf): 1}
    harness.metrics.observe(NAME, slower, **harness.pod("canary", 1))
    await harness.wait(30)
    assert harness.measured("p90").error == (
        "the histogram can't tell: 15s is above its largest bound, 10s; lower the limit, or give it larger"
        " buckets"
    )
    await harness.monitor.close()


async def test_stable_s_native_histogram_is_read_beside_a_canary_s_classic_one() -> None:
    """As where the new version is the first to keep classic ones."""
    harness = NativeHarness(P90_OF_A_SECOND)
    harness.observe("stable", 100, 0)
    await harness.expose()
    harness.begin("canary")
    for _ in range(2):
        harness.observe("stable", 120, 20)
        harness.metrics.count(f"{NAME}_bucket", 30, **{**harness.pod("canary", 1), "le": "1.0"})
        harness.metrics.count(f"{NAME}_bucket", 40, **{**harness.pod("canary", 1), "le": "+Inf"})
        await harness.wait(15)
    assert harness.measured("p90").stable == Counts(40, 20)
    await harness.monitor.close()


async def test_requests_counted_by_a_native_histogram_are_counted() -> None:
    harness = NativeHarness(ERRORS_BY_COUNT, appMetrics={**BY_COUNT, "codeLabel": "code"})
    harness.metrics.observe(NAME, {(0.0, 1.0): 9}, code="200", **harness.pod("stable", 1))
    await harness.expose()
    harness.begin("canary")
    await harness.wait(15)
    harness.metrics.observe(NAME, {(0.0, 1.0): 30}, code="200", **harness.pod("canary", 1))
    harness.metrics.observe(NAME, {(0.0, 1.0): 4}, code="500", **harness.pod("canary", 1))
    await harness.wait(30)
    assert harness.measured("errors").canary == Counts(34, 4)
    await harness.monitor.close()


async def test_what_is_kept_both_ways_is_counted_once() -> None:
    harness = NativeHarness(P90)
    for arm in ("stable", "canary"):
        harness.begin(arm)
        harness.take(arm, 10, 0.05)
        harness.observe(arm, 10, 0)
    await harness.expose()
    harness.take("canary", 30, 0.05)
    harness.take("canary", 10, 3.0)
    harness.observe("canary", 40, 10)
    await harness.wait(30)
    found = harness.measured("p90")
    assert (found.error, found.canary) == ("", Counts(40, 10))
    assert "judged at 500ms, the histogram's next bound" in found.note, "the classic one is taken"
    await harness.monitor.close()


async def test_what_ingress_nginx_counts_is_read_where_prometheus_makes_it_native(
    harness: Harness,
) -> None:
    """As with `convert_classic_histograms_to_nhcb`: there is no `_count`, which errors are counted by."""
    nginx = {"job": "nginx", "instance": "a", "ingress": "checkout", "namespace": "shop"}
    name = REQUESTS.removesuffix("_count")

    def serve(arm: str, requests: int, status: str) -> None:
        labels = {**nginx, "service": "checkout", "canary": ARM[arm], "status": status}
        harness.metrics.observe(name, {(0.0, 1.0): requests}, **labels)

    serve("stable", 100, "200")
    await harness.wait(20)
    harness.expose()
    serve("stable", 160, "200")
    serve("canary", 37, "200")
    serve("canary", 3, "500")
    await harness.wait(30)
    found = harness.measured()
    assert (found.error, found.canary, found.stable) == ("", Counts(40, 3), Counts(60, 0))
