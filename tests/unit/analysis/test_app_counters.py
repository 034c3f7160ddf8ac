"""What the pods of two revisions count themselves, told apart by their names."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollouts.analysis.app_counters import app_metric
from rollouts.analysis.criterion_metric import metric_of
from rollouts.analysis.exposure_counters import ExposureCounters
from rollouts.model.app_metrics import AppMetrics
from rollouts.model.evidence import Counts
from rollouts.model.kinds import JSON
from rollouts.model.rollout_key import Key
from rollouts.model.status import Revision
from tests.fakes.metrics import matches
from tests.unit.analysis.app_harness import BLUE_GREEN, AppHarness, target
from tests.unit.analysis.harness import ERRORS

P90: JSON = {"name": "p90", "latency": {"quantile": 0.9, "max": "500ms"}}


@pytest.fixture
async def harness() -> AsyncIterator[AppHarness]:
    made = AppHarness(ERRORS, P90)
    yield made
    await made.monitor.close()


async def test_the_two_revisions_are_told_apart(harness: AppHarness) -> None:
    harness.serve("stable", 1000, "500")
    await harness.expose()
    harness.begin("canary")
    harness.serve("canary", 20)
    harness.serve("canary", 5, "503")
    harness.serve("stable", 75)
    await harness.wait(15)

    assert harness.measured().canary == harness.latest.canary == Counts(25, 5)
    assert harness.measured().stable == harness.latest.stable == Counts(75, 0)
    assert harness.measured().value == 0.2
    assert harness.latest.served_percent == 25.0


async def test_labels_that_prometheus_renamed_are_understood(harness: AppHarness) -> None:
    harness.exported = "exported_"
    harness.serve("stable", 3)
    await harness.expose()
    harness.serve("stable", 6, "500")
    harness.serve("canary", 4)
    await harness.wait(15)

    assert (harness.measured().canary, harness.measured().stable) == (Counts(4, 0), Counts(6, 6))


@pytest.mark.parametrize("rollout", ["checkout", "c", "a.b", "n" * 46, "n" * 52])
@given(revision=st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=10, max_size=10))
def test_a_pod_belongs_to_its_revision_however_long_the_names_are(
    rollout: str, revision: str
) -> None:
    """Kubernetes cuts the ReplicaSet's name, and appends five characters of its own."""
    canary, stable = Revision(number=2, hash=revision), Revision(number=1, hash="zzzzzzzzzz")
    metric = app_metric("m", Key("shop", rollout), AppMetrics(), canary, stable)
    pod = f"{rollout}-{revision}-"[:58] + "x7k2p"
    labels = {"__name__": "m", "namespace": "shop", "pod": pod}
    assert len(pod) <= 63
    assert matches(metric.series.selectors[0], labels)
    assert metric.meaning(labels).canary
    for other in (f"x{pod}", f"{rollout}-yyyyyyyyyy-x7k2p", f"{rollout}x-{revision}-x7k2p"):
        wrong = {**labels, "pod": other}
        assert other == pod or not matches(metric.series.selectors[0], wrong)
    assert not matches(metric.series.selectors[0], {**labels, "namespace": "shop2"})


async def test_a_pod_that_was_there_before_counts_from_what_it_had(harness: AppHarness) -> None:
    """A retry finds the canary's pods of the attempt before."""
    harness.begin("canary")
    harness.serve("canary", 50, "500")
    await harness.expose()
    harness.serve("canary", 10)
    await harness.wait(15)

    assert harness.measured().canary == Counts(10, 0)


async def test_a_prometheus_that_starts_late_invents_no_failures(harness: AppHarness) -> None:
    harness.begin("canary")
    harness.serve("canary", 50, "500")
    harness.follow(exposed_at=harness.clock.now())
    await harness.wait(15)
    assert harness.measured().canary == Counts(0, 0)
    harness.serve("canary", 2, "500")
    await harness.wait(15)

    assert harness.measured().canary == Counts(2, 2)


async def test_a_stable_pod_that_is_met_late_counts_from_then(harness: AppHarness) -> None:
    await harness.expose()
    harness.begin("stable", 2)
    harness.serve("stable", 9000, number=2)
    await harness.wait(15)
    assert harness.measured().stable == Counts(0, 0)
    harness.serve("stable", 7, number=2)
    harness.serve("stable", 1, "502", number=2)  # new, beside another of the same pod
    await harness.wait(15)

    assert harness.measured().stable == Counts(8, 1)


async def test_a_container_that_restarts_loses_nothing(harness: AppHarness) -> None:
    await harness.expose()
    harness.begin("canary")
    harness.serve("canary", 30)
    await harness.wait(15)
    harness.metrics.reset()
    harness.serve("canary", 4, "500")
    harness.serve("canary", 7)
    await harness.wait(15)

    assert harness.measured().canary == Counts(41, 4)


