"""
What must never happen, checked at every write of the controller.

By objects, and by who gets users' requests: status is only asked what was promised. A write is
judged by what its controller could know: by its caches, with the write in them. Of pods, of status and
of the end of a release the invariants are in modules of their own, of what is left once it is settled in `settled_invariants`.
"""

from rollouts.analysis.evidence import weigh
from rollouts.core.world import under_way
from rollouts.model.kinds import (
    ENDPOINT_SLICE,
    HASH_LABEL,
    POD,
    REPLICA_SET,
    ROLLOUT,
    SERVICE,
    FrozenJSON,
    Ref,
)
from rollouts.model.routers.nginx import INGRESS
from rollouts.model.status import RolloutStatus
from rollouts.ports import Delete, Patch, Record, Write
from rollouts.traffic.routers import written_kinds
from tests.simulation.attempt_invariants import Attempts
from tests.simulation.cluster import written
from tests.simulation.dataplane import (
    CALLED,
    LOST,
    NAMESPACE,
    is_by_label,
    is_ours,
    selected,
    weight_of,
)
from tests.simulation.ended_invariants import EndedReleases
from tests.simulation.known_gaps import is_known_gap
from tests.simulation.route_invariants import Routes
from tests.simulation.size_invariants import SOON, Sizes
from tests.simulation.snapshot import (
    KEY,
    Snapshot,
    Watched,
    is_by_replicas,
    is_called_past_us,
    take_snapshot,
    verb_of,
    wanted,
)

_LITTLE = 1e-9
_MOVES = (*written_kinds(), SERVICE, REPLICA_SET, POD)
"""What decides on who gets requests."""


