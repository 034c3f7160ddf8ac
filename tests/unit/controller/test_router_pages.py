"""Where a router's data plane can be read: behind the Services of a namespace that is trusted with it."""

from datetime import UTC, datetime

import pytest

from rollouts.analysis.exposed_canary import ExposedCanary
from rollouts.controller.metrics_pages import MOST_PODS
from rollouts.controller.router_pages import RouterPlace, with_router_pages
from rollouts.controller.services import SERVICE_NAME_LABEL
from rollouts.model.kinds import ENDPOINT_SLICE, JSON, SERVICE
from rollouts.model.rollout_key import Key
from rollouts.model.status import Revision
from rollouts.model.validation import parse_rollout
from rollouts.traffic.nginx.counters import EXPORTER
from tests.fakes.cluster import FakeCluster
from tests.fakes.kubernetes import rollout

AT = datetime(2030, 1, 1, tzinfo=UTC)


class Edge:
    """A cluster with a data plane in it, or what looks like one."""

    def __init__(self) -> None:
        self.cluster = FakeCluster(lambda: AT)

    def service(
        self,
        name: str,
        *endpoints: JSON,
        port_name: str = "metrics",
        port: int = 10254,
        namespace: str = EXPORTER.namespace,
        labelled: bool = True,
    ) -> None:
        labels = dict(EXPORTER.labels) if labelled else {}
        metadata = {"name": name, "namespace": namespace, "labels": labels}
        self.cluster.put(SERVICE, {"metadata": metadata, "spec": {}})
        of_service = {"name": f"{name}-1", "namespace": namespace}
        self.cluster.put(
            ENDPOINT_SLICE,
            {
                "metadata": {**of_service, "labels": {SERVICE_NAME_LABEL: name}},
                "addressType": "IPv6"
                if ":" in str(endpoints) and "::" in str(endpoints)
                else "IPv4",
                "endpoints": list(endpoints),
                "ports": [{"name": port_name, "port": port, "protocol": "TCP"}],
            },
        )

    def exposed(self, *places: str) -> ExposedCanary:
        spec = parse_rollout(rollout([{"setWeight": 25}]))
        canary, stable = Revision(number=2, hash="new"), Revision(number=1, hash="old")
        exposed = ExposedCanary(Key("shop", "checkout"), spec, AT, None, canary, stable)
        return with_router_pages(
            self.cluster, exposed, [RouterPlace.parse(each) for each in places]
        )

    def urls(self, *places: str) -> list[str]:
        return sorted(page.url for page in self.exposed(*places).router_pages)


def endpoint(address: str, **conditions: bool) -> JSON:
    return {"addresses": [address], "conditions": conditions}


def test_the_pods_behind_the_service_of_the_metrics_are_read() -> None:
    edge = Edge()
    edge.service(
        "controller", endpoint("10.0.0.1"), endpoint("10.0.0.2"), port_name="http", port=80
    )
    edge.service("controller-metrics", endpoint("10.0.0.1"), endpoint("10.0.0.2"), port=9999)
    assert edge.urls() == ["http://10.0.0.1:9999/metrics", "http://10.0.0.2:9999/metrics"]
    assert edge.exposed().router_pages[0].labels["instance"] in ("10.0.0.1:9999", "10.0.0.2:9999")


def test_without_such_a_service_the_port_is_that_of_the_data_plane() -> None:
    edge = Edge()
    edge.service("controller", endpoint("fd00::7"), port_name="https", port=443)
    assert edge.urls() == ["http://[fd00::7]:10254/metrics"]


def test_pods_that_go_are_read_for_as_long_as_they_serve() -> None:
    edge = Edge()
    edge.service(
        "metrics",
        endpoint("10.0.0.1", ready=False, serving=True, terminating=True),
        endpoint("10.0.0.2", ready=False, serving=False),
        endpoint("10.0.0.3", ready=False),
    )
    assert edge.urls() == ["http://10.0.0.1:10254/metrics"]


def test_nobody_becomes_a_data_plane_by_a_label() -> None:
    edge = Edge()
    edge.service("metrics", endpoint("10.6.6.6"), namespace="evil")
    edge.service("other", endpoint("10.0.0.9"), labelled=False)
    exposed = edge.exposed()
    assert exposed.router_pages == ()
    assert exposed.why_router_unread == (
        "the router's pods are not read: the controller sees no pods behind a Service with"
        " app.kubernetes.io/name=ingress-nginx,app.kubernetes.io/component=controller in namespace"
        " ingress-nginx; name the Service in --readings-router, and watch its namespace too if"
        " --namespace is given"
    )


def test_whoever_runs_the_controller_says_where_another_one_is() -> None:
    edge = Edge()
    edge.service("nginx", endpoint("10.0.0.1"), namespace="app-routing", labelled=False)
    edge.service("controller", endpoint("10.0.0.2"), namespace="edge")
    edge.service("controller", endpoint("10.0.0.3"))
    places = "app-routing/nginx", "edge"
    assert edge.urls(*places) == ["http://10.0.0.1:10254/metrics", "http://10.0.0.2:10254/metrics"]
    assert edge.exposed("edge/none").why_router_unread.startswith(
        "the router's pods are not read: the controller sees no pods behind Service edge/none; "
    )


def test_of_many_pods_a_sample_is_read() -> None:
    edge = Edge()
    edge.service("metrics", *(endpoint(f"10.0.0.{number}") for number in range(120)))
    assert len(edge.urls()) == MOST_PODS
    assert edge.urls() == edge.urls()


@pytest.mark.parametrize("text", ["", "/metrics", "edge/", "edge/a/b"])
def test_what_names_no_service_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected NAMESPACE or NAMESPACE/SERVICE"):
        RouterPlace.parse(text)