async def test_probes_and_other_names_are_as_the_spec_says() -> None:
    names = {
        "requests": "hits",
        "codeLabel": "status",
        "exclude": {"path": ["/healthz", "/ready"], "le": []},
    }
    harness = AppHarness(appMetrics=names)
    await harness.expose()
    harness.begin("canary")
    harness.serve("canary", 3, metric="hits", status="503", path="/pay")
    harness.serve("canary", 900, metric="hits", status="500", path="/healthz")
    harness.serve("canary", 900, metric="http_requests_total", status="500")
    await harness.wait(15)

    assert harness.measured().canary == Counts(3, 3)
    await harness.monitor.close()


async def test_other_names_meanwhile_are_counted_since_the_exposure(harness: AppHarness) -> None:
    await harness.expose()
    harness.begin("canary")
    for _ in range(4):
        harness.serve("canary", 5, metric="hits")
        await harness.wait(15)
    assert harness.measured().canary == Counts(0, 0)
    changed = harness.target.spec.model_copy(update={"app_metrics": AppMetrics(requests="hits")})
    harness.follow(spec=changed)
    await harness.wait(15)

    assert harness.measured().canary == Counts(20, 0)


async def test_durations_are_the_pods_own(harness: AppHarness) -> None:
    await harness.expose()
    harness.begin("canary")
    harness.take("canary", 80, 0.05)
    harness.take("canary", 20, 0.7)
    harness.take("stable", 100, 0.7)
    await harness.wait(15)

    assert harness.measured("p90").canary == Counts(100, 20)
    assert harness.measured("p90").limit == 0.5


async def test_requests_without_a_status_are_no_good_ones(harness: AppHarness) -> None:
    """The label has another name, or its values are words: every failure would be overlooked."""
    await harness.expose()
    harness.begin("canary")
    harness.serve("canary", 9, "Internal")
    await harness.wait(15)
    assert harness.measured().error == (
        "http_requests_total has no HTTP status in its label code (spec.appMetrics.codeLabel), so that"
        " nobody can tell which requests failed"
    )
    harness.serve("canary", 20, "200")
    await harness.wait(15)
    assert harness.measured().canary == Counts(29, 0)
    assert harness.measured().note == (
        "9 requests, without an HTTP status in its label code (spec.appMetrics.codeLabel), are taken"
        " for good"
    )


async def test_a_share_is_not_known_while_one_side_is_not_scraped(harness: AppHarness) -> None:
    """Else the canary would seem to serve everybody."""
    harness.metrics.count("up", job="other", instance="x")
    await harness.wait(20)
    harness.follow(exposed_at=harness.clock.now())
    harness.begin("canary")
    harness.serve("canary", 20)
    await harness.wait(15)
    assert harness.measured().canary == Counts(20, 0)
    assert harness.latest.served_percent is None

    harness.begin("stable")
    await harness.wait(15)
    assert harness.latest.served_percent == 100.0


async def test_a_canary_that_is_not_scraped_any_more_is_an_error(harness: AppHarness) -> None:
    await harness.expose()
    harness.begin("canary")
    harness.serve("canary", 20)
    await harness.wait(15)
    harness.end("canary")
    for _ in range(20):
        harness.serve("stable", 1)
        await harness.wait(5)

    assert harness.measured().error == (
        "no new samples of http_requests_total for 1m30s: see whether Prometheus still scrapes the pods of revision 4"
    )
    assert harness.latest.served_percent is None


async def test_an_idle_canary_that_is_scraped_is_no_error(harness: AppHarness) -> None:
    await harness.expose()
    harness.begin("canary")
    await harness.wait(180)
    assert harness.measured().error == ""
    assert harness.latest.seen_at == harness.latest.at


def test_an_ingress_and_the_app_are_asked_side_by_side() -> None:
    nginx = {"stableService": "checkout", "trafficRouting": {"nginx": {"stableIngresses": ["c"]}}}
    mixed = target({"canary": nginx}, ({**ERRORS, "source": "app"}, P90))
    errors, p90 = mixed.spec.success_criteria
    assert metric_of(mixed).series.name.startswith("nginx_ingress_controller_request")
    assert metric_of(mixed, p90).series.name.endswith("duration_seconds_bucket")
    assert metric_of(mixed, p90).series.name.startswith("nginx_")
    assert metric_of(mixed, errors).series.name == "http_requests_total"


