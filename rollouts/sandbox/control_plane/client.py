"""
Requests to a real API server, as one user; its refusals are `ApiError`, as our own server's are.

Nothing is tried again here, and nothing is kept.
"""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

import aiohttp

from rollouts.errors import Unavailable
from rollouts.model.kinds import JSON, Kind
from rollouts.sandbox.apiserver.errors import ApiError

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
_PATIENCE = aiohttp.ClientTimeout(total=30)
WATCH_SECONDS = 240
_WATCH_PATIENCE = aiohttp.ClientTimeout(total=WATCH_SECONDS + 30, sock_connect=5)
_NO_ANSWER = (aiohttp.ClientError, TimeoutError, OSError)


def path_of(kind: Kind, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """Return the path of a kind's objects, or with a name that of one of them."""
    root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    parts = ("namespaces", namespace) if namespace else ()
    return "/".join(part for part in (root, *parts, kind.plural, name, subresource) if part)


class Client:
    """One user's way to the API server at `url`, whose certificate is in the file `authority`."""

    def __init__(self, url: str, token: str, authority: Path) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._authority = authority
        self._session: aiohttp.ClientSession | None = None

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> JSON:
        return await self.request("GET", path, query=query)

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        media: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> JSON:
        """
        Return the answer; what is no JSON is the `message` of an object.

        Raises:
            ApiError: the server refuses.
            Unavailable: it does not answer, or says that it can't now.
        """
        data = None if body is None else json.dumps(body)
        headers = {"Content-Type": media} if body is not None else {}
        try:
            async with self._http().request(
                *(method, path), data=data, headers=headers, params=query, timeout=_PATIENCE
            ) as response:
                found = _document(await response.read())
                status = response.status
        except _NO_ANSWER as error:
            raise _unavailable(error) from error
        if status == 429 or status >= 500:
            raise Unavailable(f"the API server can't answer now: {found.get('message')}")
        if status >= 400:
            raise _refusal(status, found)
        return found

    async def watch(self, path: str, query: Mapping[str, str]) -> AsyncGenerator[JSON]:
        """
        Yield a watch's events until the server ends it.

        Raises:
            ApiError: the server refuses.
            Unavailable: it does not answer, or no longer.
        """
        asked = {"watch": "true", "timeoutSeconds": str(WATCH_SECONDS), **query}
        try:
            async with self._http().get(path, params=asked, timeout=_WATCH_PATIENCE) as response:
                if response.status >= 400:
                    raise _refusal(response.status, _document(await response.read()))
                async with contextlib.aclosing(_lines(response)) as lines:
                    async for line in lines:
                        yield json.loads(line)
        except _NO_ANSWER as error:
            raise _unavailable(error) from error

    async def close(self) -> None:
        """Hang up, and return when the server has heard it."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()
            await asyncio.sleep(0)

    def _http(self) -> aiohttp.ClientSession:
        """Return our connections, which begin once the server has made its certificate."""
        if self._session is None:
            if not self._authority.exists():
                raise FileNotFoundError(f"the API server has not made {self._authority} yet")
            trusted = ssl.create_default_context(cafile=str(self._authority))
            connector = aiohttp.TCPConnector(ssl=trusted, limit=0)
            self._session = aiohttp.ClientSession(
                self._url, headers=self._headers, connector=connector
            )
        return self._session


async def _lines(response: aiohttp.ClientResponse) -> AsyncGenerator[bytes]:
    """Yield lines, which may be longer than any that aiohttp would read; hang up when nobody wants more."""
    rest = b""
    try:
        async for chunk in response.content.iter_any():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line
    finally:
        connection = response.connection
        if connection is not None and connection.transport is not None:
            connection.transport.abort()  # a goodbye over TLS takes an answer


def _document(content: bytes) -> JSON:
    try:
        found = json.loads(content)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"message": content.decode(errors="replace")}


def _refusal(status: int, found: JSON) -> ApiError:
    return ApiError(
        status,
        str(found.get("message", "")),
        reason=str(found.get("reason", "")),
        details=found.get("details"),
    )


def _unavailable(error: Exception) -> Unavailable:
    return Unavailable(f"the API server does not answer: {error or type(error).__name__}")
