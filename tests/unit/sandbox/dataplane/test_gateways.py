"""Which routes a Gateway of ours takes, and under which hosts."""

import pytest

from rollouts.model.kinds import JSON
from rollouts.sandbox.dataplane.gateways import Gateways, meeting_hosts
from rollouts.sandbox.dataplane.snapshot import RoutingSnapshot
from tests.unit.sandbox.dataplane.gateway_objects import (
    cluster,
    gateway,
    grpc_route,
    listener,
    meta,
    route,
)


def reasons(seen: RoutingSnapshot, wanted: JSON) -> list[str]:
    return [each.accepted.reason for each in Gateways(seen).attach(wanted)]


@pytest.mark.parametrize(
    ("of_listener", "of_route", "common"),
    [
        (None, [], [""]),
        (None, ["a.example", "*.b"], ["a.example", "*.b"]),
        ("a.example", [], ["a.example"]),
        ("a.example", ["A.example"], ["a.example"]),
        ("a.example", ["*.example"], ["a.example"]),
        ("*.example", ["a.b.example"], ["a.b.example"]),
        ("*.example", ["*.b.example"], ["*.b.example"]),
        ("*.b.example", ["*.example"], ["*.b.example"]),
        ("*.example", ["example"], []),
        ("a.example", ["b.example"], []),
    ],
)
def test_hosts_meet_in_the_narrower_one(
    of_listener: str | None, of_route: list[str], common: list[str]
) -> None:
    assert meeting_hosts(of_listener, of_route) == common


def test_a_gateway_of_another_controller_says_nothing() -> None:
    other = gateway()
    other["spec"]["gatewayClassName"] = "theirs"
    assert reasons(cluster(other), route()) == []
    assert reasons(cluster(gateway(name="another")), route()) == []


def test_a_listener_takes_its_own_namespace_unless_it_says_otherwise() -> None:
    elsewhere = route(namespace="shop")
    assert reasons(cluster(), route()) == ["Accepted"]
    assert reasons(cluster(), elsewhere) == ["NotAllowedByListeners"]
    of_all = listener(allowedRoutes={"namespaces": {"from": "All"}})
    assert reasons(cluster(gateway(of_all)), elsewhere) == ["Accepted"]
    some = {"from": "Selector", "selector": {"matchLabels": {"team": "shop"}}}
    labelled = {"metadata": meta("shop", "") | {"labels": {"team": "shop"}}}
    seen = cluster(gateway(listener(allowedRoutes={"namespaces": some})), namespaces=[labelled])
    assert reasons(seen, elsewhere) == ["Accepted"]
    assert reasons(seen, route(namespace="other")) == ["NotAllowedByListeners"]


def test_a_listener_may_take_one_kind_only() -> None:
    kinds = listener(allowedRoutes={"kinds": [{"kind": "HTTPRoute"}]})
    assert reasons(cluster(gateway(kinds)), route()) == ["Accepted"]
    assert reasons(cluster(gateway(kinds)), grpc_route()) == ["NotAllowedByListeners"]


def test_a_parent_names_its_listener_by_section_and_port() -> None:
    seen = cluster(gateway(listener(), listener("tls", protocol="HTTPS", port=443)))
    for more, reason in (
        ({"sectionName": "http"}, "Accepted"),
        ({"port": 80}, "Accepted"),
        ({"sectionName": "other"}, "NoMatchingParent"),
        ({"sectionName": "tls"}, "NoMatchingParent"),
        ({"port": 81}, "NoMatchingParent"),
    ):
        wanted = route()
        wanted["spec"]["parentRefs"][0] |= more
        assert reasons(seen, wanted) == [reason]


def test_a_route_without_a_common_host_is_not_accepted() -> None:
    wanted = route()
    wanted["spec"]["hostnames"] = ["b.example"]
    seen = cluster(gateway(listener(hostname="a.example")))
    assert reasons(seen, wanted) == ["NoMatchingListenerHostname"]
