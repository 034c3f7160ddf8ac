"""The other ways that traffic goes, and what must never happen on them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rollouts.core.replicas import split_of, stable_replicas
from rollouts.core.world import under_way
from rollouts.model.route import Route, Split
from tests.simulation.simulator import START, SimReplicaSet, Simulation


class BlueGreen(Simulation):
    """The active Service has all the traffic; the preview Service has none of the users'."""

    def shares(self) -> dict[str, float]:
        active = self.services["app"]
        found = [active] if active else list(self.replica_sets)
        return {hash_: 1 / len(found) for hash_ in found if hash_ in self.replica_sets}

    def _route(self) -> Route:
        return Route()

    def _check_selects(self, name: str, hash_: str) -> None:
        super()._check_selects(name, hash_)
        before = self.services.get(name, "")
        if name != "app" or before in ("", hash_):
            return
        current, stable = self.status.current_revision, self.status.stable_revision
        assert current is not None
        assert stable is not None
        ready = sum(pod.ready(self.now) for pod in self.replica_sets[hash_].pods)
        if hash_ == current.hash != stable.hash:
            assert ready >= self.status.stable_floor, "the switch is made to fewer pods than before"
            assert self.status.abort is None, "a switch after a rollback"

    def _check_may_go(self, replica_set: SimReplicaSet, count: int) -> None:
        if self.services["app"] == replica_set.hash:
            assert count >= self.raw_spec["replicas"], "the active revision shrinks"
            return
        super()._check_may_go(replica_set, count)


class ByReplicas(Simulation):
    """A Service selects the pods of every revision: their share is the weight."""

    def __init__(self, spec: Mapping[str, Any], seed: int) -> None:
        super().__init__(spec, seed)
        self.services = {}

    def shares(self) -> dict[str, float]:
        ready = {
            hash_: sum(pod.ready(self.now) for pod in found.pods)
            for hash_, found in self.replica_sets.items()
        }
        total = sum(ready.values())
        return {hash_: count / total for hash_, count in ready.items() if count}

    def share_of_current(self) -> float:
        """Return the share of the pods that are ready that the current revision has, in percent."""
        current = self.status.current_revision
        return 100 * self.shares().get(current.hash, 0.0) if current is not None else 0.0

    def _route(self) -> Route:
        return Route()

    def _check_may_go(self, replica_set: SimReplicaSet, count: int) -> None:
        going = replica_set.pods[count:]
        if not any(pod.ready(self.now) for pod in going) or self.status.stable_revision is None:
            return
        left = sum(
            pod.ready(self.now)
            for found in self.replica_sets.values()
            for pod in (found.pods[:count] if found is replica_set else found.pods)
        )
        total = self.raw_spec["replicas"]
        assert left >= total - total // 4, f"only {left} of {total} pods are left to serve"


class Dynamic(Simulation):
    """Stable makes room for the canary, and never has more traffic than pods for it."""

    def tick(self, seconds: float) -> None:
        super().tick(seconds)
        status, stable = self.status, self.status.stable_revision
        if stable is None or not under_way(status):
            return
        found = self.replica_sets[stable.hash]
        ready = sum(pod.ready(self.now) for pod in found.pods)
        total = stable_replicas(self.spec, status)
        target = self.replica_sets.get(self.services.get("app-canary", ""))
        serving = target is not None and any(pod.ready(self.now) for pod in target.pods)
        if serving and not self.disturbed:
            assert ready >= (100 - (self.route or 0)) / 100 * total - 1e-9, "stable is overloaded"

    disturbed = False

    def _check_may_go(self, replica_set: SimReplicaSet, count: int) -> None:
        stable = self.status.stable_revision
        if stable is not None and stable.hash == replica_set.hash:
            total = stable_replicas(self.spec, self.status)
            assert count >= (100 - (self.route or 0)) / 100 * total, "stable shrinks too far"
            return
        super()._check_may_go(replica_set, count)


@dataclass
class SimRoute:
    """One of several routing objects: what it says, and since when its router does as it says."""

    percent: int = 0
    header: bool = False
    taken_at: datetime = START
    before: int = 0
    """What its router did until then."""

    def highest(self, now: datetime) -> int:
        percent = max(self.percent, 0 if now >= self.taken_at else self.before)
        return max(percent, int(self.header))


class SeveralRouters(Simulation):
    """Two routing objects that are written one after the other, and taken up by their routers later."""

    routes: tuple[SimRoute, SimRoute] | None = None

    def shares(self) -> dict[str, float]:
        routes = self.routes or ()
        self.route = max((each.highest(self.now) for each in routes), default=None)
        return super().shares()

    def _route(self) -> Route:
        if self.routes is None:
            return Route(shaped=not self._wanted())
        taken = all(self.now >= each.taken_at for each in self.routes)
        said = {each.percent for each in self.routes}
        return Route(
            exists=True,
            weight=said.pop() if taken and len(said) == 1 else None,
            highest=max(each.highest(self.now) for each in self.routes),
            shaped=taken and all(each.header == self._wanted() for each in self.routes),
        )

    def _wanted(self) -> bool:
        return bool(split_of(self.spec, self.status).headers)

    def _set(self, split: Split) -> None:
        """Write both: a controller that dies in between leaves them different."""
        self._check_raise(max(split.percent, int(bool(split.headers))))
        self.routes = self.routes or (SimRoute(), SimRoute())
        for number, each in enumerate(self.routes):
            if number:
                self._write()
            if (each.percent, each.header) == (split.percent, bool(split.headers)):
                continue
            each.before = each.highest(self.now)
            each.percent, each.header = split.percent, bool(split.headers)
            each.taken_at = self.now + timedelta(seconds=self.random.choice([0.0, 0.3, 3.0]))

    def _check_removal(self) -> None:
        self.shares()
        super()._check_removal()
        self.routes = None
