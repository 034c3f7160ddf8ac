"""Sandboxes side by side."""

from rollouts.sandbox.network import Network


def test_two_claims_never_get_the_same_network() -> None:
    networks = [Network.claim() for _ in range(20)]
    assert len({network.number for network in networks}) == 20
    for network in networks:
        network.release()


def test_addresses_are_inside_the_network() -> None:
    network = Network.claim()
    assert str(network) == f"127.{network.number}.0.0/16"
    assert network.control_plane == f"127.{network.number}.0.1"
    assert network.ingress == f"127.{network.number}.0.2"
    network.release()
