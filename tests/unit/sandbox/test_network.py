"""Sandboxes side by side."""

import pytest

from rollouts.sandbox.network import Network, PodNetwork


def test_two_claims_never_get_the_same_network() -> None:
    networks = [Network.claim() for _ in range(20)]
    assert len({network.number for network in networks}) == 20
    for network in networks:
        network.release()


def test_addresses_are_inside_the_network() -> None:
    network = Network.claim()
    assert str(network) == f"127.{network.number}.0.0/16"
    assert network.control_plane == f"127.{network.number}.0.1"
    assert network.data_plane == f"127.{network.number}.0.2"
    network.release()


def test_a_pod_is_reached_at_its_own_address_and_told_as_the_api_server_takes_it() -> None:
    assert PodNetwork(9).told("127.9.1.7") == "127.9.1.7"
    elsewhere = PodNetwork(9, told_as=10)
    assert elsewhere.told("127.9.1.7") == "10.9.1.7"
    assert elsewhere.reached("10.9.1.7") == "127.9.1.7"


@pytest.mark.parametrize(
    "address",
    [
        "10.9.0.1",
        "10.10.1.1",
        "127.9.1.1",
        "127.0.0.1",
        "192.0.2.1",
        "::1",
        "web.shop",
        "",
        "10.9.1",
    ],
)
def test_no_other_address_is_reached(address: str) -> None:
    assert PodNetwork(9, told_as=10).reached(address) is None
