"""Which URLs the environment's proxies are for: one rule for every client of ours. Reads no environment."""

import ipaddress
from urllib.parse import urlsplit


def is_proxied(url: str) -> bool:
    """
    Return whether a client is to heed HTTP_PROXY, HTTPS_PROXY and NO_PROXY for this URL.

    It is for every URL but those of our own loopback, which is another machine's where the proxy
    runs: a sandbox is reached whatever the environment says, and NO_PROXY need not name it.
    """
    try:
        return not is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return True


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine: localhost, or an address in 127.0.0.0/8 or ::1."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
