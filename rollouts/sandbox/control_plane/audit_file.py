"""A real API server's audit log, read as the entries that the sandbox's own server writes."""

import json
from collections.abc import Iterator
from pathlib import Path

from rollouts.model.kinds import FrozenJSON
from rollouts.model.moments import read_time
from rollouts.sandbox.apiserver.audit import AuditEntry, AuditLog


class AuditFile:
    """The log at `path`; `read` puts what has come since the last time into `log`, and returns that."""

    def __init__(self, path: Path, log: AuditLog | None = None) -> None:
        self.log = AuditLog() if log is None else log
        self._path = path
        self._position = 0

    def read(self) -> AuditLog:
        if not self._path.exists():
            return self.log
        with self._path.open("rb") as file:
            file.seek(self._position)
            for line in file:
                if not line.endswith(b"\n"):
                    break  # it is being written
                self._position += len(line)
                for entry in _entries(json.loads(line)):
                    self.log.append(entry)
        return self.log


def _entries(event: FrozenJSON) -> Iterator[AuditEntry]:
    """Yield the entry of a request that was answered; of a watch, that which begins it."""
    if event["stage"] != ("ResponseStarted" if event["verb"] == "watch" else "ResponseComplete"):
        return
    about = event.get("objectRef") or {}
    yield AuditEntry(
        at=read_time(event["requestReceivedTimestamp"]),
        user=event["user"].get("username", ""),
        user_agent=event.get("userAgent", ""),
        verb=event["verb"],
        group=about.get("apiGroup", ""),
        resource=about.get("resource", ""),
        subresource=about.get("subresource", ""),
        namespace=about.get("namespace", ""),
        name=about.get("name", ""),
        status=(event.get("responseStatus") or {}).get("code", 0),
    )
