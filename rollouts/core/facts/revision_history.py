"""
Which revisions were stable before, and which of them were gone back from.

One that was gone back from is known to have been bad, or not wanted: it takes its steps again,
however lately it was stable. Its mark goes with it until it has taken them.
"""

from rollouts.core.world import UnderWay, World, stage_of, waived
from rollouts.model.status import Revision, RolloutStatus


def good_revisions(status: RolloutStatus) -> list[Revision]:
    """Return the revisions that were stable before and were left for something newer, the latest first."""
    return [each for each in status.past_revisions if not each.rolled_back_from]


def after_promotion(status: RolloutStatus, release: UnderWay) -> tuple[Revision, list[Revision]]:
    """
    Return the revision that is stable from now on, and what was stable before it.

    What it replaces was gone back from when it was stable before that, and left in good
    standing, or was asked for by `rollback`.
    """
    old, new = release.stable, release.current
    pinned = status.pinned is not None and status.pinned.hash == new.hash
    unproven = waived(status) and _is_marked(status, new)
    left = as_gone_back_from(old) if pinned or _is_good(status, new) else old
    return new.evolve(rolled_back_from=unproven), past_revisions(status, left, new)


def stable_revision_replaced(status: RolloutStatus) -> Revision | None:
    """
    Return the stable revision as it stands when a newer template comes.

    Where it was just being gone back from, it is no better for that.
    """
    stage = stage_of(status)
    if isinstance(stage, UnderWay) and _is_good(status, stage.current):
        return as_gone_back_from(stage.stable)
    return status.stable_revision


def past_revisions(status: RolloutStatus, left: Revision, stable: Revision) -> list[Revision]:
    """Return what was stable before `stable`, with `left` as the latest."""
    others = [each for each in status.past_revisions if each.hash not in (left.hash, stable.hash)]
    return [left, *others][:20]


def as_gone_back_from(revision: Revision) -> Revision:
    """Return the revision as one that was gone back from."""
    return revision.evolve(rolled_back_from=True)


def _is_good(status: RolloutStatus, revision: Revision) -> bool:
    return any(each.hash == revision.hash for each in good_revisions(status))


def _is_marked(status: RolloutStatus, revision: Revision) -> bool:
    return any(
        each.hash == revision.hash and each.rolled_back_from for each in status.past_revisions
    )


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
