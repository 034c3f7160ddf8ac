"""Where `mirror-target` leads."""

import pytest

from rollouts.sandbox.dataplane.endpoints import Backend
from rollouts.sandbox.dataplane.mirrors import Mirror, mirror

SERVICE = Backend("shop", "next", "80")


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
        ("http://127.0.0.1:8/x", Mirror(None, "127.0.0.1:8", "/x", "127.0.0.1:8")),
        ("https://next.shop.svc", None),
        ("http://shop.example/", None),
        ("", None),
    ],
)
def test_a_target_is_a_service_or_an_address(target: str, found: Mirror | None) -> None:
    assert mirror(target) == found


def test_the_host_may_be_given() -> None:
    assert mirror("http://next.shop.svc", "shop.example") == Mirror(SERVICE, "", "", "shop.example")
