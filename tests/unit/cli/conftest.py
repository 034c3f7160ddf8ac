"""A cluster of plain dicts behind the requests that verbs make, and `rollouts …` as a function."""

import asyncio
import copy
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from rollouts.backoff import Backoff
from rollouts.cli.main import run
from rollouts.cli.session import GlobalOptions
from rollouts.errors import Conflict, RolloutsError
from rollouts.kube.api_errors import api_error
from rollouts.model import merge_patch
from rollouts.model.kinds import JSON, FrozenJSON, Kind, Ref


@dataclass
class FakeRequests:
    """
    Objects by kind. `script` holds what a watch yields after the present state, one by one:
    a new object, None (deleted) or an error; after that the watch goes on without a change.
    """

    objects: dict[str, list[JSON]] = field(default_factory=dict)
    script: list[JSON | RolloutsError | None] = field(default_factory=list)
    patches: list[FrozenJSON] = field(default_factory=list)
    conflicts: int = 0
    on_patch: Callable[[JSON], object] | None = None
    broken: RolloutsError | None = None
    forbidden: tuple[str, ...] = ()
    """Kinds that may not be listed."""
    namespace: str = "shop"
    watches: int = 0

    def add(self, kind: str, *objects: JSON) -> None:
        self.objects.setdefault(kind, []).extend(copy.deepcopy(list(objects)))

    def find(self, ref: Ref) -> JSON | None:
        for obj in self.objects.get(ref.kind.name, []):
            metadata = obj["metadata"]
            if (metadata["namespace"], metadata["name"]) == (ref.namespace, ref.name):
                return obj
        return None

    async def get(self, ref: Ref) -> JSON:
        if self.broken:
            raise self.broken
        found = self.find(ref)
        if found is None:
            message = f'{ref.kind.plural}.{ref.kind.group} "{ref.name}" not found'
            raise api_error(404, {"message": message}, asked="GET /x")
        return copy.deepcopy(found)

    async def select(
        self, kind: Kind, namespace: str = "", labels: Mapping[str, str] | None = None
    ) -> list[JSON]:
        if self.broken:
            raise self.broken
        if kind.name in self.forbidden:
            raise api_error(403, {"message": f"{kind.plural} is forbidden"}, asked="GET /x")
        return [
            copy.deepcopy(obj)
            for obj in self.objects.get(kind.name, [])
            if namespace in ("", obj["metadata"]["namespace"])
            and (labels or {}).items() <= (obj["metadata"].get("labels") or {}).items()
        ]

    async def patch(self, ref: Ref, body: FrozenJSON, subresource: str = "") -> JSON:
        found = self.find(ref)
        if found is None:
            return await self.get(ref)
        version = found["metadata"].get("resourceVersion", "1")
        stale = (body.get("metadata") or {}).get("resourceVersion", version) != version
        if self.conflicts or stale:
            self.conflicts -= not stale
            raise Conflict("somebody wrote first")
        self.patches.append(body)
        merged = copy.deepcopy(merge_patch.merged(found, body))
        found.clear()
        found.update(merged)
        found["metadata"]["resourceVersion"] = str(int(version) + 1)
        found["metadata"]["generation"] += "spec" in body
        if self.on_patch:
            self.on_patch(found)
        return copy.deepcopy(found)

    async def delete(self, ref: Ref) -> None:
        found = self.find(ref)
        if found is None:
            await self.get(ref)
        elif found["metadata"].get("finalizers"):
            found["metadata"]["deletionTimestamp"] = "2026-03-01T12:00:00Z"
        else:
            self.objects[ref.kind.name].remove(found)

    async def watch(self, ref: Ref) -> AsyncGenerator[JSON | None]:
        self.watches += 1
        if self.broken:
            raise self.broken
        yield copy.deepcopy(self.find(ref))
        while self.script:
            item = self.script.pop(0)
            if isinstance(item, RolloutsError):
                raise item
            self.objects[ref.kind.name] = [item] if item else []
            yield copy.deepcopy(item)
        await asyncio.Event().wait()


@dataclass(frozen=True)
class Ran:
    """What one call did."""

    code: int
    out: str
    err: str


@pytest.fixture
def cluster() -> FakeRequests:
    return FakeRequests()


@pytest.fixture
def rollouts(
    cluster: FakeRequests, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ran]:
    """`rollouts("get", "checkout")` runs the command line against the fake cluster."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("rollouts.cli.watch_rollout.BACKOFF", Backoff(0.0, 0.0))

    @asynccontextmanager
    async def connect(_settings: GlobalOptions) -> AsyncIterator[FakeRequests]:
        yield cluster

    def call(*arguments: str, **_: Any) -> Ran:
        capsys.readouterr()
        code = run(_strings(arguments), GlobalOptions(connect=connect))
        printed = capsys.readouterr()
        return Ran(code, printed.out, printed.err)

    vars(call)["connect"] = connect
    return call


def _strings(arguments: Sequence[object]) -> list[str]:
    return [str(argument) for argument in arguments]
