"""
The stage of a release: which revisions there are, and what surely exists in each of its stages.

A stage is not `status.phase`, which tells people how it goes: a release that is under way may be
Progressing, Paused or Degraded.
"""

from dataclasses import dataclass
from datetime import datetime

from rollouts.core.world.world import World
from rollouts.model.status import Abort, Revision, RolloutStatus


@dataclass(frozen=True, slots=True)
class NotBegun:
    """No revision has begun: the Rollout is new here, or its status was lost."""


@dataclass(frozen=True, slots=True)
class FirstDeploy:
    """A first revision is on its way, and there is no stable one whose traffic has to be protected."""

    current: Revision


@dataclass(frozen=True, slots=True)
class Settled:
    """No release is under way: the stable revision is the current one."""

    stable: Revision


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A new revision is on its way to replace the stable one, and nobody has stopped it."""

    stable: Revision
    current: Revision


@dataclass(frozen=True, slots=True)
class Aborted:
    """The current revision was stopped; the stable one has the traffic, or gets it back."""

    stable: Revision
    current: Revision
    abort: Abort


Stage = NotBegun | FirstDeploy | Settled | UnderWay | Aborted


@dataclass(frozen=True, slots=True)
class KeptWarm:
    """`Settled`, and the revision that was switched away from is still there, in full, to go back to."""

    stable: Revision
    previous: Revision


def under_way(status: RolloutStatus) -> UnderWay | None:
    """Return the release that is under way; None when none is."""
    stable, current = status.stable_revision, status.current_revision
    if stable is None or current is None or status.abort is not None:
        return None
    return UnderWay(stable, current) if stable.hash != current.hash else None


def stage_of(status: RolloutStatus) -> Stage:
    """Return the stage that a status is in."""
    release, stable, current = under_way(status), status.stable_revision, status.current_revision
    if release is not None:
        return release
    if stable is None:
        return NotBegun() if current is None else FirstDeploy(current)
    if current is None or status.abort is None or stable.hash == current.hash:
        return Settled(stable)
    return Aborted(stable, current, status.abort)


def has_stable(status: RolloutStatus) -> bool:
    """Return whether a revision has been stable already, so that there is traffic to protect."""
    return not isinstance(stage_of(status), NotBegun | FirstDeploy)


NO_ROLLOUT = "no rollout is under way"
"""The answer to a command that needs one."""


def kept_warm(world: World, status: RolloutStatus) -> KeptWarm | None:
    """Return the revision that can be gone back to at once, and the one that is stable; or None."""
    stage, previous = stage_of(status), status.previous_revision
    found = world.replica_set(previous)
    if previous is None or found is None or found.ready == 0 or not isinstance(stage, Settled):
        return None
    kept = any(
        entry.hash == previous.hash and (entry.at is None or entry.at > world.now)
        for entry in status.retiring
    )
    return KeptWarm(stage.stable, previous) if kept else None


def is_warm(world: World, status: RolloutStatus) -> bool:
    """Return whether the revision that was switched away from can be gone back to at once."""
    return kept_warm(world, status) is not None


def has_just_left(status: RolloutStatus) -> bool:
    """Return whether a revision before the current one was reached until now."""
    named = {each.hash for each in (status.stable_revision, status.current_revision) if each}
    return any(each.at is None and each.hash not in named for each in status.retiring)


def attempt(status: RolloutStatus) -> tuple[datetime | None, str]:
    """Return what tells one attempt at a revision from every other."""
    current = status.current_revision
    return status.started_at, current.hash if current is not None else ""


def evidence_is_waived(status: RolloutStatus) -> bool:
    """Return whether a person takes the promotion upon themselves: evidence may then be missing, not bad."""
    return status.promoted == "Full"