class Invariants:
    """Raises `AssertionError` at the write that breaks one."""

    def __init__(self, story: Watched) -> None:
        self.story = story
        self._attempts = Attempts(story)
        self._sizes = Sizes(story, self._attempts)
        self._routes = Routes(story)
        self.ended = EndedReleases(story)
        self._before: Snapshot | None = None
        self._cuts_off = self._is_unseen = False

    def before(self, write: Write) -> None:
        ref = written(write)
        moves = ref is not None and ref.kind in _MOVES
        self._before = take_snapshot(self.story) if moves else None
        self._cuts_off = isinstance(write, Delete) and self._has_traffic(write.ref)
        self._is_unseen = _is_status(write) and self._is_behind()

    def after(self, write: Write) -> None:
        if isinstance(write, Record):
            return
        if _is_status(write):
            assert not self._is_unseen, "status is written over what its writer has not seen"
            self._attempts.check(self.story.status)
            self._routes.told(self.story.status)
            self.ended.check(self.story.status)
        if self._before is None:
            return
        old, new = self._before, take_snapshot(self.story)
        self._nobody_is_lost(old, new)
        self._no_service_is_emptied(old, new)
        self._a_rise_is_due(old, new)
        self._others_are_kept(old, new)
        self._sizes.check(old, new)
        self._routes.check(write, old, new)
        assert not self._cuts_off or self.story.caches.refusals, "live canary traffic is cut off"
        if isinstance(write, Patch) and write.ref.kind == SERVICE:
            self._a_switch_is_to_enough(write, new)

    def _is_behind(self) -> bool:
        """Return whether the controller has not seen yet what somebody else has made of its Rollout."""
        seen = self.story.caches.get(KEY.ref)
        version = self.story.rollout["metadata"]["resourceVersion"]
        return seen is None or seen["metadata"]["resourceVersion"] != version

    def _has_traffic(self, ref: Ref) -> bool:
        """
        Return whether it is a canary Ingress by which users reach another revision than stable.

        By one whose Service is gone they reach nobody: ingress-nginx answers those requests with 503
        itself, and without the Ingress they are stable's.
        """
        found = self.story.caches.get(ref)
        if found is None or ref.kind != INGRESS or not weight_of(found):
            return False
        service = found["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"]
        if self.story.caches.get(Ref(SERVICE, NAMESPACE, service)) is None:
            return False
        stable = self.story.status.stable_revision
        return stable is not None and selected(self.story.caches, service) != stable.hash

    def _nobody_is_lost(self, old: Snapshot, new: Snapshot) -> None:
        """No write sends users' requests to nobody, when they had somebody before it."""
        if self._is_asked_for(old.status):
            return
        for before, after in ((old.now, new.now), (old.soon, new.soon)):
            for entrance, shares in after.items():
                was = before.get(entrance, {}).get(LOST, 0.0)
                lost = shares.get(LOST, 0.0)
                excused = self._goes_back_to_nobody(new) or (
                    before is old.now and self._goes_back_to_pods(entrance, old, new)
                )
                if lost > was + _LITTLE and not excused:
                    raise AssertionError(f"{lost:.0%} of {entrance} go to nobody, before {was:.0%}")

    def _goes_back_to_pods(self, entrance: str, old: Snapshot, new: Snapshot) -> bool:
        """
        Return whether requests go back to ready pods of stable, of which late EndpointSlices do not tell yet.

        Whether stable answers is asked of its pods: a Service that is managed otherwise must not hold a
        rollback up (docs/adr/0024-what-stable-can-bear.md). What those pods do not answer is lost all the same.
        """
        if ENDPOINT_SLICE not in self.story.caches.late or not new.stable:
            return False
        was, now = (each.soon.get(entrance, {}) for each in (old, new))
        return now.get(new.stable, 0.0) > was.get(new.stable, 0.0) and LOST not in now

    def _no_service_is_emptied(self, old: Snapshot, new: Snapshot) -> None:
        """No Service that had ready pods is left without any, whatever the spec becomes."""
        if self._is_asked_for(old.status) or self._goes_back_to_nobody(new):
            return
        for service in old.ready.keys() & new.ready.keys():
            found = self.story.caches.get(Ref(SERVICE, NAMESPACE, service))
            if not old.stable and found is not None and is_ours(found):
                continue  # it is for a canary, and there is none before anything is stable
            emptied = old.behind(service) and not new.behind(service)
            assert not emptied, f"Service {service} is left without a ready pod"

    def _is_asked_for(self, status: RolloutStatus) -> bool:
        """Return whether somebody wants no pods, or has stopped a release whatever it costs."""
        by_hand = status.abort is not None and status.abort.by != "rollouts"
        verb = verb_of(self.story.rollout)
        return not wanted(self.story) or by_hand or verb in ("abort", "rollback")

    def _goes_back_to_nobody(self, new: Snapshot) -> bool:
        """Return whether it is a retreat to a stable revision without ready pods, which is known."""
        standing = [ready.get(new.stable, 0) for ready in new.ready.values()]
        return is_known_gap("back to nobody") and not any(standing)

    def _a_rise_is_due(self, old: Snapshot, new: Snapshot) -> None:
        """A canary gets more only while nothing speaks against it, and nobody gets any by mistake."""
        status, current = old.status, old.current
        if not (current and old.stable) or current == old.stable:
            return
        before, after = old.most(current), new.most(current)
        if after <= before + _LITTLE or is_called_past_us(self.story, new, current):
            return
        service = str(old.strategy.get("stableService") or old.strategy.get("activeService") or "")
        refused = bool(self.story.caches.refusals)
        if refused and service and not selected(self.story.caches, service):
            return  # it leads to all pods, and we may not change that
        if self._leads_to_all(old, service):
            after = new.away(service)
        assert status.abort is None, f"{current} gets {after:.0%} after its rollback"
        self._ports_are_those_of_stable(current)
        self._is_asked_by_its_step(old, after)
        applied = status.weights.applied / 100
        begun = before > 0 and is_by_label(self.story.caches, service)
        if after > applied + _LITTLE and not (status.promoted or begun):
            leaning = self._leaning(status)
            assert not leaning, f"the weight rises from {applied:.0%} to {after:.0%} over {leaning}"

    def _is_asked_by_its_step(self, old: Snapshot, after: float) -> None:
        """
        No step asks for less, and the users' own Service has stable alone meanwhile.

        With its first weight it takes over what a revision before it keeps because stable has no
        ready pod, as much as that is: one Service leads to either (docs/adr/0024-what-stable-can-bear.md).
        """
        strategy, weights = old.strategy, old.status.weights
        if not strategy.get("trafficRouting"):
            return
        service = str(strategy.get("stableService"))
        bound = selected(self.story.caches, service) == old.stable or self._leads_to_all(
            old, service
        )
        if not bound and self.story.selected_at > self.story.users.clock.now() - SOON:
            return  # somebody else has just seen to that
        assert bound, f"the weight rises while Service {service} does not select stable"
        most = max(weights.desired, weights.applied) / 100
        if weights.desired and not _answers(old):
            others = old.sizes.keys() - {old.stable, old.current}
            most = max([most, *map(old.most, others)])
        assert after <= most + _LITTLE, f"{after:.0%} where {most:.0%} are asked for"

    def _leads_to_all(self, old: Snapshot, service: str) -> bool:
        """
        Return whether the users' own Service has the pods of every revision, and stable has none for it.

        It can't be bound then, and what it gives to a canary no weight gives: only what the routes send
        there does. They may rise, as a release may repair an outage (docs/adr/0024-what-stable-can-bear.md).
        """
        routed = bool(old.strategy.get("trafficRouting"))
        return routed and not selected(self.story.caches, service) and not _answers(old)

    def _leaning(self, status: RolloutStatus) -> list[str]:
        latest, target = self.story.monitor.latest(KEY), self.story.monitor.targets.get(KEY)
        if target is None or latest is None:
            return []
        criteria = weigh(target.spec, status, latest).criteria
        return [each.message for each in criteria if each.leans]

    def _ports_are_those_of_stable(self, hash_: str) -> None:
        """Requests reach a canary where its pods listen: where the users' own Service leads."""
        caches = self.story.caches
        users = caches.get(Ref(SERVICE, NAMESPACE, "checkout"))
        for each in caches.select(SERVICE, NAMESPACE):
            if is_ours(each) and each["spec"]["selector"].get(HASH_LABEL) == hash_ and users:
                same = _targets(each) == _targets(users)
                assert same or is_known_gap("ports"), (
                    f"Service {each['metadata']['name']} has other ports"
                )

    def _others_are_kept(self, old: Snapshot, new: Snapshot) -> None:
        """Pods that are no Rollout's, and have users, are shut out only for as many others."""
        if is_known_gap("narrowed") and "workloadRef" not in self.story.rollout["spec"]:
            return
        for service in CALLED:
            before, after = old.behind(service), new.behind(service)
            others = before.get("", 0)
            gone = others > after.get("", 0)
            assert not gone or sum(after.values()) >= others, (
                f"Service {service} is narrowed from {others} pods to {sum(after.values())}"
            )

    def _a_switch_is_to_enough(self, write: Patch, new: Snapshot) -> None:
        """A Service of the users' goes forward only to as many pods as there were, and not after a rollback."""
        selector = write.body.get("spec", {}).get("selector") or {}
        status, strategy = new.status, new.strategy
        if not under_way(status) or is_by_replicas(strategy):
            return
        is_active = write.ref.name == strategy.get("activeService")
        if not is_active or selector.get(HASH_LABEL) != new.current:
            return
        assert status.abort is None, "a switch after a rollback"
        ready = new.behind(write.ref.name).get(new.current, 0)
        assert ready >= status.stable_floor, (
            f"a switch to {ready} pods, {status.stable_floor} before"
        )


def _answers(old: Snapshot) -> bool:
    """Return whether stable has a ready pod behind any Service."""
    return any(each.get(old.stable) for each in old.ready.values())


def _is_status(write: Write) -> bool:
    return isinstance(write, Patch) and write.ref.kind == ROLLOUT and write.subresource == "status"


def _targets(service: FrozenJSON) -> list[object]:
    return [port["targetPort"] for port in service["spec"]["ports"]]
