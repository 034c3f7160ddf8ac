"""
`PageSource` over HTTP: one page of metrics of one process, read within bounds.

A reading goes to the address that it was given and nowhere else: neither redirects nor proxies are
followed. What was not read to its end counts as not read. Nothing is held of a page but the series
that are wanted.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import aiohttp

from rollouts.errors import TooLarge, Unavailable
from rollouts.metrics.exposition import Exposition
from rollouts.metrics.secret_files import bearer_token
from rollouts.model.truncation import sendable, truncated
from rollouts.ports import MetricsPage, Series, WantedSeries

TIMEOUT_SECONDS = 2.0
"""So long a page may take, from asking for it to its last byte."""
LARGEST_PAGE_BYTES = 64 * 1024 * 1024
AT_ONCE = 64
_CHUNK_BYTES = 64 * 1024
_ACCEPT = (
    "application/openmetrics-text;version=1.0.0;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"
)
_LONGEST_REASON = 300
_LET_IN = "see that a NetworkPolicy lets the controller in"


@dataclass(frozen=True, slots=True)
class PageAccess:
    """How pages with TLS are trusted, and what lets us in there."""

    token_file: Path | None = None
    """Holds a bearer token, which is read for each page, and sent over TLS only."""
    ca_file: Path | None = None
    """The certificate of the authority to trust. None: those that every program trusts."""
    insecure_skip_verify: bool = False

    def ssl_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.insecure_skip_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


class HttpPages:
    """Reads pages; has to be closed."""

    def __init__(
        self, access: PageAccess | None = None, *, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        self._access = access or PageAccess()
        self._timeout_seconds = timeout_seconds
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Give back the connections."""
        if self._session is not None:
            await self._session.close()

    async def read(
        self, page: MetricsPage, wanted: WantedSeries, *, at: datetime
    ) -> tuple[Series, ...]:
        """
        Return the wanted series, each with the one sample that it shows, at `at`.

        Raises:
            Unavailable: no answer, or not all of it in time, or nonsense.
        """
        try:
            async with asyncio.timeout(self._timeout_seconds):
                found = await self._found(page.url, wanted)
        except TimeoutError:
            limit = f"{self._timeout_seconds:g} s"
            raise Unavailable(f"no metrics at {page.url} within {limit}; {_LET_IN}") from None
        except (Unavailable, aiohttp.ClientError, ValueError, OSError) as error:
            why = truncated(sendable(_reason(error)), _LONGEST_REASON)
            raise type_of(error)(f"no metrics at {page.url}: {why}") from error
        moment = at.timestamp()
        return tuple(
            Series(_as_scraped(labels, page.labels), ((moment, value),)) for labels, value in found
        )

    async def _found(self, url: str, wanted: WantedSeries) -> list[tuple[Mapping[str, str], float]]:
        async with self._opened().get(
            url, headers=self._headers(url), allow_redirects=False
        ) as answer:
            if answer.status != 200:
                raise Unavailable(
                    f"it answered HTTP {answer.status}; see that the port and the path are those of the metrics"
                )
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                raise Unavailable("it is compressed, although that was not asked for")
            open_metrics = answer.content_type == "application/openmetrics-text"
            page, size = Exposition(wanted, open_metrics=open_metrics), 0
            async for chunk in answer.content.iter_chunked(_CHUNK_BYTES):
                size += len(chunk)
                if size > LARGEST_PAGE_BYTES:
                    raise TooLarge(f"it is larger than {LARGEST_PAGE_BYTES // 1024 // 1024} MiB")
                page.feed(chunk)
            return page.end()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=AT_ONCE, ssl=self._access.ssl_context()),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session

    def _headers(self, url: str) -> dict[str, str]:
        headers = {"Accept": _ACCEPT, "Accept-Encoding": "identity", "User-Agent": "rollouts"}
        if self._access.token_file is not None and url.startswith("https://"):
            token = bearer_token("token of --readings-token-file", self._access.token_file)
            headers["Authorization"] = f"Bearer {token}"
        return headers


def type_of(error: Exception) -> type[Unavailable]:
    """Return which of our errors an error is."""
    return TooLarge if isinstance(error, TooLarge) else Unavailable


def _as_scraped(labels: Mapping[str, str], target: Mapping[str, str]) -> Mapping[str, str]:
    """Return the labels as Prometheus has them after a scrape: those of the target come first."""
    own = {f"exported_{key}" if key in target else key: text for key, text in labels.items()}
    return {**own, **target}


def _reason(error: Exception) -> str:
    """Return what happened, without what aiohttp says of how it connects."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        why = getattr(error, "certificate_error", error)
        return f"its certificate is not trusted: {why}; give --readings-ca-file its authority"
    if isinstance(error, aiohttp.ClientConnectorError):
        why = error.os_error.strerror or str(error.os_error)
        return f"{why}; {_LET_IN}, and that the port is that of the metrics"
    return str(error) or type(error).__name__
