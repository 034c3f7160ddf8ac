"""The log of every request, for tests that count writes and people who wonder who did it."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """
    One answered request; a watch is written down when it begins.

    `name` of a creation is the name that the object got.
    """

    at: datetime
    user: str
    user_agent: str
    verb: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    status: int


class AuditLog(list[AuditEntry]):
    """All entries so far; `heard` is told of each before its answer is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: Callable[[AuditEntry], None] = lambda _: None

    def append(self, entry: AuditEntry) -> None:
        super().append(entry)
        self.heard(entry)


def as_lines(entries: list[AuditEntry]) -> str:
    """Return the entries as JSON lines."""
    return "".join(
        json.dumps(asdict(entry) | {"at": entry.at.isoformat()}) + "\n" for entry in entries
    )
