import pytest

from rollouts.proxies import is_proxied


@pytest.mark.parametrize(
    ("url", "proxied"),
    [
        ("http://127.0.0.1:9090", False),
        ("https://127.42.0.1:6443/x", False),
        ("http://[::1]:8080", False),
        ("http://localhost", False),
        ("http://LOCALHOST:1", False),
        ("http://localhost.example", True),
        ("http://10.0.0.1", True),
        ("https://prometheus.monitoring:9090", True),
        ("", True),
        ("http://[x", True),
    ],
)
def test_only_our_own_loopback_is_reached_without_the_environments_proxy(
    url: str, proxied: bool
) -> None:
    assert is_proxied(url) is proxied
