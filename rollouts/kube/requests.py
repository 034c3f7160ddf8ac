"""
Requests without caches, for a command line that looks at a few objects and goes away.

Each method is one request (a list may take several pages); errors are our own tree.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from typing import Self

from rollouts.kube.api_errors import Expired
from rollouts.kube.connection import APPLY_PATCH, MERGE_PATCH, SILENT_SECONDS, Connection
from rollouts.kube.paths import collection_path, label_selector, object_path, ref_of, with_kind
from rollouts.kube.reflector import PAGE_SIZE, MalformedEvent, parse_event
from rollouts.model.kinds import JSON, FrozenJSON, Kind, Ref

WATCH_SECONDS = 300

_PAUSE_SECONDS = 0.5  # between two watches, should an API server end them all at once

CLI_FIELD_MANAGER = "rollouts-cli"
"""A person's writes, to be told from the controller's."""


class KubeRequests:
    """`async with KubeRequests(kubeconfig, context) as kube:` – the connection ends with it."""

    def __init__(self, kubeconfig: Path | None = None, context: str | None = None) -> None:
        self.connection = Connection(kubeconfig, context)

    async def __aenter__(self) -> Self:
        await self.connection.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self.connection.close()

    @property
    def namespace(self) -> str:
        """The namespace that the kubeconfig's context names, or "default"."""
        return self.connection.namespace

    async def get(self, ref: Ref) -> JSON:
        return await self.connection.request("GET", object_path(ref))

    async def select(
        self, kind: Kind, namespace: str = "", labels: Mapping[str, str] | None = None
    ) -> list[JSON]:
        """Return the objects of a namespace (all for "") that carry `labels`."""
        query: dict[str, str | int] = {"limit": PAGE_SIZE}
        if labels:
            query["labelSelector"] = label_selector(labels)
        items, _ = await self._pages(collection_path(kind, namespace), query)
        for item in items:  # a list names these once, for all its items
            item.setdefault("apiVersion", kind.api_version)
            item.setdefault("kind", kind.name)
        return items

    async def create(self, kind: Kind, body: FrozenJSON) -> JSON:
        """Create the object. Raises `Conflict` when it exists."""
        path = collection_path(kind, ref_of(kind, body).namespace)
        return await self.connection.request("POST", path, body=with_kind(kind, body))

    async def apply(self, kind: Kind, body: FrozenJSON) -> JSON:
        """Server-side apply the object with our field manager."""
        return await self.connection.request(
            "PATCH",
            object_path(ref_of(kind, body)),
            query={"fieldManager": CLI_FIELD_MANAGER, "force": "true"},
            body=with_kind(kind, body),
            content_type=APPLY_PATCH,
        )

    async def patch(self, ref: Ref, body: FrozenJSON, subresource: str = "") -> JSON:
        """Merge-patch the object, or its subresource."""
        return await self.connection.request(
            "PATCH",
            object_path(ref, subresource),
            query={"fieldManager": CLI_FIELD_MANAGER},
            body=body,
            content_type=MERGE_PATCH,
        )

    async def delete(self, ref: Ref) -> None:
        """Delete the object. Raises `NotFound` when it is not there."""
        options = {"propagationPolicy": "Background"}
        await self.connection.request("DELETE", object_path(ref), body=options)

    async def watch(self, ref: Ref) -> AsyncGenerator[JSON | None]:
        """
        Yield the object as it is now (None when it is not there), then after each change.

        Goes on over ends of the watch, forgotten versions and bookmarks that do not come, for ever; the caller bounds
        the time. `Unavailable` is raised as soon as it happens: whether it is waited out,
        by calling again, is the caller's.
        """
        path = collection_path(ref.kind, ref.namespace)
        only = {"fieldSelector": f"metadata.name={ref.name}"}
        version = ""
        while True:
            try:
                if not version:
                    items, version = await self._pages(path, {**only, "limit": PAGE_SIZE})
                    yield items[0] if items else None
                async with aclosing(self._follow(path, only, version)) as events:
                    async for seen, obj in events:
                        version = seen
                        if obj is not _BOOKMARK:
                            yield obj
                await asyncio.sleep(_PAUSE_SECONDS)
            except (Expired, MalformedEvent):
                version = ""

    async def _follow(
        self, path: str, only: Mapping[str, str], version: str
    ) -> AsyncGenerator[tuple[str, JSON | None]]:
        query: dict[str, str | int] = {
            **only,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": WATCH_SECONDS,
        }
        async with self.connection.stream(
            path, query, longest_seconds=WATCH_SECONDS + 30, silent_seconds=SILENT_SECONDS
        ) as lines:
            async for line in lines:
                event, obj = parse_event(line)
                seen: JSON | None = None if event == "DELETED" else obj
                yield obj["metadata"]["resourceVersion"], _BOOKMARK if event == "BOOKMARK" else seen

    async def _pages(self, path: str, query: Mapping[str, str | int]) -> tuple[list[JSON], str]:
        items: list[JSON] = []
        more: dict[str, str | int] = {}
        while True:
            page = await self.connection.request("GET", path, query={**query, **more})
            metadata = page.get("metadata") or {}
            items += page.get("items") or []
            if not metadata.get("continue"):
                return items, str(metadata.get("resourceVersion", ""))
            more = {"continue": metadata["continue"]}


_BOOKMARK: JSON = {}
