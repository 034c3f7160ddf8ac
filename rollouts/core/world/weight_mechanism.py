"""
What carries the weight of a canary: routers, the active Service, or the pods themselves.

`mechanism_of` is the one place that asks a spec which of them it is. Everybody else asks the mechanism.
"""

from abc import ABC, abstractmethod
from datetime import datetime
from typing import ClassVar

from rollouts.core.world.observed import ReplicaSet
from rollouts.core.world.sizes import (
    canary_replicas,
    enough_pods,
    pod_shares,
    share_percent,
    split_of,
    stable_replicas,
)
from rollouts.core.world.world import World
from rollouts.model.route import Route
from rollouts.model.service_texts import service_not_found
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import Revision, RolloutStatus, Weights


class WeightMechanism(ABC):
    """
    What carries the weight, and answers for it.

    Exactly one of the first three flags is true. They are for what has no plain name of its own:
    each place that asks says beside it what follows. The other fields are what follows, by name.
    """

    is_routed: ClassVar[bool] = False
    """Objects of routers send each request, by a weight that is written to them."""
    is_switched: ClassVar[bool] = False
    """One Service has all the traffic, and selects one of two revisions: a weight is 0 or 100."""
    pods_are_the_weight: ClassVar[bool] = False
    """Every pod answers, and a revision's share of them is its weight: nothing else says it, or can be taken away."""
    needs_canary_service: ClassVar[bool] = False
    """The canary's requests go through its Service, and fail without it."""
    has_preview: ClassVar[bool] = False
    """The canary Service is for people to look at before the weight rises: users' requests don't go there."""
    may_be_without_stable: ClassVar[bool] = False
    """Stable has no pods any more once the canary has everything."""
    mixes_counters: ClassVar[bool] = False
    """What counts requests does not tell one canary's from the next one's."""
    keeps_previous: ClassVar[bool] = False
    """The revision before a promoted one may be gone back to at once, as long as its pods are there."""

    @abstractmethod
    def route(self, world: World, status: RolloutStatus) -> Route:
        """Return what the traffic does now."""

    @abstractmethod
    def reaches_canary(self, world: World, status: RolloutStatus) -> bool:
        """
        Return whether what is sent to a canary arrives at the current revision.

        Right after a newer template it may still be the revision before that has it.
        """

    def live_route(self, _world: World) -> Route:
        """Return what the routing objects do to the traffic: nothing, where they don't carry it."""
        return Route()

    def is_bound(self, world: World, status: RolloutStatus) -> bool:
        """Return whether new pods get nothing by accident: users' Service selects one revision alone."""
        service, stable = world.stable_service, status.stable_revision
        return service is not None and stable is not None and service.selected_hash == stable.hash

    def is_being_switched(self, _world: World, _status: RolloutStatus) -> bool:
        """Return whether stable and the new revision both answer, because they change places pod by pod."""
        return False

    def is_restored(self, world: World, status: RolloutStatus) -> bool:
        """Return whether a canary that has pods again has what the step wants, and no more is on its way."""
        weights = status.weights
        routes = split_of(world.spec, status).names
        return weights.applied == weights.desired and weights.routes == routes

    def is_answered_without_canary(self, world: World, status: RolloutStatus) -> bool:
        """Return whether others answer what went to a canary whose pods are gone, once it has no weight."""
        return world.is_selectable(status.stable_revision)

    def weights_without_canary(self, weights: Weights, now: datetime) -> Weights:
        """Return the weights after the pods of a canary have gone: it gets nothing from now on."""
        return Weights(desired=weights.desired, applied_at=now)

    def only_stable_serves(self, _world: World, _stable: Revision) -> bool:
        """Return whether no other revision gets requests for no other reason than that its pods are there."""
        return True

    def is_draining(self, world: World, status: RolloutStatus) -> bool:
        """Return whether counters may still move for the last canary, which had its traffic in the same way."""
        return status.drain_until is not None and world.now < status.drain_until

    def pods_needed(self, spec: RolloutSpec, status: RolloutStatus) -> int:
        """
        Return how many canary pods have to be available before the desired weight may be applied.

        A canary size that was set by hand (setCanaryScale) counts instead of the weight's; a
        header or mirror route needs a pod like any weight. Of a Rollout without pods it is none.
        """
        total, desired = stable_replicas(spec, status), status.weights.desired
        if total == 0:
            return 0
        least = 1 if desired or split_of(spec, status).names else 0
        if status.canary_scale is not None and desired < 100:
            return max(status.canary_scale, least)
        return max(canary_replicas(total, desired), least)

    def pods_serving(self, spec: RolloutSpec, status: RolloutStatus) -> int:
        """Return how many canary pods the weight needs that is applied, or are there for it by hand."""
        return _at_most_by_hand(
            status, canary_replicas(stable_replicas(spec, status), status.weights.applied)
        )

    def attainable_weight(self, _spec: RolloutSpec, _status: RolloutStatus, percent: int) -> int:
        """Return the weight that is had when `percent` is asked for."""
        return percent

    def stable_at_first_sight(self, world: World) -> ReplicaSet | None:
        """Return the revision that has the users' traffic, as far as objects alone tell."""
        service = world.stable_service
        return world.observed.replica_sets.get(service.selected_hash) if service else None

    def scaled(self, world: World, status: RolloutStatus) -> tuple[list[ReplicaSet], str]:
        """
        Return the pods that /scale counts in a release, and the hash that selects them; "" selects all.

        They are those that users' requests reach, together: an autoscaler works out from all of
        them how many pods the traffic needs, and `spec.replicas` is that number.
        """
        stable = world.replica_set(status.stable_revision)
        current = world.replica_set(status.current_revision)
        return [each for each in (stable, current) if each is not None], ""

    def unconfirmed(self, world: World, status: RolloutStatus) -> str:
        """Return what is said while the weight, or a route, is not what the step wants."""
        waits = "; ".join(world.route.unconfirmed)
        because = f": {waits}" if waits else ""
        if status.weights.applied == status.weights.desired:
            return f"the header and mirror routes are not confirmed yet{because}"
        return f"weight {status.weights.desired} % is not confirmed by the routes yet{because}"

    def strategy(self, spec: RolloutSpec) -> str:
        """Return the strategy as people call it: `canary`, and its routers' fields in brackets."""
        return f"canary ({', '.join(router.field for router in spec.routers)})"

    def place(self, status: RolloutStatus) -> str:
        """Return where the traffic is, to be put behind a step."""
        return f"at {status.weights.applied} %"

    def applied(self, _spec: RolloutSpec, status: RolloutStatus) -> str:
        """Return the words for a weight that is applied now."""
        return f"the canary has {status.weights.desired} % of the traffic"


