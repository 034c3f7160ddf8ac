"""
What must never happen, checked at every write of the controller, and at every moment between.

By objects, and by who gets users' requests: status is only asked what was promised. A write is
judged by what its controller could know: by its caches, with the write in them.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from rollouts.controller.evidence import weigh
from rollouts.controller.keys import Key
from rollouts.controller.objects import named_services
from rollouts.core.world import under_way
from rollouts.model.kinds import (
    HASH_LABEL,
    HTTP_ROUTE,
    INGRESS,
    JSON,
    REPLICA_SET,
    ROLLOUT,
    SERVICE,
    TRAFFIC_SPLIT,
    FrozenJSON,
    Ref,
)
from rollouts.model.status import Revision, RolloutStatus
from rollouts.ports import Delete, Patch, Record, Write
from tests.simulation.cluster import Caches, written
from tests.simulation.dataplane import (
    BESIDE,
    CALLED,
    LOST,
    NAMESPACE,
    Ready,
    Shares,
    doors,
    is_ours,
    selected,
    shown,
    to_come,
)
from tests.simulation.known import spared
from tests.simulation.users import Eyes, Users

KEY = Key(NAMESPACE, "checkout")
QUIET_SECONDS = 5.0
"""How long a revision has had no request before its pods go; all delays of the stories are as long."""
_LITTLE = 1e-9
_SOON = timedelta(seconds=10)
_ROUNDED = 0.01
"""Status keeps times in milliseconds."""
_MOVES = (INGRESS, HTTP_ROUTE, TRAFFIC_SPLIT, SERVICE, REPLICA_SET)
"""What decides on who gets requests."""


class Watched(Protocol):
    """A story, as the invariants look at it."""

    caches: Caches
    users: Users
    eyes: Eyes
    selected_at: datetime

    @property
    def rollout(self) -> JSON: ...

    @property
    def status(self) -> RolloutStatus: ...

    def is_pardoned(self, hash_: str) -> bool: ...


@dataclass(frozen=True)
class Picture:
    """Who gets requests at one moment: as endpoints are now, and as they will be by what objects say."""

    now: Mapping[str, Shares]
    soon: Mapping[str, Shares]
    ready: Ready
    sizes: Mapping[str, int]
    """What each revision's ReplicaSet is to have."""
    status: RolloutStatus

    def behind(self, service: str) -> Counter[str]:
        """Return the ready pods that a Service has, by revision."""
        return self.ready.get(service, Counter())

    def most(self, hash_: str) -> float:
        """Return the largest share that a revision has of any entrance that its releases are about."""
        found = (shares for name, shares in self.soon.items() if name not in BESIDE)
        return max((shares.get(hash_, 0.0) for shares in found), default=0.0)


