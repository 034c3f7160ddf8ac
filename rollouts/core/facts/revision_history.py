"""
Which revisions were stable before, and which of them were gone back from.

One that was gone back from is known to have been bad, or not wanted: it takes its steps again,
however lately it was stable. Its mark goes with it until it has taken them.
"""

from rollouts.core.world import World
from rollouts.model.status import Revision, RolloutStatus


def good_revisions(status: RolloutStatus) -> list[Revision]:
    """Return the revisions that were stable before and were left for something newer, the latest first."""
    return [each for each in status.past_revisions if not each.rolled_back_from]


def is_known_good(world: World, status: RolloutStatus, hash_: str) -> bool:
    """
    Return whether rollbackWindow lets a revision skip the steps.

    It was stable lately, and was not left because it was gone back from.
    """
    if status.pinned is not None:
        return True
    window = world.spec.rollback_window
    if window is None or hash_ not in world.observed.replica_sets:
        return False
    return hash_ in [each.hash for each in good_revisions(status)[: window.revisions]]
