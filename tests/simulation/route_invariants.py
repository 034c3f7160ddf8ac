"""Who gets users' requests when routes change: forward and back only who can bear them, and traffic before status."""

from collections.abc import Iterator
from datetime import timedelta
from math import ceil

from rollouts.core.world import under_way
from rollouts.model.kinds import HASH_LABEL, POD, SERVICE, FrozenJSON
from rollouts.model.status import RolloutStatus
from rollouts.ports import Write
from rollouts.traffic.routers import written_kinds
from tests.simulation.cluster import written
from tests.simulation.dataplane import BESIDE, LOST, NAMESPACE, entry_points, selected
from tests.simulation.snapshot import (
    Snapshot,
    Watched,
    enough,
    hash_of,
    is_by_replicas,
    strategy_of,
    take_snapshot,
    verb_of,
    wanted,
)

_LITTLE = 1e-9
_ROUTES = tuple(written_kinds())


class Routes:
    """Is shown every write that moves requests, and every status."""

    def __init__(self, story: Watched) -> None:
        self.story = story
        self._before = RolloutStatus()

    def check(self, write: Write, old: Snapshot, new: Snapshot) -> None:
        ref = written(write)
        if ref is not None and ref.kind == SERVICE:
            self._a_switch_back_is_to_enough(ref.name, old, new)
        if ref is None or ref.kind not in _ROUTES:
            return
        self._what_is_promoted_keeps_its_traffic(old, new)
        self._a_rise_is_borne(old, new)
        self._stable_can_bear_it(old, new)

    def told(self, status: RolloutStatus) -> None:
        """Look at a status that was written."""
        before, self._before = self._before, status
        left = hash_of(before.current_revision)
        if under_way(before) and left != hash_of(before.stable_revision):
            stopped = before.abort is None and status.abort is not None
            if stopped or left != hash_of(status.current_revision):
                self._traffic_goes_first(status, left)

    def _traffic_goes_first(self, status: RolloutStatus, left: str) -> None:
        """When status says that a release is over, no object sends users to it any more."""
        caches, stable = self.story.caches, hash_of(status.stable_revision)
        if caches.refusals or caches.late or left == stable:
            return
        snapshot, strategy = take_snapshot(self.story), strategy_of(status)
        standing = max((each.get(stable, 0) for each in snapshot.ready.values()), default=0)
        if not standing or strategy.get("dynamicStableScale") or is_by_replicas(strategy):
            return  # what stable can't bear follows
        if "activeService" in strategy and standing < max(wanted(self.story), status.stable_floor):
            return
        found = list(self._led_to(left))
        assert not found, f"{left} is left by what status says, and gets requests of {found[0]}"

    def _led_to(self, hash_: str) -> Iterator[str]:
        """Yield the entries that lead to a revision by what objects say."""
        caches = self.story.caches
        for entry, services in entry_points(caches).backends.items():
            if entry not in BESIDE and any(selected(caches, each) == hash_ for each in services):
                yield entry

    def _a_rise_is_borne(self, old: Snapshot, new: Snapshot) -> None:
        """A weight rises onto as many pods as it needs, and leaves the rest to stable alone."""
        service, status = str(old.strategy.get("stableService")), old.status
        weight = new.away(service)
        before = max(old.away(service), status.weights.applied / 100)
        answers = any(each.get(old.stable) for each in old.ready.values())
        if not under_way(status) or weight <= before + _LITTLE or not answers:
            return
        assert selected(self.story.caches, service) == old.stable, (
            f"the weight rises while Service {service} does not lead to stable alone"
        )
        if status.canary_scale is not None:
            return
        share = ceil(max(wanted(self.story), status.stable_floor) * weight - _LITTLE)
        needed = enough(old.strategy, share)
        ready = max(each.get(old.current, 0) for each in new.ready.values())
        assert ready >= needed, f"{weight:.0%} go to {ready} of {needed} pods"

    def _what_is_promoted_keeps_its_traffic(self, old: Snapshot, new: Snapshot) -> None:
        """The routes of a promoted revision go when its users' own Service leads to it."""
        if under_way(old.status) or not old.stable or old.stable != old.current:
            return
        if self.story.caches.refusals:
            return  # that Service can't be bound, and what has been meddled with is put back
        for before, after in ((old.now, new.now), (old.soon, new.soon)):
            for entry, shares in after.items():
                was = before.get(entry, {}).get(old.stable, 0.0)
                now = shares.get(old.stable, 0.0)
                assert entry in BESIDE or now >= was - _LITTLE, (
                    f"{old.stable} is promoted, and has {now:.0%} of {entry}, before {was:.0%}"
                )

    def _stable_can_bear_it(self, old: Snapshot, new: Snapshot) -> None:
        """With dynamicStableScale as much traffic comes back as stable has pods for, and no more."""
        status = old.status
        if not old.strategy.get("dynamicStableScale") or old.stable in ("", old.current):
            return
        forced = status.abort is not None and status.abort.by != "rollouts"
        if forced or verb_of(self.story.rollout) in ("abort", "rollback"):
            return
        total = max(wanted(self.story), status.stable_floor)
        for entry, shares in new.soon.items():
            was, now = (each.get(old.stable, 0.0) for each in (old.soon.get(entry, {}), shares))
            others = old.soon.get(entry, {}).keys() - {"", LOST, old.stable}
            if entry not in BESIDE and now > was + _LITTLE and others:
                able = old.available.get(old.stable, 0) + self._broken(old.stable)
                assert now * total <= able + 1, f"stable gets {now:.0%} with {able} of {total} pods"

    def _a_switch_back_is_to_enough(self, service: str, old: Snapshot, new: Snapshot) -> None:
        """Blue-green's active Service goes back to as many pods as a restart leaves, unless they do not come."""
        status, before = old.status, old.behind(service)
        left = sum(count for hash_, count in before.items() if hash_ not in ("", old.stable))
        if service != old.strategy.get("activeService") or before[old.stable] or not left:
            return
        ready = new.behind(service)[old.stable]
        if not ready or self._is_late(status):
            return
        size = max(wanted(self.story), status.stable_floor)
        able = ready + self._broken(old.stable)
        assert able >= max(1, size - size // 4), f"{service} goes back to {ready} of {size} pods"

    def _is_late(self, status: RolloutStatus) -> bool:
        """Return whether it is forced, or somebody else's doing, or has been waited for."""
        forced = status.abort is not None and status.abort.by != "rollouts"
        if forced or verb_of(self.story.rollout) in ("abort", "rollback"):
            return True
        deadline = self.story.rollout["spec"].get("progressDeadlineSeconds", 600)
        since = timedelta(seconds=deadline if isinstance(deadline, int) else 0)
        now = self.story.users.clock.now()
        began = status.started_at if under_way(status) and status.started_at else now
        if status.abort is not None:
            began = status.abort.at
        return now >= began + since or now < self.story.selected_at + since

    def _broken(self, hash_: str) -> int:
        """Return how many pods of a revision do not only start."""
        pods = self.story.caches.select(POD, NAMESPACE, {HASH_LABEL: hash_})
        return sum(_waits(pod) for pod in pods)


def _waits(pod: FrozenJSON) -> bool:
    containers = pod["status"].get("containerStatuses") or ()
    return any("waiting" in each["state"] for each in containers)
