"""The stage of a release: which revisions there are, and what surely exists in each of its stages."""

from datetime import datetime

from rollouts.core.world.world import World
from rollouts.model.status import RolloutStatus


def has_just_left(status: RolloutStatus) -> bool:
    """Return whether a revision before the current one was reached until now."""
    named = {each.hash for each in (status.stable_revision, status.current_revision) if each}
    return any(each.at is None and each.hash not in named for each in status.retiring)


def under_way(status: RolloutStatus) -> bool:
    """Return whether a new revision is on its way: there is a stable one, it is another, and nobody stopped it."""
    stable, current = status.stable_revision, status.current_revision
    return (
        stable is not None
        and current is not None
        and stable.hash != current.hash
        and status.abort is None
    )


def attempt(status: RolloutStatus) -> tuple[datetime | None, str]:
    """Return what tells one attempt at a revision from every other."""
    current = status.current_revision
    return status.started_at, current.hash if current is not None else ""


def waived(status: RolloutStatus) -> bool:
    """Return whether a person takes the promotion upon themselves: evidence may then be missing, not bad."""
    return status.promoted == "Full"


def is_warm(world: World, status: RolloutStatus) -> bool:
    """Return whether the revision that was switched away from is still there, in full, to go back to."""
    previous = world.replica_set(status.previous_revision)
    if previous is None or under_way(status) or status.abort is not None:
        return False
    kept = any(
        entry.hash == previous.hash and (entry.at is None or entry.at > world.now)
        for entry in status.retiring
    )
    return kept and previous.ready > 0
