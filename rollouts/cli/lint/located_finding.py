"""A finding, and where it stands: in a file, or in the cluster."""

from collections.abc import Mapping
from dataclasses import dataclass

from rollouts.model.finding import Finding


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Both counted from 1."""

    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True)
class LocatedFinding:
    """
    One line of a lint report.

    One about the cluster has no position: its `place` is a Rollout, NAMESPACE/NAME.
    """

    place: str
    position: Position | None
    finding: Finding

    def __str__(self) -> str:
        found = self.finding
        if self.position is None:
            about, at = found.reason or found.field, self.place
        else:
            about = found.field or found.reason
            at = f"{self.place}:{self.position.line}:{self.position.column}"
        return ": ".join(filter(None, (at, found.severity, about, found.message)))

    def as_json(self) -> Mapping[str, object]:
        """Return it for programs; a line and a column of 0 where it stands in no file."""
        at = self.position or Position(0, 0)
        return {
            "file": self.place,
            "line": at.line,
            "column": at.column,
            "severity": self.finding.severity,
            "reason": self.finding.reason,
            "field": self.finding.field,
            "message": self.finding.message,
        }
