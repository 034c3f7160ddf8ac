"""What is wrong, or worth knowing, around a Rollout: one word for lint, preflight and the routers."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from rollouts.model.kinds import Kind, Ref

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing that was found: how bad it is, a condition's reason, and a sentence with the way out.

    An error is in the way of a release: no weight is raised over it. A warning is only reported.
    """

    severity: Severity
    reason: str
    """As docs/conditions.md explains it; empty for what is wrong in a spec by itself."""
    message: str
    field: str = ""
    """Which field of the Rollout it is about, such as spec.replicas; empty where it is about none."""
    absent: Ref | None = None
    """The object that does not exist, where that is what was found."""
    needs: tuple[Kind, ...] = ()
    """It only holds where every object of these kinds has been seen; so does one of an absent object."""

    @property
    def is_blocking(self) -> bool:
        """Return whether no weight may be raised over it."""
        return self.severity == "error"

    @property
    def rests_on(self) -> tuple[Kind, ...]:
        """The kinds of which it says that there is no other object than those that were seen."""
        return self.needs if self.absent is None else (*self.needs, self.absent.kind)


def about_field(field: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield the findings as being about `field`, unless they name a field themselves."""
    return (each if each.field else replace(each, field=field) for each in findings)