class RouterWeight(WeightMechanism):
    """The objects of routers (`rollouts.traffic`): a write to each, confirmed by all."""

    is_routed = True
    needs_canary_service = True
    mixes_counters = True

    def route(self, world: World, _status: RolloutStatus) -> Route:
        return world.route

    def reaches_canary(self, world: World, status: RolloutStatus) -> bool:
        service, current = world.canary_service, status.current_revision
        return service is not None and current is not None and service.selected_hash == current.hash

    def live_route(self, world: World) -> Route:
        return world.route


class ServiceSwitch(WeightMechanism):
    """The active Service of blue-green: one write, all or nothing."""

    is_switched = True
    has_preview = True
    keeps_previous = True

    def route(self, world: World, status: RolloutStatus) -> Route:
        """
        Return what the active Service selects: one revision, and so all or nothing.

        Without its key it selects the new revision's pods beside the old ones, once there are any.
        """
        service, findings = world.stable_service, world.route.findings
        stable, current = status.stable_revision, status.current_revision
        if service is None or stable is None or current is None or stable.hash == current.hash:
            return Route(findings=findings)
        if service.selected_hash == stable.hash:
            return Route(exists=True, findings=findings)
        if service.selected_hash == current.hash:
            return Route(exists=True, weight=100, highest=100, findings=findings)
        new = world.replica_set(current)
        shared = service.selected_hash == "" and new is not None and new.existing > 0
        return Route(exists=True, weight=None, highest=100 if shared else 0, findings=findings)

    def reaches_canary(self, _world: World, _status: RolloutStatus) -> bool:
        return True

    def is_bound(self, world: World, status: RolloutStatus) -> bool:
        service, current = world.stable_service, status.current_revision
        if service is not None and current is not None and service.selected_hash == current.hash:
            return status.stable_revision is not None
        return super().is_bound(world, status)

    def is_being_switched(self, world: World, status: RolloutStatus) -> bool:
        service, sets = world.stable_service, world.observed.replica_sets
        if service is None or not service.by_label or service.selected_hash:
            return False
        labelled = {hash_ for hash_, each in sets.items() if each.has_stable_label}
        both = (status.stable_revision, status.current_revision)
        return labelled == {each.hash for each in both if each is not None}

    def pods_serving(self, spec: RolloutSpec, status: RolloutStatus) -> int:
        """Return how many the weight needs: a size that was set by hand is the preview's."""
        return canary_replicas(stable_replicas(spec, status), status.weights.applied)

    def scaled(self, world: World, status: RolloutStatus) -> tuple[list[ReplicaSet], str]:
        """Return the pods of the one that has everything: the other is only idle."""
        stable = world.replica_set(status.stable_revision)
        current = world.replica_set(status.current_revision)
        found = (current if status.weights.applied == 100 else stable) or current
        return ([found], found.hash) if found is not None else ([], "")

    def unconfirmed(self, world: World, _status: RolloutStatus) -> str:
        return f"Service {world.spec.stable_service} is not switched yet"

    def strategy(self, _spec: RolloutSpec) -> str:
        return "blueGreen"

    def place(self, status: RolloutStatus) -> str:
        return f"{'after' if status.weights.applied else 'before'} the switch"

    def applied(self, spec: RolloutSpec, status: RolloutStatus) -> str:
        current = status.current_revision
        hash_ = current.hash if current is not None else ""
        return f"Service {spec.stable_service} has switched to {hash_}"


