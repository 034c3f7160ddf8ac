"""
A tiny scriptable API server, to commit the faults that a well-behaved one never would.

It knows objects by path, a resourceVersion, lists in pages, watches and merge patches, and
no rule of Kubernetes beyond that. Fidelity is the embedded API server's; this one can cut a
watch, forget history, send nonsense, or refuse.
"""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

from rollouts.model.kinds import JSON
from rollouts.model.merge_patch import merged

Fault = Callable[[web.Request], web.StreamResponse | None]


class FakeApiServer:
    def __init__(self) -> None:
        self.version = 100
        self.oldest = 0
        self.objects: dict[str, JSON] = {}
        self.requests: list[tuple[str, str]] = []
        self.queries: list[dict[str, str]] = []
        self.bodies: list[Any] = []
        self.served = {"/api/v1/pods", "/api/v1/services", "/api/v1/events"}
        self.faults: list[Fault] = []
        self.hushed = False
        """Whether watches that are open hear nothing more."""
        self.history: list[tuple[int, str, str, JSON]] = []
        self._watches: list[tuple[str, asyncio.Queue[bytes | None]]] = []
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = site.name if not site.name.endswith(":0") else self._address()

    def _address(self) -> str:
        assert self._runner is not None
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def stop(self) -> None:
        self.cut()
        if self._runner is not None:
            await self._runner.cleanup()

    def kubeconfig(self, directory: Path) -> Path:
        path = directory / "kubeconfig"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "clusters": [{"name": "test", "cluster": {"server": self.url}}],
            "users": [{"name": "test", "user": {"token": "first"}}],
        }
        path.write_text(yaml.safe_dump(config))
        return path

    # What a test does to it.

    def put(self, path: str, obj: JSON) -> JSON:
        """Store an object as somebody else would, and tell the watches."""
        self.version += 1
        event = "MODIFIED" if path in self.objects else "ADDED"
        *_, namespaces, namespace, _, name = path.split("/")
        metadata = {"uid": f"uid-{name}", **obj.get("metadata", {})}
        metadata |= {"name": name, "resourceVersion": str(self.version)}
        if namespaces == "namespaces":
            metadata["namespace"] = namespace
        stored = {**obj, "metadata": metadata}
        self.objects[path] = stored
        self._tell(event, path, stored)
        return stored

    def drop(self, path: str) -> None:
        self.version += 1
        obj = self.objects.pop(path)
        metadata = {**obj["metadata"], "resourceVersion": str(self.version)}
        self._tell("DELETED", path, {**obj, "metadata": metadata})

    def come_back(self, objects: dict[str, JSON], version: int) -> None:
        """Have what an older backup had; watches that are open hear nothing of it."""
        self.objects, self.version = dict(objects), version
        self.history.clear()

    def bookmark(self) -> None:
        self.version += 1
        mark = {"kind": "Pod", "metadata": {"resourceVersion": str(self.version)}}
        self.send(json.dumps({"type": "BOOKMARK", "object": mark}).encode() + b"\n")

    def send(self, raw: bytes) -> None:
        for _, queue in self._watches:
            queue.put_nowait(raw)

    def cut(self) -> None:
        """Break every watch, in the middle of a line."""
        self.send(b'{"type": "ADD')
        for _, queue in self._watches:
            queue.put_nowait(None)

    def forget_history(self) -> None:
        self.oldest = self.version
        self.history.clear()

    @property
    def watching(self) -> int:
        return len(self._watches)

    def count(self, method: str, path: str) -> int:
        return self.requests.count((method, path))

    def lists(self, path: str) -> int:
        """Return how often all objects were asked for, rather than one for the version."""
        asked = zip(self.requests, self.queries, strict=True)
        return sum(each == ("GET", path) and query["limit"] != "1" for each, query in asked)

    def _tell(self, event: str, path: str, obj: JSON) -> None:
        plural = path.rsplit("/", 2)[1]
        self.history.append((self.version, event, plural, obj))
        for watched, queue in self._watches:
            if watched == plural and not self.hushed:
                queue.put_nowait(json.dumps({"type": event, "object": obj}).encode() + b"\n")

    # What it answers.

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        method = "WATCH" if request.query.get("watch") else request.method
        self.requests.append((method, request.path))
        self.queries.append(dict(request.query))
        raw = await request.read()
        self.bodies.append(json.loads(raw) if raw else None)
        for fault in list(self.faults):
            if (answer := fault(request)) is not None:
                return answer
        handler = getattr(self, f"_{method.lower()}")
        result: web.StreamResponse = await handler(request)
        return result

    async def _get(self, request: web.Request) -> web.Response:
        if request.path in self.objects:
            return web.json_response(self.objects[request.path])
        if request.path not in self.served:
            return status(404, "the server could not find the requested resource")
        plural = request.path.rsplit("/", 1)[1]
        items = [obj for path, obj in sorted(self.objects.items()) if f"/{plural}/" in path]
        start = int(request.query.get("continue", 0))
        end = start + int(request.query.get("limit", 500))
        metadata: JSON = {"resourceVersion": str(self.version)}
        if end < len(items):
            metadata["continue"] = str(end)
        return web.json_response({"metadata": metadata, "items": items[start:end]})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        since = int(request.query["resourceVersion"])
        if since < self.oldest:
            return status(410, "too old resource version")
        response = web.StreamResponse()
        await response.prepare(request)
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        watched = request.path.rsplit("/", 1)[1]
        for version, event, plural, obj in self.history:
            if version > since and plural == watched:
                queue.put_nowait(json.dumps({"type": event, "object": obj}).encode() + b"\n")
        self._watches.append((watched, queue))
        try:
            with suppress(ConnectionError):
                while (line := await queue.get()) is not None:
                    await response.write(line)
        finally:
            self._watches.remove((watched, queue))
        if request.transport is not None:
            request.transport.close()
        return response

    async def _post(self, request: web.Request) -> web.Response:
        body = self.bodies[-1]
        path = f"{request.path}/{body['metadata']['name']}"
        if path in self.objects:
            return status(409, "already exists")
        return web.json_response(self.put(path, body), status=201)

    async def _patch(self, request: web.Request) -> web.Response:
        body = self.bodies[-1]
        path = request.path.removesuffix("/status").removesuffix("/scale")
        current = self.objects.get(path, {})
        if not current and request.content_type != "application/apply-patch+yaml":
            return status(404, "not found")
        version = body.get("metadata", {}).pop("resourceVersion", None)
        if version not in {None, current["metadata"]["resourceVersion"] if current else None}:
            return status(409, "the object has been modified")
        return web.json_response(self.put(path, merged(current, body)))

    async def _delete(self, request: web.Request) -> web.Response:
        if request.path not in self.objects:
            return status(404, "not found")
        self.drop(request.path)
        return web.json_response({"kind": "Status", "status": "Success"})


def status(code: int, message: str, **details: Any) -> web.Response:
    body = {"kind": "Status", "status": "Failure", "code": code, "message": message}
    return web.json_response({**body, "details": details}, status=code)
