"""Pod logs: files that the kubelet has registered, read out over HTTP."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.objects import get_path
from rollouts.sandbox.apiserver.requests import Call
from rollouts.sandbox.apiserver.store import Store

_POLL_SECONDS = 0.2
_CHUNK_BYTES = 64 * 1024


async def serve_log(call: Call, store: Store) -> web.StreamResponse:
    """
    Answer with a container's log: tailLines and follow are honoured.

    Raises:
        ApiError: 404, no such pod; 400, no such container, or it has no log yet.
    """
    target = call.target
    pod = store.stored(call.resource, target.namespace, target.name)
    containers = [container["name"] for container in get_path(pod, "spec.containers", [])]
    container = call.asks("container") or (containers[0] if containers else "")
    if container not in containers:
        raise ApiError(400, f"container {container} is not valid for pod {target.name}")
    path = store.logs.get((target.namespace, target.name, container))
    if path is None or not path.exists():
        raise ApiError(400, waiting_to_start(target.name, container))
    return await LogFile(path, lambda: _exists(store, call)).serve(call.request)


def _exists(store: Store, call: Call) -> bool:
    return store.get(call.resource.kind, call.target.namespace, call.target.name) is not None


def waiting_to_start(pod: str, container: str) -> str:
    """Return what is said of a container that has no output yet."""
    return f'container "{container}" in pod "{pod}" is waiting to start: ContainerCreating'


class LogFile:
    """A container's output at `path`, which may grow as long as `is_there` says so."""

    def __init__(self, path: Path, is_there: Callable[[], bool]) -> None:
        self._path = path
        self._is_there = is_there

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer with what there is; tailLines and follow are honoured."""
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        content, position = _tail(self._path, request.query.get("tailLines", ""))
        await response.write(content)
        while request.query.get("follow") in ("true", "1") and self._is_there():
            await asyncio.sleep(_POLL_SECONDS)
            position = await _send_from(response, self._path, position)
        await response.write_eof()
        return response


def _tail(path: Path, lines: str) -> tuple[bytes, int]:
    """Return the last lines (all, for ""), and how many bytes there are altogether."""
    content = path.read_bytes()
    if not lines.isdigit():
        return content, len(content)
    last = content.splitlines(keepends=True)[-int(lines) :] if int(lines) else []
    return b"".join(last), len(content)


async def _send_from(response: web.StreamResponse, path: Path, position: int) -> int:
    with path.open("rb") as log:
        log.seek(position)
        while chunk := log.read(_CHUNK_BYTES):
            await response.write(chunk)
            position += len(chunk)
    return position
