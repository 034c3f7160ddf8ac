"""What the data plane reads of a cluster."""

from rollouts.model.kinds import JSON
from rollouts.sandbox.dataplane.snapshot import reached
from rollouts.sandbox.network import PodNetwork


def told(*addresses: str) -> JSON:
    return {
        "metadata": {"name": "web", "namespace": "shop"},
        "ports": [{"port": 8080}],
        "endpoints": [{"addresses": [each], "conditions": {"ready": True}} for each in addresses],
    }


def addresses(endpoint_slice: JSON) -> list[str]:
    return [address for each in endpoint_slice["endpoints"] for address in each["addresses"]]


def test_pods_are_read_at_their_own_addresses() -> None:
    assert reached(told("127.9.1.1"), PodNetwork(9)) == told("127.9.1.1")
    found = reached(told("10.9.1.1", "10.9.2.7"), PodNetwork(9, told_as=10))
    assert found == told("127.9.1.1", "127.9.2.7")


def test_an_endpoint_that_is_no_pod_of_the_sandbox_is_not_read() -> None:
    strangers = ("127.9.0.1", "127.8.1.1", "127.0.0.1", "10.9.1.1", "192.0.2.1", "metadata.example")
    assert addresses(reached(told(*strangers, "127.9.1.1"), PodNetwork(9))) == ["127.9.1.1"]
    assert addresses(reached({**told(), "endpoints": None}, PodNetwork(9))) == []
