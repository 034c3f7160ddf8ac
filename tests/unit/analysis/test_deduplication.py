"""Of what several Prometheus have scraped of one process, one counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.analysis.deduplication import SKEW_SECONDS, one_of_each
from rollouts.analysis.series import REPLICA_LABELS
from rollouts.model.evidence import Counts
from rollouts.ports import Series
from tests.unit.analysis.harness import ERRORS, Harness

FIRST, SECOND = {"prometheus_replica": "prometheus-0"}, {"prometheus_replica": "prometheus-1"}


def series(samples: list[tuple[float, float]], **labels: str) -> Series:
    return Series({"__name__": "x", "job": "web", "instance": "a", **labels}, tuple(samples))


def taken(*found: Series) -> list[Series]:
    return one_of_each(found, REPLICA_LABELS)[0]


STEADY = [(10.0, 1.0), (20.0, 3.0), (30.0, 5.0), (40.0, 7.0)]
LATER = [(13.0, 1.0), (23.0, 3.0), (33.0, 6.0), (43.0, 8.0)]


def test_of_two_copies_the_first_by_name_is_taken_and_called_as_if_it_were_alone() -> None:
    found = taken(series(LATER, **SECOND), series(STEADY, **FIRST))
    assert found == [series(STEADY)]
    assert taken(series(STEADY, **FIRST)) == [series(STEADY)]
    assert taken(series(STEADY)) == [series(STEADY)]


def test_one_that_has_clearly_fewer_samples_is_not_taken() -> None:
    assert taken(series(STEADY[:2], **FIRST), series(LATER, **SECOND)) == [series(LATER)]


def test_all_series_of_a_process_come_from_one_of_them() -> None:
    """A failure that only the other one has seen comes with the next scrape of the one that counts."""
    other = series([(43.0, 1.0)], status="500", **SECOND)
    found = taken(series(STEADY, **FIRST), series(LATER, **SECOND), other)
    assert found == [series(STEADY)]


def test_a_process_that_only_the_second_scrapes_is_counted_by_the_second() -> None:
    elsewhere = series(LATER, **{**SECOND, "instance": "b"})
    found = taken(series(STEADY, **FIRST), series(LATER, **SECOND), elsewhere)
    assert found == [series(STEADY), series(LATER, instance="b")]


def test_an_app_s_own_label_of_that_name_tells_its_series_apart() -> None:
    other = [(13.0, 50.0), (23.0, 90.0), (33.0, 91.0), (43.0, 99.0), (53.0, 99.0)]
    found = [series(STEADY, replica="0"), series(other, replica="1")]
    assert one_of_each(found, REPLICA_LABELS) == (found, "")


def test_beside_an_app_s_own_label_the_copies_of_a_pair_are_found() -> None:
    other = [(13.0, 50.0), (23.0, 90.0), (33.0, 91.0), (43.0, 99.0), (53.0, 99.0)]
    wanted = [series(STEADY, replica="0"), series(other, replica="1")]
    found = [
        Series({**each.labels, **replica}, each.samples)
        for replica in (FIRST, SECOND)
        for each in wanted
    ]
    assert taken(*found) == wanted


def test_a_pair_may_differ_in_several_labels() -> None:
    names = ("prometheus", "prometheus_replica")
    first = series(STEADY, prometheus="a", **FIRST)
    second = series(LATER, prometheus="b", **SECOND)
    result, said = one_of_each([second, first], names)
    assert result == [series(STEADY)]
    assert said.endswith("one is counted: prometheus=a, prometheus_replica=prometheus-0")


def test_a_label_that_each_target_has_once_is_no_sign_of_copies() -> None:
    found = [series(STEADY, instance="a", replica="0"), series(LATER, instance="b", replica="1")]
    assert one_of_each(found, REPLICA_LABELS)[1] == ""


def test_a_process_that_began_anew_unseen_by_one_of_two_has_copies_all_the_same() -> None:
    first = [(10.0 * n, 3.0 if n < 5 else 4.0) for n in range(10)]
    second = [(10.0 * n + 4, 0.0 if n == 4 else first[n][1]) for n in range(10)]
    pair = [series(first, replica="0"), series(second, replica="1")]
    assert taken(*pair) == [series(first)]


def test_clocks_that_are_far_apart_make_no_two_counters_of_one() -> None:
    slow = [(at + 30, value) for at, value in STEADY]
    assert len(taken(series(STEADY, **FIRST), series(slow, **SECOND))) == 1


def test_a_counter_that_began_anew_has_copies_too() -> None:
    first = [(10.0, 90.0), (20.0, 95.0), (30.0, 2.0), (40.0, 4.0)]
    second = [(13.0, 92.0), (23.0, 97.0), (33.0, 3.0), (43.0, 4.0)]
    assert taken(series(first, **FIRST), series(second, **SECOND)) == [series(first)]


def test_a_late_clock_makes_no_counter_begin_anew() -> None:
    """What was counted until now may be the other's samples."""
    late = [(10.0, 0.0), (20.1, 2.0), (30.1, 4.0), (40.1, 6.0), (50.1, 8.0)]
    (found,) = taken(series(STEADY[:2], **FIRST), series(late, **SECOND))
    assert (20.1, 2.0) not in found.samples
    assert found.samples[-1] == (50.1, 8.0)


