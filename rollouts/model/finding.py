"""What is wrong, or worth knowing, around a Rollout: one word for lint, preflight and the routers."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing that was found: how bad it is, a condition's reason, and a sentence with the way out.

    An error is in the way of a release: no weight is raised over it. A warning is only reported.
    """

    severity: Severity
    reason: str
    message: str

    @property
    def is_blocking(self) -> bool:
        """Return whether no weight may be raised over it."""
        return self.severity == "error"
