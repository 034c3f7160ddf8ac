import asyncio
from pathlib import Path
from typing import Any

import certifi
import httpx
import pytest
from kubernetes.aio.client import Configuration

from rollouts.kube import connection
from rollouts.metrics.access import Access, Address, session_of
from rollouts.notify.webhook import WebhookNotifier
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


@pytest.mark.parametrize(
    ("url", "proxied"),
    [
        ("https://10.96.0.1:443", False),
        ("http://10.200.3.4:9090/prometheus", False),
        ("https://[fd00::1]:6443", False),
        ("https://192.168.7.7", False),
        ("https://192.168.7.8", True),
        ("https://11.0.0.1", True),
        ("https://[fe00::1]", True),
        ("https://prometheus.monitoring:9090", True),  # the libraries look for names themselves
    ],
)
@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_networks_that_no_proxy_names_are_reached_without_one(
    url: str, name: str, proxied: bool
) -> None:
    unproxied = ".svc, 10.0.0.0/8,fd00::/8,192.168.7.7, *.example,10.0.0.0/99,"
    environment = {"HTTPS_PROXY": "http://proxy:3128", name: unproxied}
    assert is_proxied(url, environment) is proxied


@pytest.mark.parametrize(("host", "heeded"), [("10.1.2.3", False), ("11.1.2.3", True)])
async def test_each_of_our_clients_keeps_to_that(
    monkeypatch: pytest.MonkeyPatch, host: str, *, heeded: bool
) -> None:
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/8")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    prometheus = session_of(Address.of(f"http://{host}:9090"), Access())
    webhook = WebhookNotifier(f"https://{host}/hook")
    api_server = connection._client(Configuration(host=f"https://{host}"))
    assert prometheus.trust_env is heeded
    assert bool(webhook._client._mounts) is heeded
    assert api_server.rest_client.pool_manager.trust_env is heeded
    await api_server.close()
    await webhook.close()
    prometheus.close()


@pytest.mark.parametrize("host", ["10.1.2.3", "11.1.2.3", "127.0.0.1"])
async def test_authorities_that_the_environment_names_count_with_a_proxy_and_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, host: str
) -> None:
    """A company's own authority is often named nowhere else."""
    authority = tmp_path / "authority.pem"
    bundle = await asyncio.to_thread(Path(certifi.where()).read_text)
    first, end, _ = bundle.partition("-----END CERTIFICATE-----")
    authority.write_text(first[first.index("-----BEGIN") :] + end)
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/8")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    prometheus = session_of(Address.of(f"https://{host}:9090"), Access())
    environment = prometheus.merge_environment_settings(
        f"https://{host}:9090", {}, None, None, None
    )
    assert environment["verify"] == str(authority)
    assert session_of(Address.of(f"https://{host}"), Access(verify_tls=False)).verify is False
    webhook = WebhookNotifier(f"https://{host}/hook")
    trusted: Any = webhook._client._transport_for_url(httpx.URL(f"https://{host}/hook"))
    assert trusted._pool._ssl_context.cert_store_stats()["x509_ca"] == 1
    await webhook.close()
    prometheus.close()