class PodShare(WeightMechanism):
    """The pods of the two revisions, behind one Service: a change of two sizes, confirmed by the pods."""

    pods_are_the_weight = True
    may_be_without_stable = True

    def route(self, world: World, status: RolloutStatus) -> Route:
        """Return the canary's share of the pods, once they are all there."""
        findings = world.route.findings
        stable = world.replica_set(status.stable_revision)
        canary = world.replica_set(status.current_revision)
        if stable is None or stable is canary:
            return Route(findings=findings)
        others = sum(each.existing for each in world.others(status))
        ready, wanted = (canary.ready, canary.wanted) if canary is not None else (0, 0)
        least = enough_pods(world.spec, wanted, canary)
        arrived = canary is None or (canary.available >= least and canary.existing <= wanted)
        still = arrived and others == 0 and stable.existing <= stable.wanted
        return Route(
            exists=True,
            weight=share_percent(wanted, stable.wanted) if still else None,
            highest=max(share_percent(ready, stable.ready), 1 if others else 0),
            findings=findings,
        )

    def reaches_canary(self, world: World, status: RolloutStatus) -> bool:
        canary = world.replica_set(status.current_revision)
        return canary is not None and canary.ready > 0

    def is_bound(self, _world: World, _status: RolloutStatus) -> bool:
        """Return that they are to get their share."""
        return True

    def is_restored(self, world: World, status: RolloutStatus) -> bool:
        return self.route(world, status).weight is not None

    def is_answered_without_canary(self, _world: World, _status: RolloutStatus) -> bool:
        """Return that they do: its share went with its pods."""
        return True

    def weights_without_canary(self, weights: Weights, _now: datetime) -> Weights:
        """Return the weights as they are: the pods that are gone were the weight."""
        return weights

    def only_stable_serves(self, world: World, stable: Revision) -> bool:
        sets = world.observed.replica_sets.values()
        return all(each.existing == 0 for each in sets if each.hash != stable.hash)

    def is_draining(self, _world: World, _status: RolloutStatus) -> bool:
        return False

    def pods_needed(self, spec: RolloutSpec, status: RolloutStatus) -> int:
        return pod_shares(spec, stable_replicas(spec, status), status.weights.desired)[0]

    def pods_serving(self, spec: RolloutSpec, status: RolloutStatus) -> int:
        share = pod_shares(spec, stable_replicas(spec, status), status.weights.applied)[0]
        return _at_most_by_hand(status, share)

    def attainable_weight(self, spec: RolloutSpec, status: RolloutStatus, percent: int) -> int:
        canary, stable = pod_shares(spec, stable_replicas(spec, status), percent)
        return share_percent(canary, stable)

    def stable_at_first_sight(self, world: World) -> ReplicaSet | None:
        running = [each for each in world.observed.replica_sets.values() if each.existing > 0]
        return min(running, key=lambda each: each.revision, default=None)

    def unconfirmed(self, _world: World, status: RolloutStatus) -> str:
        return f"the canary does not have {status.weights.desired} % of the pods yet"

    def strategy(self, _spec: RolloutSpec) -> str:
        return "canary (by replicas)"

    def applied(self, spec: RolloutSpec, status: RolloutStatus) -> str:
        rounded = _rounded(spec, status)
        return f"the canary has {status.weights.desired} % of the pods{rounded}"


