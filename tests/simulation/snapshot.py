"""Who gets requests at one moment, as one controller's caches show it: what the invariants compare."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Protocol

from rollouts.controller.objects import named_services
from rollouts.model.kinds import HASH_LABEL, JSON, REPLICA_SET, FrozenJSON
from rollouts.model.rollout_key import Key
from rollouts.model.status import Revision, RolloutStatus
from tests.simulation.cluster import Caches
from tests.simulation.dataplane import (
    BESIDE,
    CALLED,
    NAMESPACE,
    Shares,
    entry_points,
    selected,
    shown,
    to_come,
)
from tests.simulation.known_gaps import is_known_gap
from tests.simulation.users import SimulatedMonitor, Users

KEY = Key(NAMESPACE, "checkout")
ENTRY_POINTS = {"nginx": "shop.test", "gatewayAPI": "checkout 0"}
"""By the router's field, what the stories' own route of its kind is called."""


class Watched(Protocol):
    """A story, as the invariants look at it."""

    caches: Caches
    users: Users
    monitor: SimulatedMonitor
    selected_at: datetime
    died_at: datetime
    """When a controller has last died between two writes."""
    refused_until: datetime
    """When a write of ours was last let through again."""

    @property
    def rollout(self) -> JSON: ...

    @property
    def status(self) -> RolloutStatus: ...

    def routed(self) -> list[float]: ...

    def is_pardoned(self, hash_: str) -> bool: ...


@dataclass(frozen=True)
class Snapshot:
    """What there is at one write: as endpoints are now, and as they will be by what objects say."""

    led: Mapping[str, Shares]
    """What each entry leads to by what routes say: Services."""
    now: Mapping[str, Shares]
    soon: Mapping[str, Shares]
    ready: Mapping[str, Counter[str]]
    sizes: Mapping[str, int]
    """What each revision's ReplicaSet is to have."""
    available: Mapping[str, int]
    """How many pods each has that are available, as far as its ReplicaSet tells."""
    status: RolloutStatus

    @property
    def strategy(self) -> FrozenJSON:
        """The strategy in force."""
        return strategy_of(self.status)

    @property
    def current(self) -> str:
        return hash_of(self.status.current_revision)

    @property
    def stable(self) -> str:
        return hash_of(self.status.stable_revision)

    def behind(self, service: str) -> Counter[str]:
        """Return the ready pods that a Service has, by revision."""
        return self.ready.get(service, Counter())

    def away(self, service: str) -> float:
        """Return the largest share of an entry's requests that its routes lead to others than a Service."""
        found = (to for name, to in self.led.items() if name not in BESIDE and service in to)
        return max((1 - shares[service] for shares in found), default=0.0)

    def most(self, hash_: str) -> float:
        """Return the largest share that a revision has of any entry that its releases are about."""
        found = (shares for name, shares in self.soon.items() if name not in BESIDE)
        return max((shares.get(hash_, 0.0) for shares in found), default=0.0)


def take_snapshot(story: Watched) -> Snapshot:
    """Return what the story's controller sees now."""
    caches = story.caches
    entries, ready = entry_points(caches), to_come(caches)
    sets = {
        each["metadata"]["labels"].get(HASH_LABEL, ""): each
        for each in caches.select(REPLICA_SET, NAMESPACE)
    }
    sizes = {hash_: each["spec"]["replicas"] for hash_, each in sets.items()}
    available = {
        hash_: int((each.get("status") or {}).get("availableReplicas", 0))
        for hash_, each in sets.items()
    }
    now = entries.shares(shown(caches))
    return Snapshot(
        entries.backends, now, entries.shares(ready), ready, sizes, available, story.status
    )


def hash_of(revision: Revision | None) -> str:
    return revision.hash if revision is not None else ""


def strategy_of(status: RolloutStatus) -> FrozenJSON:
    """Return the strategy in force."""
    strategy = (status.effective_spec or {}).get("strategy") or {}
    return next((each for each in strategy.values() if each is not None), {})


def is_by_replicas(strategy: FrozenJSON) -> bool:
    return "activeService" not in strategy and not strategy.get("trafficRouting")


def names(story: Watched) -> set[str]:
    """Return the Services that a spec names: as it is written, or as it is in force."""
    effective = {"spec": story.status.effective_spec or {}}
    return {*named_services(story.rollout), *named_services(effective)}


def led_to(story: Watched) -> set[str]:
    """Return the Services that the routes lead to which the strategy in force names."""
    routing = strategy_of(story.status).get("trafficRouting") or {}
    entries = entry_points(story.caches).backends
    found = (entries.get(ENTRY_POINTS[each], {}) for each in routing.keys() & ENTRY_POINTS.keys())
    return {service for shares in found for service in shares}


def is_called_past_us(story: Watched, snapshot: Snapshot, hash_: str) -> bool:
    """Return whether users reach a revision by a Service of theirs, of all pods, which no spec names: a known gap."""
    return is_known_gap("called past us") and any(
        not selected(story.caches, service) and snapshot.behind(service)[hash_]
        for service in set(CALLED) - names(story)
    )


def wanted(story: Watched) -> int:
    """Return how many pods the spec asks for, as far as the controller knows by now."""
    rollout = story.caches.get(KEY.ref) or story.rollout
    return int(rollout["spec"].get("replicas", 1))


def enough(strategy: FrozenJSON, pods: int) -> int:
    """
    Return how many of `pods` are enough to go on: all, unless a person says so by replicaProgressThreshold.

    They say it for each weight and for the promotion (docs/adr/0023-what-happens-to-pods.md). What of
    twenty and more may be starting is not asked: no story has so many.
    """
    threshold = strategy.get("replicaProgressThreshold")
    if threshold is None:
        return pods
    value = int(threshold["value"])
    return ceil(pods * value / 100) if threshold["type"] == "Percent" else min(pods, value)


def verb_of(rollout: FrozenJSON) -> str:
    """Return what a person has asked for last, of what moves traffic."""
    text = str((rollout["metadata"].get("annotations") or {}).get("rollouts.dev/command") or "")
    verbs = ("abort", "rollback", "promote-full", "promote", "retry")
    return next((verb for verb in verbs if verb in text), "")
