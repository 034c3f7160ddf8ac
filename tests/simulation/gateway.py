"""A Gateway's controller: it takes up what HTTPRoutes say some time later, and says so in their status."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from rollouts.model.kinds import JSON, FrozenJSON, Ref
from rollouts.model.routers.gateway import HTTP_ROUTE
from tests.fakes.cluster import FakeCluster
from tests.simulation.dataplane import NAMESPACE, rules_of

DELAYS_SECONDS = (0.0, 0.3, 3.0)


@dataclass
class Programmed:
    """What the data plane does for one route, and when it takes up what the route says."""

    rules: list[JSON]
    generation: int = 0
    due: datetime | None = None
    told: int = 0
    """The generation that the route's status is about."""


class Gateway:
    def __init__(
        self, cluster: FakeCluster, now: Callable[[], datetime], dice: random.Random
    ) -> None:
        self.cluster, self.now, self.dice = cluster, now, dice
        self.silent = False
        """It routes, and no longer says so."""
        self._programmed: dict[str, Programmed] = {}

    def rules_of(self, route: FrozenJSON) -> list[JSON]:
        """Return the rules by which requests go at present."""
        found = self._programmed.get(route["metadata"]["uid"])
        return found.rules if found is not None else rules_of(route)

    def tick(self) -> None:
        for route in self.cluster.select(HTTP_ROUTE, NAMESPACE):
            known = self._programmed.setdefault(
                route["metadata"]["uid"], Programmed(rules_of(route))
            )
            if route["metadata"]["generation"] != known.generation:
                self._take_up(route, known)
            if known.told != known.generation and not self.silent:
                self._tell(route, known)

    def _take_up(self, route: JSON, known: Programmed) -> None:
        if known.due is None:
            known.due = self.now() + timedelta(seconds=self.dice.choice(DELAYS_SECONDS))
        if self.now() >= known.due:
            known.rules, known.due = rules_of(route), None
            known.generation = route["metadata"]["generation"]

    def _tell(self, route: JSON, known: Programmed) -> None:
        known.told = known.generation
        parents = [_parent(ref, known.told) for ref in route["spec"]["parentRefs"]]
        ref = Ref(HTTP_ROUTE, NAMESPACE, route["metadata"]["name"])
        self.cluster.edit(ref, {"status": {"parents": parents}})


def _parent(ref: FrozenJSON, generation: int) -> JSON:
    conditions = [
        {"type": kind, "status": "True", "observedGeneration": generation}
        for kind in ("Accepted", "ResolvedRefs")
    ]
    return {"parentRef": dict(ref), "controllerName": "edge", "conditions": conditions}
