"""What must never happen in one attempt at a revision, from its first status to the next one's."""

from rollouts.core.world import under_way
from rollouts.model.status import RolloutStatus
from tests.simulation.snapshot import (
    Watched,
    enough,
    hash_of,
    strategy_of,
    take_snapshot,
    verb_of,
    wanted,
)


class Attempts:
    """Is shown every status that is written; `floor` is what stable had when the attempt began."""

    def __init__(self, story: Watched) -> None:
        self.story = story
        self.floor = 0
        self._began: object = None
        self._steps: tuple[object, int] = (None, 0)
        self._stable = self._uid = self._promoted = ""
        self._applied = 0

    def check(self, status: RolloutStatus) -> None:
        self._forgets_a_rollout_that_is_gone()
        self._steps_go_forward(status)
        self._a_weight_is_served(status)
        self._a_promotion_is_earned(status)
        self._begins(status)
        self._promoted = status.promoted

    def _forgets_a_rollout_that_is_gone(self) -> None:
        """One that comes from a backup finds what is stable, and promotes nothing by that."""
        uid = str(self.story.rollout["metadata"]["uid"])
        if uid != self._uid:
            self._uid, self._stable, self.floor = uid, "", 0

    def _begins(self, status: RolloutStatus) -> None:
        """Remember how large stable is when a release begins, and until all others have gone."""
        if not (under_way(status) or status.retiring):
            self.floor = 0
        if under_way(status) and self._began != status.started_at:
            self._began = status.started_at
            sizes = take_snapshot(self.story).sizes
            self.floor = max(self.floor, sizes.get(hash_of(status.stable_revision), 0))

    def _steps_go_forward(self, status: RolloutStatus) -> None:
        """Within an attempt, and as long as the steps are the same, they are gone through once."""
        index = status.current_step_index
        if index is None or not under_way(status):
            return
        attempt = (status.started_at, hash_of(status.current_revision), repr(strategy_of(status)))
        if attempt == self._steps[0]:
            assert index >= self._steps[1], f"step {self._steps[1]} is followed by {index}"
        self._steps = (attempt, index)

    def _a_weight_is_served(self, status: RolloutStatus) -> None:
        """What is told to be applied is what every data plane does by now."""
        before, self._applied = self._applied, status.weights.applied
        if self._applied <= before or not strategy_of(status).get("trafficRouting"):
            return
        if not self.story.caches.late and under_way(status):
            least = min(self.story.routed(), default=100.0)
            assert least >= self._applied, f"{self._applied} % are told, and {least} % are routed"

    def _a_promotion_is_earned(self, status: RolloutStatus) -> None:
        """What becomes stable has as many pods as stable had, or as are called enough, and is not known to be bad."""
        before, self._stable = self._stable, hash_of(status.stable_revision)
        if not before or self._stable in ("", before):
            return
        assert self.story.is_pardoned(self._stable), f"{self._stable} is bad, and stable"
        by_hand = self._promoted == "Full" or verb_of(self.story.rollout) in (
            "promote-full",
            "rollback",
        )
        if status.abort is None and not by_hand:
            ready = max(
                each.get(self._stable, 0) for each in take_snapshot(self.story).ready.values()
            )
            needed = enough(strategy_of(status), min(self.floor, wanted(self.story)))
            assert ready >= needed, f"{self._stable} has {ready} of {needed} pods, and is stable"