class Invariants:
    """Raises `AssertionError` at the write that breaks one."""

    def __init__(self, story: Watched) -> None:
        self.story = story
        self._before: Picture | None = None
        self._steps: tuple[object, int] = (None, 0)
        self._stable = ""

    def before(self, write: Write) -> None:
        ref = written(write)
        moves = ref is not None and ref.kind in _MOVES
        self._before = self._picture() if moves else None

    def after(self, write: Write) -> None:
        if isinstance(write, Record):
            return
        if isinstance(write, Patch) and write.ref.kind == ROLLOUT and write.subresource:
            self._status_is_sound(self.story.status)
        if self._before is None:
            return
        old, new = self._before, self._picture()
        self._nobody_is_lost(old, new)
        self._a_rise_is_due(old, new)
        self._others_are_kept(old, new)
        self._pods_may_go(old, new)
        if isinstance(write, Delete) and write.ref.kind == REPLICA_SET:
            assert not any(
                hash_ for hash_ in old.sizes if old.sizes[hash_] and hash_ not in new.sizes
            )
        if isinstance(write, Patch) and write.ref.kind == SERVICE:
            self._a_switch_is_to_enough(write, new)

    def _picture(self) -> Picture:
        caches = self.story.caches
        entrances, ready = doors(caches), to_come(caches)
        sizes = {
            each["metadata"]["labels"].get(HASH_LABEL, ""): each["spec"]["replicas"]
            for each in caches.select(REPLICA_SET, NAMESPACE)
        }
        now = entrances.shares(shown(caches))
        return Picture(now, entrances.shares(ready), ready, sizes, self.story.status)

    # Of requests.

    def _nobody_is_lost(self, old: Picture, new: Picture) -> None:
        """No write sends users' requests to nobody, when they had somebody before it."""
        if self._is_asked_for(old.status):
            return
        for before, after in ((old.now, new.now), (old.soon, new.soon)):
            for entrance, shares in after.items():
                if spared("named no longer") and self._is_named_no_longer(entrance):
                    continue
                was = before.get(entrance, {}).get(LOST, 0.0)
                lost = shares.get(LOST, 0.0)
                if lost > was + _LITTLE and not self._goes_back_to_nobody(old, new):
                    raise AssertionError(f"{lost:.0%} of {entrance} go to nobody, before {was:.0%}")

    def _is_named_no_longer(self, entrance: str) -> bool:
        """Say whether it leads to a Service that has our key and that no spec names."""
        caches, named = self.story.caches, _named(self.story)
        services = doors(caches).backends[entrance]
        return any(each not in named and selected(caches, each) for each in services)

    def _is_asked_for(self, status: RolloutStatus) -> bool:
        """Say whether somebody wants no pods, or has stopped a release whatever it costs."""
        by_hand = status.abort is not None and status.abort.by != "rollouts"
        wanted = self.story.rollout["spec"].get("replicas", 1)
        return not wanted or by_hand or _command(self.story.rollout) in ("abort", "rollback")

    def _goes_back_to_nobody(self, old: Picture, new: Picture) -> bool:
        """Say whether it is a retreat to a stable revision without ready pods, which is known."""
        stable = old.status.stable_revision
        standing = [ready.get(_hash(stable), 0) for ready in new.ready.values()]
        return spared("back to nobody") and not any(standing)

    def _a_rise_is_due(self, old: Picture, new: Picture) -> None:
        """A canary gets more only while nothing speaks against it, and nobody gets any by mistake."""
        status = old.status
        current, stable = status.current_revision, status.stable_revision
        if current is None or stable is None or current.hash == stable.hash:
            return
        before, after = old.most(current.hash), new.most(current.hash)
        if after <= before + _LITTLE:
            return
        assert status.abort is None, f"{current.hash} gets {after:.0%} after its rollback"
        self._ports_are_those_of_stable(current.hash)
        applied = status.weights.applied / 100
        if after <= applied + _LITTLE or status.promoted:
            return  # it is only put back, or a person takes it upon themselves
        look = self.story.eyes.latest(KEY)
        target = self.story.eyes.targets.get(KEY)
        if target is not None and look is not None:
            criteria = weigh(target.spec, status, look).criteria
            leaning = [each.message for each in criteria if each.leans]
            assert not leaning, f"the weight rises from {applied:.0%} to {after:.0%} over {leaning}"

    def _ports_are_those_of_stable(self, hash_: str) -> None:
        """Requests reach a canary where its pods listen: where the users' own Service leads."""
        caches = self.story.caches
        users = caches.get(Ref(SERVICE, NAMESPACE, "checkout"))
        for each in caches.select(SERVICE, NAMESPACE):
            if is_ours(each) and each["spec"]["selector"].get(HASH_LABEL) == hash_ and users:
                same = _targets(each) == _targets(users)
                assert same or spared("ports"), (
                    f"Service {each['metadata']['name']} has other ports"
                )

    def _others_are_kept(self, old: Picture, new: Picture) -> None:
        """Pods that are no Rollout's, and have users, are shut out only for as many others."""
        if spared("narrowed"):
            return
        for service in CALLED:
            before, after = old.behind(service), new.behind(service)
            others = before.get("", 0)
            gone = others > after.get("", 0)
            assert not gone or sum(after.values()) >= others, (
                f"Service {service} is narrowed from {others} pods to {sum(after.values())}"
            )

    # Of pods.

    def _pods_may_go(self, old: Picture, new: Picture) -> None:
        for hash_, size in new.sizes.items():
            if hash_ and size < old.sizes.get(hash_, size):
                self._may_shrink(old, hash_, size)

    def _may_shrink(self, old: Picture, hash_: str, size: int) -> None:
        """No pods go that served lately, and none that traffic may come back to."""
        status, way = old.status, _way(old.status)
        if not under_way(status) and status.stable_revision is None:
            return
        if _by_replicas(way):
            self._enough_are_left(way)
            return
        if hash_ == _hash(status.stable_revision):
            self._stable_is_kept(old, way, size)
            return
        served = self.story.users.served_at.get(hash_)
        if served is None:
            return
        if spared("shared for a moment") and served <= self.story.selected_at + _SOON:
            return
        quiet = (self.story.users.clock.now() - served).total_seconds()
        assert quiet >= _delay(way, self.story.rollout) - _ROUNDED, (
            f"pods of {hash_} go {quiet} s after they served"
        )

    def _stable_is_kept(self, old: Picture, way: FrozenJSON, size: int) -> None:
        status = old.status
        if not way.get("dynamicStableScale"):
            assert size >= status.stable_floor, (
                f"stable has {size}, and {status.stable_floor} before"
            )
            return
        if under_way(status):
            total = max(status.stable_floor, self.story.rollout["spec"]["replicas"])
            share = 1 - old.most(_hash(status.current_revision))
            assert size >= share * total - _LITTLE, f"stable has {size} for {share:.0%} of {total}"

    def _enough_are_left(self, way: FrozenJSON) -> None:
        """By replicas, pods go only as fast as maxUnavailable lets them."""
        if way.get("maxUnavailable") is not None or way.get("maxSurge") is not None:
            return
        wanted = self.story.rollout["spec"].get("replicas", 1)
        caches = self.story.caches
        left = sum(to_come(caches).get("checkout", {}).values())
        before = sum(self._before.ready.get("checkout", {}).values()) if self._before else 0
        assert left >= min(before, wanted - wanted // 4), (
            f"{left} of {wanted} pods are left to serve"
        )

    def _a_switch_is_to_enough(self, write: Patch, new: Picture) -> None:
        """Blue-green's switch is never to fewer pods than there were, and not after a rollback."""
        selector = write.body.get("spec", {}).get("selector") or {}
        status = new.status
        current, stable = status.current_revision, status.stable_revision
        if current is None or stable is None or not under_way(status):
            return
        is_active = write.ref.name == _way(status).get("activeService")
        if not is_active or selector.get(HASH_LABEL) != current.hash:
            return
        assert status.abort is None, "a switch after a rollback"
        ready = new.ready[write.ref.name].get(current.hash, 0)
        assert ready >= status.stable_floor, (
            f"a switch to {ready} pods, {status.stable_floor} before"
        )

    # Of status.

    def _status_is_sound(self, status: RolloutStatus) -> None:
        self._steps_go_forward(status)
        self._bad_ones_are_not_stable(status)

    def _steps_go_forward(self, status: RolloutStatus) -> None:
        """Within an attempt, and as long as the steps are the same, they are gone through once."""
        index = status.current_step_index
        if index is None or not under_way(status):
            return
        attempt = (status.started_at, _hash(status.current_revision), repr(_way(status)))
        if attempt == self._steps[0]:
            assert index >= self._steps[1], f"step {self._steps[1]} is followed by {index}"
        self._steps = (attempt, index)

    def _bad_ones_are_not_stable(self, status: RolloutStatus) -> None:
        before, self._stable = self._stable, _hash(status.stable_revision)
        promoted = before and self._stable not in ("", before)
        assert not promoted or self.story.is_pardoned(self._stable), (
            f"{self._stable} is bad, and stable"
        )


