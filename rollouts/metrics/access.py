"""
How a metric provider is reached, and how it lets us in.

A secret comes from a file that is read again for each request, so that one which is replaced
counts at once: a token that Kubernetes projects into a pod lives for an hour. No secret is ever
part of what can be shown: not of a URL, not of an error, not of a repr.
"""

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import requests
import urllib3
from requests.auth import AuthBase

from rollouts.errors import UsageError
from rollouts.metrics.secret_files import bearer_token, secret
from rollouts.proxies import is_proxied


@dataclass(frozen=True, slots=True)
class Access:
    """
    How to be let in: by a bearer token, by a user and a password, or by headers.

    `token` and `basic_auth` (user, password) hold the secret itself, the files are where it is
    kept; a file comes before what was given otherwise.
    """

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    basic_auth: tuple[str, str] | None = field(default=None, repr=False)
    username: str = field(default="", repr=False)
    """Whose password is in `password_file`."""
    password_file: Path | None = None
    verify_tls: bool | str = True
    """False trusts every certificate; a string is the path of the authority's certificate."""
    cert_file: Path | None = None
    """Our own certificate, for a server that asks for one, with its key unless `key_file` has it."""
    key_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """A URL without the user and password that may have stood in it."""

    url: str
    basic_auth: tuple[str, str] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, text: str) -> "Address":
        """
        Return the address that `text` is.

        Raises:
            UsageError: it is none. The error does not show it.
        """
        try:
            parts = urlsplit(text)
            _ = parts.port
        except ValueError:
            raise UsageError(
                "the URL of Prometheus can't be read; see its host and port, and that /, ?, # and @ of a password"
                " are percent-encoded"
            ) from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError("the URL of Prometheus has to be http(s)://HOST, a port and a path")
        if parts.query or parts.fragment or "@" in parts.path:
            raise UsageError(
                "the URL of Prometheus is more than a host, a port and a path: a password belongs into"
                " --prometheus-password-file, and in a URL /, ?, # and @ of it have to be percent-encoded"
            )
        user, at, host = parts.netloc.rpartition("@")
        url = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
        name, _, password = user.partition(":")
        return cls(url, (unquote(name), unquote(password)) if at else None)


def session_of(address: Address, access: Access) -> requests.Session:
    """Return a session that is let in; nothing is read from files before the first request."""
    session = requests.Session()
    session.verify = _authorities() or True if access.verify_tls is True else access.verify_tls
    if access.verify_tls is False:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # it was asked for
    if access.cert_file is not None:
        files = (access.cert_file, access.key_file)
        certificate, key = (str(each) if each is not None else None for each in files)
        session.cert = (certificate, key) if certificate and key else certificate
    session.headers.update(access.headers)
    session.auth = _Credentials(access, address)
    session.trust_env = is_proxied(address.url)
    return session


def _authorities() -> str:
    """Return the file of authorities that the environment names, which requests heeds with its proxies only."""
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or ""


class _Credentials(AuthBase):
    """Puts a secret into a request, as it is at that moment."""

    def __init__(self, access: Access, address: Address) -> None:
        self._access = access
        self._basic_auth = access.basic_auth or address.basic_auth

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """
        Return the request with the secret.

        Raises:
            Unavailable: it can't be read, or can't be sent.
        """
        access = self._access
        token, basic_auth = access.token, self._basic_auth
        if access.password_file is not None:
            basic_auth = access.username, secret("password of Prometheus", access.password_file)
        elif access.token_file is not None:
            token = bearer_token("token of Prometheus", access.token_file)
        if token:
            request.headers["Authorization"] = f"Bearer {token}"
        elif basic_auth is not None:
            pair = ":".join(basic_auth).encode()  # UTF-8, which requests itself does not send
            request.headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        return request
