"""A remark about a field, and how to read what nobody has validated."""

from dataclasses import dataclass
from typing import Literal

from rollouts.model.finding import Finding
from rollouts.model.kinds import JSON

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing to say about a field of a Rollout."""

    severity: Severity
    field: str
    reason: str


def trap(finding: Finding) -> Remark:
    """Return what is to be said about a trap: one that stops a release is an error."""
    severity: Severity = "error" if finding.is_blocking else "warning"
    return Remark(severity, finding.reason, finding.message)


def as_mapping(value: object) -> JSON:
    """Return what should be a map, as one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """Return what should be a list, as one."""
    return value if isinstance(value, list) else []