def _targets(service: FrozenJSON) -> list[object]:
    return [port["targetPort"] for port in service["spec"]["ports"]]


def _hash(revision: Revision | None) -> str:
    return revision.hash if revision is not None else ""


def _way(status: RolloutStatus) -> FrozenJSON:
    """Return the strategy in force."""
    strategy = (status.spec_in_force or {}).get("strategy") or {}
    return next((each for each in strategy.values() if each is not None), {})


def _by_replicas(way: FrozenJSON) -> bool:
    return "activeService" not in way and not way.get("trafficRouting")


def _delay(way: FrozenJSON, rollout: FrozenJSON) -> float:
    """Return the shortest delay that is in force, or written now."""
    written_ways = (rollout["spec"].get("strategy") or {}).values()
    delays = [
        each.get(field, QUIET_SECONDS)
        for each in (way, *written_ways)
        for field in ("scaleDownDelaySeconds", "abortScaleDownDelaySeconds")
        if isinstance(each, Mapping)
    ]
    return min([QUIET_SECONDS, *(each for each in delays if isinstance(each, int | float))])


def _command(rollout: FrozenJSON) -> str:
    text = str((rollout["metadata"].get("annotations") or {}).get("rollouts.dev/command") or "")
    verbs = ("abort", "rollback", "promote-full", "promote", "retry")
    return next((verb for verb in verbs if verb in text), "")


def is_over(status: RolloutStatus) -> bool:
    """Say whether nothing is released any more, and nobody is asked to do something first."""
    asked = status.phase == "Degraded" and status.abort is None and status.pinned is None
    return not (under_way(status) or status.retiring or asked)


def _named(story: Watched) -> set[str]:
    """Return the Services that a spec names: as it is written, or as it is in force."""
    in_force = {"spec": story.status.spec_in_force or {}}
    return {*named_services(story.rollout), *named_services(in_force)}


def left_behind(story: Watched) -> list[str]:
    """Return what is there of ours, or of our writing, that a Rollout at rest does not need."""
    caches, found = story.caches, []
    named = _named(story)
    found += [
        str(each["metadata"]["name"]) for each in caches.select(INGRESS, NAMESPACE) if is_ours(each)
    ]
    for each in caches.select(HTTP_ROUTE, NAMESPACE):
        noted = any("rollouts.dev/" in key for key in each["metadata"].get("annotations") or {})
        if is_ours(each) or noted:
            found.append(str(each["metadata"]["name"]))
    for each in caches.select(SERVICE, NAMESPACE):
        name = str(each["metadata"]["name"])
        kept = HASH_LABEL in each["spec"]["selector"] and name not in named and not is_ours(each)
        if kept and not spared("named no longer"):
            found.append(f"the key in Service {name}")
    return found