async def test_a_green_revision_is_watched_in_the_same_way() -> None:
    harness = AppHarness(strategy=BLUE_GREEN)
    await harness.expose()
    harness.begin("canary")
    harness.serve("canary", 10, "500")
    await harness.wait(15)
    assert harness.measured().canary == Counts(10, 10)
    await harness.monitor.close()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["serve", "serve", "serve", "born", "restart", "scrape", "read"]),
        st.sampled_from(["canary", "stable"]),
        st.integers(1, 3),
        st.sampled_from(["200", "404", "500", "503"]),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_every_canary_request_that_was_scraped_is_counted_once(
    steps: list[tuple[str, str, int, str]],
) -> None:
    """Whatever pods are born and restarted, and whenever it is read."""
    asyncio.run(_story(steps))


async def _story(steps: list[tuple[str, str, int, str]]) -> None:
    harness = AppHarness()
    harness.begin("stable")
    for _ in range(3):
        harness.clock.move(5)
        harness.metrics.scrape(harness.clock.now())
    exposed_at = harness.clock.now()
    counters = ExposureCounters(metric_of(harness.target), exposed_at, 15, (), ())
    alive = {("stable", 1)}
    requests = failures = 0
    for what, arm, number, code in (*steps, ("scrape", "", 0, ""), ("read", "", 0, "")):
        if what in ("serve", "born") and (arm, number) not in alive:
            alive.add((arm, number))
            harness.begin(arm, number)
        if what == "serve":
            harness.serve(arm, number, code, number=number)
            if arm == "canary":
                requests += number
                failures += number if code.startswith("5") else 0
        elif what == "read":
            await counters.read(harness.metrics, harness.clock.now())
        elif what in ("scrape", "restart"):
            harness.clock.move(5)
            harness.metrics.scrape(harness.clock.now())
            if what == "restart":  # and one scrape sees it: what never looks smaller is no reset
                harness.metrics.reset()
                harness.clock.move(5)
                harness.metrics.scrape(harness.clock.now())
    assert counters.windows.total.arm(canary=True) == Counts(requests, failures)
    stable = counters.windows.total.arm(canary=False)
    assert stable.failures <= stable.requests


async def test_names_that_need_quotes_are_asked_for_and_counted() -> None:
    """As OpenTelemetry has them, in a Prometheus 3 that is told to translate nothing."""
    names = {
        "requests": "http.server.requests",
        "codeLabel": "http.response.status_code",
        "namespaceLabel": "k8s.namespace.name",
        "podLabel": "k8s.pod.name",
        "exclude": {"http.route": ["/healthz"]},
    }
    harness = AppHarness(appMetrics=names)

    def serve(arm: str, count: int, code: str, route: str = "/") -> None:
        pod = {"k8s.namespace.name": "shop", "k8s.pod.name": harness.pod(arm, 1)["pod"]}
        labels = {"http.response.status_code": code, "http.route": route}
        harness.metrics.count("http.server.requests", count, instance=arm, **pod, **labels)

    serve("stable", 9, "200")
    await harness.expose()
    serve("canary", 40, "200")
    serve("canary", 300, "200", "/healthz")
    serve("canary", 2, "503")
    await harness.wait(30)
    asked = next(each for each in harness.metrics.asked if "requests" in each)
    assert asked.startswith('{"http.server.requests","k8s.namespace.name"="shop","k8s.pod.name"=~"')
    assert (harness.measured().error, harness.measured().canary) == ("", Counts(42, 2))
    await harness.monitor.close()


@pytest.mark.parametrize(("stable_pushed", "counted"), [(True, Counts(20, 5)), (False, Counts())])
async def test_a_pod_that_pushes_counts_from_its_first_push_if_others_pushed_before(
    harness: AppHarness, *, stable_pushed: bool, counted: Counts
) -> None:
    """Nobody is scraped: that there is no `up` of it says nothing about when it began."""
    if stable_pushed:
        harness.serve("stable", 10)
        await harness.wait(20)
    harness.follow(exposed_at=harness.clock.now())
    harness.serve("stable", 5)
    harness.serve("canary", 15)
    harness.serve("canary", 5, "503")
    await harness.wait(15)
    assert harness.measured().canary == counted


async def test_buckets_without_bounds_are_said_to_be_such(harness: AppHarness) -> None:
    """As VictoriaMetrics' client libraries export them, and as it keeps OpenTelemetry's."""
    name, vmrange = "http_request_duration_seconds_bucket", "1.0e-1...1.136e-1"
    harness.serve("stable", 10, metric=name, vmrange=vmrange)
    await harness.expose()
    harness.serve("canary", 10, metric=name, vmrange=vmrange)
    await harness.wait(15)
    assert "buckets lack the label le" in harness.measured("p90").error
