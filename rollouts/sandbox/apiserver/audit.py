"""The log of every request, for tests that count writes and people who wonder who did it."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime


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


def as_lines(entries: list[AuditEntry]) -> str:
    """Return the entries as JSON lines."""
    return "".join(
        json.dumps(asdict(entry) | {"at": entry.at.isoformat()}) + "\n" for entry in entries
    )