def _at_most_by_hand(status: RolloutStatus, needed: int) -> int:
    """Return how many of the pods that a weight needs there are to be, where a size was set by hand."""
    return needed if status.canary_scale is None else min(needed, max(1, status.canary_scale))


def _rounded(spec: RolloutSpec, status: RolloutStatus) -> str:
    """Return what was asked for, in words, where whole pods can't be had to that."""
    steps, index = spec.steps, status.current_step_index
    weights = [step.set_weight for step in steps[: (index or 0) + 1] if step.set_weight is not None]
    if index is None or index >= len(steps) or not weights or weights[-1] == status.weights.desired:
        return ""
    return f", the nearest to {weights[-1]} % that whole pods can be"


_ROUTER_WEIGHT, _SERVICE_SWITCH, _POD_SHARE = RouterWeight(), ServiceSwitch(), PodShare()


def mechanism_of(spec: RolloutSpec) -> WeightMechanism:
    """Return what carries the weight by this spec."""
    canary = spec.strategy.canary
    if canary is None:
        return _SERVICE_SWITCH
    return _POD_SHARE if canary.traffic_routing is None else _ROUTER_WEIGHT


def current_route(world: World, status: RolloutStatus) -> Route:
    """Return what the traffic does now, whatever carries it."""
    return mechanism_of(world.spec).route(world, status)


def reaches_canary(world: World, status: RolloutStatus) -> bool:
    """Return whether what is sent to a canary arrives at the current revision."""
    return mechanism_of(world.spec).reaches_canary(world, status)


def pods_needed(spec: RolloutSpec, status: RolloutStatus) -> int:
    """Return how many canary pods have to be available before the desired weight may be applied."""
    return mechanism_of(spec).pods_needed(spec, status)


def missing_service(world: World) -> str:
    """Return what is said of the Service that users' requests reach, where it does not exist; or nothing."""
    name = world.spec.stable_service
    if name is None or name in world.observed.services:
        return ""
    field = world.spec.active_strategy.stable_service_field
    return service_not_found(name, field)
