"""When pods may go, and how many: checked at every write that makes a ReplicaSet smaller."""

from collections.abc import Mapping
from datetime import timedelta

from rollouts.core.world import under_way
from rollouts.model.kinds import ENDPOINT_SLICE, HASH_LABEL, POD, SERVICE, FrozenJSON
from rollouts.model.status import RolloutStatus
from tests.fakes.kubernetes import has_ended
from tests.simulation.attempt_invariants import Attempts
from tests.simulation.dataplane import NAMESPACE, selected
from tests.simulation.known_gaps import is_known_gap
from tests.simulation.snapshot import (
    Snapshot,
    Watched,
    is_by_replicas,
    is_called_past_us,
    wanted,
)

QUIET_SECONDS = 5.0
"""How long a revision has had no request before its pods go; all delays of the stories are as long."""
LEAST_SAMPLE = 20
"""With fewer requests nobody knows whether the canary has what its weight says."""
_LITTLE = 1e-9
SOON = timedelta(seconds=10)
"""So long after somebody else has had a Service select something else, that is not our doing."""
_ROUNDED = 0.01
"""Status keeps times in milliseconds."""


class Sizes:
    def __init__(self, story: Watched, attempts: Attempts) -> None:
        self.story, self._attempts = story, attempts

    def check(self, old: Snapshot, new: Snapshot) -> None:
        gone = [hash_ for hash_, size in old.sizes.items() if size and hash_ not in new.sizes]
        assert not any(gone), f"ReplicaSets with pods are deleted: {gone}"
        for hash_, size in new.sizes.items():
            if hash_ and size < old.sizes.get(hash_, size):
                self._may_shrink(old, new, hash_)
        self._new_pods_get_nothing_by_accident(old, new)

    def _new_pods_get_nothing_by_accident(self, old: Snapshot, new: Snapshot) -> None:
        """While the users' own Service selects every pod that answers, a canary gets none."""
        if (
            not under_way(old.status)
            or is_by_replicas(old.strategy)
            or old.stable in ("", old.current)
        ):
            return
        service = str(old.strategy.get("stableService") or old.strategy.get("activeService"))
        grows = new.sizes.get(old.current, 0) > old.sizes.get(old.current, 0)
        answers = old.behind(service)[old.stable] > 0
        assert not (grows and answers) or selected(self.story.caches, service), (
            f"Service {service} selects all pods, and {old.current} gets some"
        )

    def _may_shrink(self, old: Snapshot, new: Snapshot, hash_: str) -> None:
        """No pods go that served lately, and none that traffic may come back to."""
        status = old.status
        if not under_way(status) and status.stable_revision is None:
            return
        if is_by_replicas(old.strategy) or self._comes_to_pods(status):
            self._enough_are_left(old, new)
        elif hash_ == old.stable:
            self._stable_is_kept(old, new.sizes[hash_])
        elif not self._is_asked_for(old, new, hash_):
            self._is_quiet(old, hash_)

    def _comes_to_pods(self, status: RolloutStatus) -> bool:
        """Return whether the strategy that comes into force now is one whose pods are the weight."""
        strategy = self.story.rollout["spec"].get("strategy") or {}
        written: FrozenJSON = next((each for each in strategy.values() if each is not None), {})
        held = under_way(status) and bool(status.entered_steps)
        return is_known_gap("to pods") and is_by_replicas(written) and not held

    def _is_asked_for(self, old: Snapshot, new: Snapshot, hash_: str) -> bool:
        """Return whether a revision that has all the traffic is made as small as its autoscaler wants it."""
        active = hash_ == old.current and old.status.weights.applied == 100
        return active and new.sizes[hash_] >= wanted(self.story)

    def _is_quiet(self, old: Snapshot, hash_: str) -> None:
        served = self.story.users.served_at.get(hash_)
        if served is None or not self._has_pods(hash_):
            return
        unseen = SERVICE in self.story.caches.late or ENDPOINT_SLICE in self.story.caches.late
        if unseen and self.story.selected_at > self.story.users.clock.now() - SOON:
            return  # what somebody has just had a Service select can't be known yet
        if is_called_past_us(self.story, old, hash_):
            return
        if is_known_gap("unwritten clock") and served <= self.story.died_at:
            return
        quiet = (self.story.users.clock.now() - served).total_seconds()
        assert quiet >= _delay(old.strategy, self.story.rollout) - _ROUNDED, (
            f"pods of {hash_} go {quiet} s after they served"
        )

    def _has_pods(self, hash_: str) -> bool:
        """Return whether a revision has pods that can go: those that were evicted have ended by themselves."""
        pods = self.story.caches.select(POD, NAMESPACE, {HASH_LABEL: hash_})
        return any(not has_ended(pod) for pod in pods)

    def _stable_is_kept(self, old: Snapshot, size: int) -> None:
        """Until all others have gone stable is as large as it was, or as the traffic that it has."""
        floor = self._attempts.floor
        if not old.strategy.get("dynamicStableScale"):
            assert size >= floor, f"stable has {size} pods, and {floor} when the release began"
        elif under_way(old.status):
            total = max(floor, wanted(self.story))
            share = 1 - old.most(old.current)
            assert size >= share * total - _LITTLE, f"stable has {size} for {share:.0%} of {total}"
            seen = self.story.users.since(old.current, old.status.started_at).requests
            assert seen >= LEAST_SAMPLE or size >= total, (
                f"stable gives up pods, and {seen} requests were counted"
            )

    def _enough_are_left(self, old: Snapshot, new: Snapshot) -> None:
        """By replicas, available pods go only as fast as maxUnavailable lets them; others don't count, as in a Deployment."""
        if (
            old.strategy.get("maxUnavailable") is not None
            or old.strategy.get("maxSurge") is not None
        ):
            return
        total = wanted(self.story)
        left = sum(new.behind("checkout").values())
        ready = old.behind("checkout")
        before = sum(min(count, old.available.get(hash_, 0)) for hash_, count in ready.items())
        assert left >= min(before, total - total // 4), f"{left} of {total} pods are left to serve"


def _delay(strategy: FrozenJSON, rollout: FrozenJSON) -> float:
    """Return the shortest delay that is in force, or written now."""
    strategies = (rollout["spec"].get("strategy") or {}).values()
    delays = [
        each.get(field, QUIET_SECONDS)
        for each in (strategy, *strategies)
        for field in ("scaleDownDelaySeconds", "abortScaleDownDelaySeconds")
        if isinstance(each, Mapping)
    ]
    return min([QUIET_SECONDS, *(each for each in delays if isinstance(each, int | float))])
