"""Which URLs the environment's proxies are for: one rule for every client of ours."""

import ipaddress
import os
from collections.abc import Mapping
from urllib.parse import urlsplit


def is_proxied(url: str, environment: Mapping[str, str] = os.environ) -> bool:
    """
    Return whether a client is to heed HTTP_PROXY, HTTPS_PROXY and NO_PROXY for this URL.

    It is for every URL but those of our own loopback, which is another machine's where the proxy
    runs: a sandbox is reached whatever the environment says, and NO_PROXY need not name it. And
    but those whose host is an address in a network that NO_PROXY names, such as 10.0.0.0/8: programs
    in Go heed these, and the libraries below us know names and suffixes only.
    """
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return True
    unproxied = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    return not (is_loopback(host) or _is_in_a_network(host, unproxied))


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine: localhost, or an address in 127.0.0.0/8 or ::1."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_in_a_network(host: str, unproxied: str) -> bool:
    """Return whether a host is an address in one of the networks, which names may stand between."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    for entry in unproxied.split(","):
        try:
            network = ipaddress.ip_network(entry.strip(), strict=False)
        except ValueError:
            continue
        if address in network:
            return True
    return False
