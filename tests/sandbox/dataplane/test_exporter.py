"""The access log becomes ingress-nginx's metrics, to the last request."""

import re
from typing import TYPE_CHECKING

import pytest

from rollouts.sandbox.load import Load, Target

if TYPE_CHECKING:
    from tests.sandbox.dataplane.conftest import Edge

pytestmark = pytest.mark.sandbox
HOST = "shop.example"


REQUESTS = "nginx_ingress_controller_requests"


def counts(page: str, metric: str = REQUESTS, /, **labels: str) -> int:
    """Return the sum of a counter over the series with `labels`."""
    total = 0
    for line in page.splitlines():
        found = re.fullmatch(metric + r"\{(.*)\} (\d+)", line)
        has = dict(re.findall(r'(\w+)="([^"]*)"', found[1])) if found else {}
        if found and labels.items() <= has.items():
            total += int(found[2])
    return total


async def test_both_arms_carry_the_main_ingress_and_the_canary_label_tells_them_apart(
    edge: "Edge",
) -> None:
    edge.service("web", await edge.pod(1, "v1"))
    edge.service("web-canary", await edge.pod(2, "v2", status=500))
    edge.ingress("web", "web")
    edge.ingress("web-canary", "web-canary", canary="true", canary_by_header="x-canary")
    await edge.configurator.apply()
    for _ in range(3):
        await edge.get()
    for _ in range(2):
        await edge.get(headers={"x-canary": "always"}, method="POST")
    page = await edge.scrape()
    main = {
        "controller_class": "k8s.io/ingress-nginx",
        "host": HOST,
        "ingress": "web",
        "namespace": "default",
        "path": "/",
        "service": "web",
    }
    assert counts(page, **main, canary="", method="GET", status="200") == 3
    arm = {"canary": "default-web-canary-80", "method": "POST", "status": "500"}
    assert counts(page, **main, **arm) == 2
    assert counts(page) == 5
    assert 'nginx_ingress_controller_request_duration_seconds_bucket{canary=""' in page
    assert 'le="0.005"' in page
    assert 'le="10"' in page


async def test_a_canarys_series_stay_flat_when_it_is_gone(edge: "Edge") -> None:
    edge.service("web", await edge.pod(1, "v1"))
    edge.service("web-canary", await edge.pod(2, "v2"))
    edge.ingress("web", "web")
    edge.ingress("web-canary", "web-canary", canary="true", canary_weight="100")
    await edge.configurator.apply()
    await edge.get()
    edge.ingress("web-canary", "web-canary", canary="false")
    edge.ingress("web-canary", "web-canary", canary="true", canary_weight="0")
    await edge.configurator.apply()
    await edge.get()
    page = await edge.scrape()
    assert counts(page, canary="default-web-canary-80") == 1
    assert counts(page, canary="") == 1


async def test_a_503_of_nginx_itself_counts_and_a_404_without_a_route_does_not(
    edge: "Edge",
) -> None:
    edge.service("web")
    edge.ingress("web", "web")
    await edge.configurator.apply()
    await edge.get()
    await edge.get(headers={"Host": "other.example"})
    page = await edge.scrape()
    assert counts(page, status="503", service="web") == 1
    assert counts(page) == 1


async def test_every_request_is_counted_and_a_retried_one_once(edge: "Edge") -> None:
    edge.service("web", await edge.pod(1, "v1"), f"127.{edge.network.number}.1.9")
    edge.ingress("web", "web")
    await edge.configurator.apply()
    report = await Load(Target(edge.nginx.listener.url, HOST), 300, duration_seconds=2).run()
    edge.answered += report.succeeded
    page = await edge.scrape()
    assert report.succeeded == counts(page, status="200") == 600
    assert f"request_duration_seconds_count{{{series(page)}}} 600" in page
    durations = re.search(r"response_duration_seconds_count\{.*\} (\d+)", page)
    assert durations is not None
    assert 0 < int(durations[1]) < 600


def series(page: str) -> str:
    found = re.search(r"nginx_ingress_controller_requests\{(.*)\}", page)
    assert found is not None
    return found[1]
