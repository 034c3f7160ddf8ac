"""Who owns which field of an object: metadata.managedFields."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rollouts.model.kinds import JSON, FrozenJSON
from rollouts.sandbox.apiserver.fieldsets import Path, fields_of, fields_v1, paths_of
from rollouts.sandbox.apiserver.objects import metadata, timestamp
from rollouts.sandbox.apiserver.registry import Resource
from rollouts.sandbox.apiserver.shapes import shape_of

UPDATE, APPLY = "Update", "Apply"


@dataclass(frozen=True, slots=True)
class Writer:
    """
    Who writes, and how.

    `applied` says that the body's managedFields are final: server-side apply computed them.
    `warnings` is where to put what they should know and are not refused for.
    """

    manager: str
    subresource: str = ""
    dry_run: bool = False
    applied: bool = False
    warnings: list[str] | None = field(default=None, compare=False)


@dataclass(slots=True)
class Share:
    """What one manager owns by one kind of write."""

    manager: str
    operation: str
    api_version: str
    subresource: str = ""
    time: str = ""
    paths: set[Path] = field(default_factory=set)

    def same_source(self, other: "Share") -> bool:
        version = self.operation == APPLY or self.api_version == other.api_version
        return version and (self.manager, self.operation, self.subresource) == (
            other.manager,
            other.operation,
            other.subresource,
        )

    def as_json(self) -> JSON:
        entry: JSON = {
            "manager": self.manager,
            "operation": self.operation,
            "apiVersion": self.api_version,
            "time": self.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": fields_v1(self.paths),
        }
        return entry | ({"subresource": self.subresource} if self.subresource else {})


def shares_of(obj: FrozenJSON) -> list[Share]:
    """Return an object's managedFields, parsed."""
    return [
        Share(
            entry.get("manager", ""),
            entry.get("operation", UPDATE),
            entry.get("apiVersion", ""),
            entry.get("subresource", ""),
            entry.get("time") or "",
            paths_of(entry.get("fieldsV1") or {}),
        )
        for entry in metadata(obj).get("managedFields") or ()
        if entry
    ]


def write_shares(obj: JSON, shares: list[Share]) -> None:
    """Put what managers own into an object; who owns nothing is not listed."""
    listed = [share.as_json() for share in shares if share.paths]
    if listed:
        obj["metadata"]["managedFields"] = listed
    else:
        obj["metadata"].pop("managedFields", None)


def owned_fields(resource: Resource, obj: FrozenJSON, subresource: str) -> dict[Path, Any]:
    """Return the fields that a write to the object, or its status, can come to own."""
    shape = shape_of(resource)
    if subresource == "status":
        without = [key for key in obj if key != "status"]
    else:
        without = ["status"] if resource.status else []
    return fields_of(obj, shape, without)


class Ownership:
    """Keeps managedFields true on every write that is no server-side apply."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    def record(
        self, resource: Resource, obj: JSON, current: FrozenJSON | None, writer: Writer
    ) -> None:
        """Complete `obj`'s managedFields with what `writer` changes of `current`."""
        if writer.applied:
            return
        old = owned_fields(resource, current, writer.subresource) if current else {}
        new = owned_fields(resource, obj, writer.subresource)
        changed = {path for path, value in new.items() if path not in old or old[path] != value}
        removed = old.keys() - new.keys()
        mine = Share(
            writer.manager,
            UPDATE,
            resource.kind.api_version,
            writer.subresource,
        )
        shares = shares_of(obj)
        own = next((share for share in shares if share.same_source(mine)), None)
        if own is None:
            own = mine
            shares.append(own)
        for share in shares:
            share.paths -= removed if share is own else removed | changed
        if changed:
            own.paths |= changed
            own.time = timestamp(self._now())
        write_shares(obj, shares)
