"""
What becomes of the revisions that were stable: which of them are remembered, and as what.

One that was gone back from keeps that mark until it has taken its steps.
"""

from rollouts.core.facts import good_revisions
from rollouts.core.world import UnderWay, evidence_is_waived, under_way
from rollouts.model.status import Revision, RolloutStatus


def after_promotion(status: RolloutStatus, release: UnderWay) -> tuple[Revision, list[Revision]]:
    """
    Return the revision that is stable from now on, and what was stable before it.

    What it replaces was gone back from when it was stable before that, and left in good
    standing, or was asked for by `rollback`.
    """
    old, new = release.stable, release.current
    pinned = status.pinned is not None and status.pinned.hash == new.hash
    unproven = evidence_is_waived(status) and _is_marked(status, new)
    left = as_rolled_back_from(old) if pinned or _is_good(status, new) else old
    return new.evolve(rolled_back_from=unproven), past_revisions(status, left, new)


def stable_revision_replaced(status: RolloutStatus) -> Revision | None:
    """
    Return the stable revision as it stands when a newer template comes.

    Where it was just being gone back from, it is no better for that.
    """
    release = under_way(status)
    if release is not None and _is_good(status, release.current):
        return as_rolled_back_from(release.stable)
    return status.stable_revision


def past_revisions(status: RolloutStatus, left: Revision, stable: Revision) -> list[Revision]:
    """Return what was stable before `stable`, with `left` as the latest."""
    others = [each for each in status.past_revisions if each.hash not in (left.hash, stable.hash)]
    return [left, *others][:20]


def as_rolled_back_from(revision: Revision) -> Revision:
    """Return the revision as one that was gone back from."""
    return revision.evolve(rolled_back_from=True)


def _is_good(status: RolloutStatus, revision: Revision) -> bool:
    return any(each.hash == revision.hash for each in good_revisions(status))


def _is_marked(status: RolloutStatus, revision: Revision) -> bool:
    return any(
        each.hash == revision.hash and each.rolled_back_from for each in status.past_revisions
    )
