"""What there is no traffic for is inconclusive, and says why."""

from collections.abc import AsyncIterator

import pytest

from rollouts.judge import judge
from rollouts.model.evidence import Counts
from tests.unit.analysis.app_harness import BLUE_GREEN, AppHarness
from tests.unit.analysis.harness import ERRORS, Harness

THRESHOLD = {"name": "plain", "errorRate": {"max": "1%"}, "judge": "threshold"}
P90 = {"name": "p90", "latency": {"quantile": 0.9, "max": "500ms"}}
ASKED = 'http_requests_total{pod=~"checkout-canaryhash-.+"}'


@pytest.fixture
async def harness() -> AsyncIterator[AppHarness]:
    made = AppHarness(ERRORS, THRESHOLD, P90, strategy=BLUE_GREEN)
    yield made
    await made.monitor.close()


def said(harness: AppHarness | Harness, name: str = "errors") -> str:
    """Return what the judge makes of the last round, which must be nothing."""
    found = harness.measured(name)
    assert (found.error, found.canary, found.value) == ("", Counts(), None)
    (criterion,) = (each for each in harness.target.spec.success_criteria if each.name == name)
    judged = judge(criterion, found, None)
    assert judged.verdict == "inconclusive"
    return judged.message


async def test_a_preview_that_gets_no_traffic(harness: AppHarness) -> None:
    await harness.expose()
    harness.begin("canary")
    harness.serve("stable", 50)
    await harness.wait(15)
    why = f"no request has reached revision 4's pods ({ASKED}): a preview gets no live traffic"
    assert said(harness).startswith(f"{why}; needs about ")
    assert said(harness, "plain") == f"{why}; needs about 100 more requests"

    harness.follow(weight_percent=100)
    await harness.wait(15)
    assert said(harness).startswith(f"no request has reached revision 4's pods ({ASKED}); needs")


async def test_a_metric_that_is_exported_and_stays_zero(harness: AppHarness) -> None:
    await harness.expose()
    harness.begin("canary")
    harness.serve("canary", 0)
    await harness.wait(15)
    assert said(harness).startswith(f"no request has reached revision 4's pods ({ASKED}): ")


async def test_a_metric_that_nobody_exports(harness: AppHarness) -> None:
    await harness.expose()
    harness.begin("canary")
    await harness.wait(15)
    why = "no request has reached them, or the app calls it otherwise (spec.appMetrics)"
    assert said(harness).startswith(f"revision 4's pods are scraped, and have no {ASKED}: {why}")
    histogram = 'http_request_duration_seconds_bucket{pod=~"checkout-canaryhash-.+"}'
    assert said(harness, "p90").startswith(
        f"revision 4's pods are scraped, and have no {histogram}: {why}"
    )


async def test_a_histogram_that_is_missing_beside_requests(harness: AppHarness) -> None:
    await harness.expose()
    harness.begin("canary")
    harness.serve("canary", 10)
    await harness.wait(15)
    histogram = 'http_request_duration_seconds_bucket{pod=~"checkout-canaryhash-.+"}'
    assert said(harness, "p90").startswith(
        f"revision 4's pods count requests, and have no {histogram}: see spec.appMetrics.durations"
    )


async def test_pods_that_nobody_scrapes(harness: AppHarness) -> None:
    await harness.expose()
    harness.serve("stable", 10)
    await harness.wait(15)
    assert said(harness).startswith(
        "revision 4's pods have not been scraped by Prometheus, those of revision 3 are; see whether a PodMonitor or scrape job selects the canary's; needs"
    )

    harness.end("stable")
    await harness.wait(15)
    harness.follow(exposed_at=harness.clock.now())
    await harness.wait(15)
    assert said(harness).startswith(
        "revision 4's pods have not been scraped by Prometheus; see whether a PodMonitor or scrape job selects the canary's; needs"
    )


async def test_an_ingress_that_has_counted_nothing() -> None:
    harness = Harness(ERRORS)
    await harness.wait(20)
    harness.expose()
    await harness.wait(15)
    assert said(harness).startswith(
        "no request has reached the canary yet; Prometheus has no nginx_ingress_controller_request_duration"
        "_seconds_count of Service checkout: see that ingress-nginx has metrics on, and that Prometheus scrapes it"
    )
    harness.serve("stable", 5)
    await harness.wait(15)
    assert said(harness).startswith("no request has reached the canary yet; needs about ")
    await harness.monitor.close()