@given(
    st.lists(st.integers(0, 5), min_size=3, max_size=30),
    st.floats(0, 9.9),
    st.floats(-SKEW_SECONDS / 2, SKEW_SECONDS / 2),
)
def test_copies_are_always_known_as_such(added: list[int], offset: float, skew: float) -> None:
    def value(at: float) -> float:
        return float(sum(added[: max(0, int(at))]))

    first = [(10.0 * n, value(n)) for n in range(30)]
    second = [(10.0 * n + offset + skew, value(n + offset / 10)) for n in range(30)]
    (found,) = taken(series(first, **FIRST), series(second, **SECOND))
    assert set(found.samples) <= set(first)


def serve(harness: Harness, requests: int, failures: int, *replicas: dict[str, str]) -> None:
    for replica in replicas:
        harness.serve("canary", requests, **replica)
        harness.serve("stable", requests, **replica)
        if failures:
            harness.serve("canary", failures, "500", **replica)


@pytest.fixture
async def pair() -> Harness:
    """Return a harness whose ingress controller two Prometheus scrape, at the beginning of an exposure."""
    harness = Harness(ERRORS)
    for replica in (FIRST, SECOND):
        harness.metrics.count("up", 1, job="nginx", instance="a", **replica)
    serve(harness, 0, 0, FIRST, SECOND)
    await harness.wait(60)
    harness.expose()
    return harness


async def test_a_request_that_two_have_scraped_is_counted_once(pair: Harness) -> None:
    serve(pair, 100, 7, FIRST, SECOND)
    await pair.wait(60)
    assert (pair.latest.canary.requests, pair.latest.canary.failures) == (107, 7)
    assert pair.latest.stable.requests == 100
    note = "of 2 replicas of Prometheus one is counted: prometheus_replica=prometheus-0"
    assert note in pair.measured().note


async def test_when_the_one_that_counts_fails_the_other_goes_on_where_it_was(pair: Harness) -> None:
    serve(pair, 100, 7, FIRST, SECOND)
    await pair.wait(60)
    for labels in [
        each for each in pair.metrics.values if ("prometheus_replica", "prometheus-0") in each
    ]:
        del pair.metrics.values[labels]
    for _ in range(30):
        serve(pair, 10, 1, SECOND)
        await pair.wait(5)
    await pair.wait(60)
    assert (pair.latest.canary.requests, pair.latest.canary.failures) == (107 + 330, 7 + 30)
    assert not pair.measured().error


async def test_other_labels_may_be_named(pair: Harness) -> None:
    found = [series(STEADY, site="a"), series(LATER, site="b")]
    assert one_of_each(found, ("site",))[0] == [series(STEADY)]
    assert one_of_each(found, ()) == (found, "")


async def test_what_two_jobs_scrape_counts_once(harness: Harness) -> None:
    await harness.wait(60)
    harness.expose()
    for _ in range(3):
        for job in ("nginx", "pods"):
            harness.serve("canary", 10, job=job, controller_pod="nginx-0")
            harness.serve("canary", 1, "500", job=job, controller_pod="nginx-0")
        await harness.wait(5)
    assert harness.measured().canary == Counts(33, 3)

    gone = ("job", "nginx")
    harness.metrics.values = {
        k: v for k, v in harness.metrics.values.items() if gone not in k or ("__name__", "up") in k
    }
    for _ in range(42):
        harness.serve("canary", 10, job="pods", controller_pod="nginx-0")
        await harness.wait(5)
    assert harness.measured().error == ""
    assert harness.measured().canary.failures == 3
    assert 300 < harness.measured().canary.requests <= 453
