"""Which pods can be read, and where: by what whoever scrapes is told."""

from datetime import UTC, datetime
from typing import Any

import pytest

from rollouts.analysis.exposed_canary import ExposedCanary
from rollouts.controller.metrics_pages import MOST_PODS, endpoint_of, with_pages
from rollouts.model.kinds import HASH_LABEL, JSON, POD, REPLICA_SET
from rollouts.model.rollout_key import Key
from rollouts.model.status import Revision
from rollouts.model.validation import parse_rollout
from rollouts.ports import MetricsPage
from tests.fakes.cluster import FakeCluster
from tests.fakes.kubernetes import rollout

AT = datetime(2030, 1, 1, tzinfo=UTC)
HASH = "canaryhash"
SCRAPED = {"prometheus.io/scrape": "true"}


def template(annotations: dict[str, str] | None = None, *ports: JSON, **spec: Any) -> JSON:
    containers = [{"name": "web", "ports": list(ports)}]
    return {
        "metadata": {"annotations": annotations or {}},
        "spec": {"containers": containers, **spec},
    }


def port(number: int, name: str = "", **more: str) -> JSON:
    return {"containerPort": number, **({"name": name} if name else {}), **more}


@pytest.mark.parametrize(
    ("made", "url"),
    [
        (template(SCRAPED, port(8080)), "http://10.1.2.3:8080/metrics"),
        (template({}, port(8080, "http"), port(9090, "metrics")), "http://10.1.2.3:9090/metrics"),
        (template({**SCRAPED, "prometheus.io/port": "9102"}), "http://10.1.2.3:9102/metrics"),
        (
            template(
                {
                    **SCRAPED,
                    "prometheus.io/port": "1",
                    "prometheus.io/path": "/actuator/prometheus?a=b",
                    "prometheus.io/scheme": "https",
                }
            ),
            "https://10.1.2.3:1/actuator/prometheus?a=b",
        ),
        (template(SCRAPED, port(53, protocol="UDP"), port(80)), "http://10.1.2.3:80/metrics"),
    ],
)
def test_annotations_and_names_of_ports_say_where(made: JSON, url: str) -> None:
    assert endpoint_of(made).url("10.1.2.3") == url


def test_an_address_of_ipv6_is_in_brackets() -> None:
    assert endpoint_of(template(SCRAPED, port(80))).url("fd00::7") == "http://[fd00::7]:80/metrics"


@pytest.mark.parametrize(
    ("made", "why"),
    [
        ({}, "annotate the template with prometheus.io/scrape"),
        (template({}, port(8080)), "annotate the template with prometheus.io/scrape"),
        (template({"prometheus.io/scrape": "false"}, port(1, "metrics")), "annotate the template"),
        (template(SCRAPED), "say in prometheus.io/port"),
        (template(SCRAPED, port(1), port(2)), "say in prometheus.io/port"),
        (template({**SCRAPED, "prometheus.io/port": "0"}), "is no port: '0'"),
        (template({**SCRAPED, "prometheus.io/port": "http"}), "is no port: 'http'"),
        (template({**SCRAPED, "prometheus.io/path": "@evil/"}, port(1)), "has to begin with /"),
        (template({**SCRAPED, "prometheus.io/path": "/a b"}, port(1)), "has to begin with /"),
        (template({**SCRAPED, "prometheus.io/scheme": "file"}, port(1)), "http or https: 'file'"),
        (template(SCRAPED, port(1), hostNetwork=True), "in their node's network"),
    ],
)
def test_what_cannot_be_read_is_said_with_the_way_out(made: JSON, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        endpoint_of(made)


class Shop:
    """A cluster with a canary's ReplicaSet and its pods."""

    def __init__(self, made: JSON) -> None:
        self.cluster = FakeCluster(lambda: AT)
        labels = {HASH_LABEL: HASH}
        metadata = {"name": f"checkout-{HASH}", "namespace": "shop", "labels": labels}
        self.cluster.put(REPLICA_SET, {"metadata": metadata, "spec": {"template": made}})

    def pod(self, name: str, *, ready: bool = True, address: str = "10.0.0.1") -> None:
        metadata = {
            "name": name,
            "namespace": "shop",
            "labels": {HASH_LABEL: HASH},
        }
        conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
        status = {"podIP": address, "conditions": conditions}
        self.cluster.put(POD, {"metadata": metadata, "status": status})

    @property
    def exposed(self) -> ExposedCanary:
        spec = parse_rollout(rollout([{"setWeight": 25}]))
        canary, stable = Revision(number=2, hash=HASH), Revision(number=1, hash="stablehash")
        exposed = ExposedCanary(Key("shop", "checkout"), spec, AT, None, canary, stable)
        return with_pages(self.cluster, exposed)


def test_ready_pods_of_the_canary_are_read() -> None:
    shop = Shop(template(SCRAPED, port(8080)))
    shop.pod(f"checkout-{HASH}-a")
    shop.pod(f"checkout-{HASH}-b", ready=False)
    shop.pod(f"checkout-{HASH}-c", address="")
    shop.pod(f"cart-{HASH}-d")
    assert shop.exposed.pods == 1
    assert shop.exposed.pages == (
        MetricsPage(
            "http://10.0.0.1:8080/metrics",
            {"namespace": "shop", "pod": f"checkout-{HASH}-a"},
            AT,
        ),
    )


def test_of_many_pods_a_sample_is_read_that_stays_the_same() -> None:
    shop = Shop(template(SCRAPED, port(8080)))
    for number in range(120):
        shop.pod(f"checkout-{HASH}-{number}", address=f"10.0.0.{number}")
    before = shop.exposed
    assert (len(before.pages), before.pods) == (MOST_PODS, 120)
    shop.pod(f"checkout-{HASH}-late", address="10.0.1.1")
    gone = {page.url for page in before.pages} - {page.url for page in shop.exposed.pages}
    assert len(gone) <= 1


def test_why_nothing_is_read_is_kept() -> None:
    shop = Shop(template({}, port(8080)))
    shop.pod(f"checkout-{HASH}-a")
    assert not shop.exposed.pages
    assert shop.exposed.pods == 1
    assert shop.exposed.why_unread.startswith("the pods are not read: annotate the template")
