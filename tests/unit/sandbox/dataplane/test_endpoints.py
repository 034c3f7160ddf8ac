"""Which addresses stand behind a backend."""

from rollouts.model.kinds import JSON
from rollouts.sandbox.dataplane.endpoints import SERVICE_NAME_LABEL, Backend, Endpoints


def service(**port: object) -> JSON:
    return {"metadata": {"name": "web", "namespace": "ns"}, "spec": {"ports": [port]}}


def slice_of(*endpoints: JSON, port: JSON) -> JSON:
    meta = {"name": "web-1", "namespace": "ns", "labels": {SERVICE_NAME_LABEL: "web"}}
    return {"metadata": meta, "ports": [port], "endpoints": list(endpoints)}


def endpoint(address: str, **conditions: bool) -> JSON:
    return {"addresses": [address], "conditions": conditions}


PORT = {"name": "http", "port": 8080}


def test_a_port_is_found_by_number_and_by_name() -> None:
    endpoints = Endpoints(
        [service(name="http", port=80)], [slice_of(endpoint("10.0.0.1", ready=True), port=PORT)]
    )
    assert endpoints.addresses(Backend("ns", "web", "80")) == ["10.0.0.1:8080"]
    assert endpoints.addresses(Backend("ns", "web", "http")) == ["10.0.0.1:8080"]
    assert endpoints.addresses(Backend("ns", "web", "81")) == []


def test_an_unnamed_port_matches_an_unnamed_one() -> None:
    slices = [slice_of(endpoint("10.0.0.1"), port={"port": 8080})]
    assert Endpoints([service(port=80)], slices).addresses(Backend("ns", "web", "80")) == [
        "10.0.0.1:8080"
    ]


def test_what_is_not_ready_is_left_out_and_no_address_comes_twice() -> None:
    some = slice_of(
        endpoint("10.0.0.2", ready=True),
        endpoint("10.0.0.1"),
        endpoint("10.0.0.3", ready=False, serving=True, terminating=True),
        port=PORT,
    )
    endpoints = Endpoints([service(name="http", port=80)], [some, some])
    assert endpoints.addresses(Backend("ns", "web", "80")) == ["10.0.0.1:8080", "10.0.0.2:8080"]


def test_an_ipv6_address_is_bracketed() -> None:
    endpoints = Endpoints(
        [service(name="http", port=80)], [slice_of(endpoint("fd00::1"), port=PORT)]
    )
    assert endpoints.addresses(Backend("ns", "web", "80")) == ["[fd00::1]:8080"]


def test_an_unknown_service_has_none() -> None:
    assert Endpoints([], []).addresses(Backend("ns", "web", "80")) == []
