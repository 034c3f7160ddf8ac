"""Requests to an API server as they are, and its answers as they come: no cache, no client's view."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from rollouts.kube.connection import Connection
from rollouts.kube.paths import collection_path, object_path
from rollouts.model.kinds import JSON, FrozenJSON, Kind, Ref
from rollouts.sandbox.apiserver.builtins import NAMESPACE, SERVICE_ACCOUNT
from tests.contract.conftest import BORROWED
from tests.waiting import answer

PATIENCE_SECONDS = 20.0
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"
_WARNING = re.compile(r'299 - "((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Answer:
    """A status, and the JSON documents that came: one, or a watch's events."""

    status: int
    documents: list[JSON]
    warnings: list[str] = field(default_factory=list)
    retry_after: str = ""
    media: str = "application/json"

    @property
    def body(self) -> JSON:
        (only,) = self.documents
        return only

    @property
    def message(self) -> str:
        return str(self.body.get("message", ""))

    @property
    def causes(self) -> list[tuple[str, str]]:
        """The reason and the field of each thing that is wrong."""
        found = (self.body.get("details") or {}).get("causes") or []
        return [(each.get("reason", ""), each.get("field", "")) for each in found]


class Wire:
    """
    One API server, as its admin, and a namespace there that is this test's own.

    `compact` makes the server forget its past.
    """

    def __init__(
        self, kubeconfig: Path, namespace: str, compact: Callable[[], Awaitable[None]]
    ) -> None:
        self.namespace = namespace
        self.compact = compact
        self.kubeconfig = kubeconfig
        self._connection = Connection(kubeconfig)

    async def open(self) -> None:
        """Make our namespace, and return once pods can be made there."""
        await self.post(collection_path(NAMESPACE), {"metadata": {"name": self.namespace}})

        async def has_account() -> bool:
            return (await self.get(self.of(SERVICE_ACCOUNT, "default"))).status == 200

        await answer(has_account)

    async def close(self) -> None:
        if BORROWED:
            await self.delete(object_path(Ref(NAMESPACE, "", self.namespace)))
        await self._connection.close()

    def of(self, kind: Kind, name: str = "", subresource: str = "") -> str:
        """Return the path of a kind in our namespace, or of one of its objects."""
        if not name:
            return collection_path(kind, self.namespace)
        return object_path(Ref(kind, self.namespace, name), subresource)

    async def get(self, path: str, **query: str | int) -> Answer:
        return await self.ask("GET", path, query=query)

    async def watch(self, path: str, **query: str | int) -> Answer:
        """Watch for a second, and return all that was told."""
        return await self.get(path, **{"watch": "true", "timeoutSeconds": 1, **query})

    async def post(self, path: str, body: FrozenJSON, **query: str | int) -> Answer:
        return await self.ask("POST", path, body, query=query)

    async def put(self, path: str, body: FrozenJSON, **query: str | int) -> Answer:
        return await self.ask("PUT", path, body, query=query)

    async def merge(self, path: str, body: FrozenJSON, **query: str | int) -> Answer:
        return await self.ask("PATCH", path, body, MERGE, query)

    async def json_patch(self, path: str, *operations: FrozenJSON) -> Answer:
        return await self.ask("PATCH", path, list(operations), JSON_PATCH)

    async def apply(self, path: str, body: FrozenJSON, **query: str | int) -> Answer:
        return await self.ask("PATCH", path, body, APPLY, {"fieldManager": "one", **query})

    async def delete(self, path: str, **options: Any) -> Answer:
        return await self.ask("DELETE", path, options)

    async def minor_version(self) -> int:
        """Return 36 for Kubernetes 1.36."""
        return int((await self.get("/version")).body["minor"])

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        media: str = "application/json",
        query: Mapping[str, str | int] | None = None,
        *,
        accept: str = "application/json",
    ) -> Answer:
        await self._connection.open()
        client = self._connection._client
        method, url, headers, data, _ = await client.param_serialize(
            method,
            path,
            query_params=dict(query or {}),
            header_params={"Accept": accept, "Content-Type": media},
            body=body,
            auth_settings=["BearerToken"],
        )
        patience = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
        sent = await client.call_api(method, url, headers, body=data, _request_timeout=patience)
        async with sent.response as response:
            documents = _documents(await response.text(errors="replace"))
            quoted = _WARNING.findall(", ".join(response.headers.getall("Warning", [])))
            warnings = [json.loads(f'"{text}"') for text in quoted]
            retry_after = response.headers.get("Retry-After", "")
            return Answer(response.status, documents, warnings, retry_after, response.content_type)


def _documents(text: str) -> list[JSON]:
    """Return the document, or a watch's events; what is neither, as where nothing is served, as a message."""
    try:
        return [json.loads(text)]
    except ValueError:
        pass
    try:
        return [json.loads(line) for line in text.splitlines()]
    except ValueError:
        return [{"message": text}]
