"""The Deployment of a workloadRef as a decision sees it, and what may be asked of it."""

from dataclasses import dataclass

REVERT = "rollouts.dev/revert"
"""The finalizer of a Rollout with `revertOnDeletion`: ours, for as long as the spec says so."""
DETACH = "rollouts.dev/detach"
"""The finalizer that `rollouts detach` sets before it deletes."""
FINALIZERS = (REVERT, DETACH)


@dataclass(frozen=True, slots=True)
class Workload:
    """The Deployment that keeps the template, and whose pods are replaced by ours."""

    name: str
    uid: str = ""
    """Empty: it does not exist."""
    replicas: int = 0
    """spec.replicas."""
    generation: int = 0
    existing: int = 0
    """Its pods, whatever their template."""
    available: int = 0
    """Its available pods of the present template; 0 until its controller has seen that."""
    trouble: str = ""
    """What its own conditions, or a pause, say is in the way of its pods; or empty."""

    @property
    def exists(self) -> bool:
        return bool(self.uid)

    @property
    def serves(self) -> bool:
        """All pods that it wants are available and of its present template."""
        return self.available >= self.replicas and self.existing <= self.replicas


@dataclass(frozen=True, slots=True)
class ScaleWorkload:
    """Set how many pods the Deployment has."""

    replicas: int


@dataclass(frozen=True, slots=True)
class RestoreWorkload:
    """Give the Deployment its pods again, in one write with the template, which is this revision's."""

    replicas: int
    hash: str = ""
    """Empty: its template stays what it is."""


@dataclass(frozen=True, slots=True)
class SetFinalizers:
    """Have the Rollout these finalizers of ours; those of others are left alone."""

    names: tuple[str, ...]
