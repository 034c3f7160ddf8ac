"""Where `mirror-target` leads."""

import pytest

from rollouts.sandbox.dataplane.endpoints import Backend
from rollouts.sandbox.dataplane.mirrors import Mirror, mirror
from rollouts.sandbox.network import PodNetwork

SERVICE = Backend("shop", "next", "80")
NETWORK = PodNetwork(9, told_as=10)


@pytest.mark.parametrize(
    ("target", "found"),
    [
        (
            "http://next.shop.svc.cluster.local$request_uri",
            Mirror(SERVICE, "", "$request_uri", "next.shop.svc.cluster.local"),
        ),
        ("http://next.shop.svc", Mirror(SERVICE, "", "", "next.shop.svc")),
        (
            "http://next.shop.svc:81/a",
            Mirror(Backend("shop", "next", "81"), "", "/a", "next.shop.svc:81"),
        ),
        ("http://10.9.1.1:8/x", Mirror(None, "127.9.1.1:8", "/x", "10.9.1.1:8")),
        ("http://10.9.0.1:8/x", None),
        ("http://127.0.0.1:8/x", None),
        ("http://192.0.2.1/x", None),
        ("https://next.shop.svc", None),
        ("http://shop.example/", None),
        ("", None),
    ],
)
def test_a_target_is_a_service_or_a_pod_of_the_sandbox(target: str, found: Mirror | None) -> None:
    assert mirror(target, NETWORK) == found


def test_the_host_may_be_given() -> None:
    found = mirror("http://next.shop.svc", NETWORK, "shop.example")
    assert found == Mirror(SERVICE, "", "", "shop.example")
