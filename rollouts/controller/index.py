"""Which Rollouts a changed object concerns."""

from collections import defaultdict
from collections.abc import Iterator

from rollouts.controller.objects import labels_of, named_services, named_workload
from rollouts.controller.services import SERVICE_NAME_LABEL
from rollouts.model.kinds import (
    AUTOSCALER,
    CRD,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    ENDPOINT_SLICE,
    HASH_LABEL,
    POD,
    REPLICA_SET,
    ROLLOUT,
    SCALED_OBJECT,
    SERVICE,
    FrozenJSON,
    Kind,
    Ref,
)
from rollouts.model.owners import controller_of, owning_rollout
from rollouts.model.rollout_key import Key
from rollouts.model.unchecked_json import mapping
from rollouts.ports import Cluster
from rollouts.traffic.routers import ROUTERS, kinds, written_kinds

ROUTING = frozenset(written_kinds())
SCALERS = (AUTOSCALER, SCALED_OBJECT)
NAMED = frozenset([SERVICE, DEPLOYMENT, CRD]) | ROUTING
_SHARED_BY_NOBODY = (SERVICE, DEPLOYMENT)
"""Of these each has one Rollout at most, so that any other that names it has to hear of that one."""
_OF_ANYBODY = frozenset(
    [DISRUPTION_BUDGET, *(each.kind for each in kinds() if not each.is_written)]
)
"""What may select anybody's pods, or be attached to anybody's routes and Services."""
_Named = tuple[Kind, str, str]


class Index:
    """
    From any object to the Rollouts that have to hear of it.

    Remembers whom an object concerned, because of one that is gone only the name is known.
    Reads a Rollout's spec leniently: an invalid one must still hear of its own change.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._named_by: dict[_Named, set[Key]] = defaultdict(set)
        self._names_of: dict[Key, frozenset[_Named]] = {}
        self._concerned: dict[Ref, frozenset[Key]] = {}

    def rollouts(self, ref: Ref) -> frozenset[Key]:
        """Return the Rollouts that a change of `ref` concerns, now and before it."""
        obj = self._cluster.get(ref)
        if ref.kind == ROLLOUT:
            key = Key(ref.namespace, ref.name)
            rivals = self._rivals(key)
            self._learn(key, obj)
            return frozenset([key]) | rivals | self._rivals(key)
        now = frozenset(self._concerns(ref, obj))
        before = self._concerned.pop(ref, frozenset())
        if obj is not None and now and _is_remembered(ref, obj):
            self._concerned[ref] = now
        return now | before

    def _rivals(self, key: Key) -> frozenset[Key]:
        """Return the Rollouts that name a Service or Deployment of this one; it is one of them itself."""
        names = (name for name in self._names_of.get(key, ()) if name[0] in _SHARED_BY_NOBODY)
        return frozenset().union(*(self._named_by.get(name, ()) for name in names))

    def _learn(self, key: Key, rollout: FrozenJSON | None) -> None:
        names = frozenset(_names(key, rollout)) if rollout is not None else frozenset()
        for gone in self._names_of.get(key, frozenset()) - names:
            self._named_by[gone].discard(key)
            if not self._named_by[gone]:
                del self._named_by[gone]
        for name in names:
            self._named_by[name].add(key)
        if names:
            self._names_of[key] = names
        else:
            self._names_of.pop(key, None)

    def _concerns(self, ref: Ref, obj: FrozenJSON | None) -> Iterator[Key]:
        owner = owning_rollout(obj) if obj is not None else None
        if ref.kind in NAMED:
            named = self._named_by.get((ref.kind, ref.namespace, ref.name))
            if named:
                yield from named
            elif ref.kind in ROUTING and owner is None and ref not in self._concerned:
                # Nobody's: it may lead to, or be a canary of, what is anybody's.
                yield from (key for key in self._names_of if key.namespace == ref.namespace)
        if owner is not None:
            yield Key(ref.namespace, owner)
        if obj is not None:
            yield from self._of_content(ref, obj)

    def _of_content(self, ref: Ref, obj: FrozenJSON) -> Iterator[Key]:
        """Yield whom an object concerns by what it says."""
        if ref.kind == REPLICA_SET:
            hash_ = labels_of(obj).get(HASH_LABEL)
            if owning_rollout(obj) is None and hash_ and ref.name.endswith(f"-{hash_}"):
                yield Key(ref.namespace, ref.name.removesuffix(f"-{hash_}"))
        elif ref.kind == POD:
            yield from self._of_pod(ref, obj)
        elif ref.kind == SERVICE:
            yield from self._of_service(ref, obj)
        elif ref.kind == ENDPOINT_SLICE:
            service = labels_of(obj).get(SERVICE_NAME_LABEL, "")
            yield from self._named_by.get((SERVICE, ref.namespace, service), ())
        elif ref.kind in SCALERS:
            yield from self._of_scaler(ref, obj)
        elif ref.kind in _OF_ANYBODY:
            for rollout in self._cluster.select(ROLLOUT, ref.namespace):
                yield Key.of(rollout)

    def _of_scaler(self, ref: Ref, scaler: FrozenJSON) -> Iterator[Key]:
        """Yield whom it scales: the Rollout, or, by mistake, what is a Rollout's."""
        target = mapping(mapping(scaler.get("spec")).get("scaleTargetRef")).get("name")
        name = str(target or "")
        yield from self._named_by.get((DEPLOYMENT, ref.namespace, name), ())
        for candidate in (name, name.rpartition("-")[0]):
            if candidate and self._cluster.get(Ref(ROLLOUT, ref.namespace, candidate)) is not None:
                yield Key(ref.namespace, candidate)

    def _of_service(self, ref: Ref, service: FrozenJSON) -> Iterator[Key]:
        """Yield whose revision it selects, also when it is named no longer."""
        hash_ = mapping(mapping(service.get("spec")).get("selector")).get(HASH_LABEL)
        if isinstance(hash_, str) and hash_:
            for found in self._cluster.select(REPLICA_SET, ref.namespace, {HASH_LABEL: hash_}):
                owner = owning_rollout(found)
                if owner is not None:
                    yield Key(ref.namespace, owner)

    def _of_pod(self, ref: Ref, pod: FrozenJSON) -> Iterator[Key]:
        owner = controller_of(pod)
        if owner is None or owner.get("kind") != REPLICA_SET.name:
            return
        replica_set = Ref(REPLICA_SET, ref.namespace, str(owner.get("name")))
        found = self._cluster.get(replica_set)
        if found is not None:
            yield from self._concerns(replica_set, found)
        else:
            yield from self._concerned.get(replica_set, ())


def _is_remembered(ref: Ref, obj: FrozenJSON) -> bool:
    """Return whether whom it concerns can't be told from its name alone once it is gone."""
    if ref.kind in ROUTING:
        return owning_rollout(obj) is not None
    by_content = (REPLICA_SET, POD, SERVICE, ENDPOINT_SLICE, *_OF_ANYBODY)
    return ref.kind in SCALERS or ref.kind in by_content


def _names(key: Key, rollout: FrozenJSON) -> Iterator[_Named]:
    """Yield what a spec names: Services, a Deployment, routing objects, their CRDs; however wrong it is."""
    spec = mapping(rollout.get("spec"))
    canary = mapping(mapping(spec.get("strategy")).get("canary"))
    for service in named_services(rollout):
        yield SERVICE, key.namespace, service
    deployment = named_workload(rollout)
    if deployment:
        yield DEPLOYMENT, key.namespace, deployment
    routing = mapping(canary.get("trafficRouting"))
    for router in ROUTERS:
        if router.spec.field in routing:
            for kind, name in router.spec.names_in(routing[router.spec.field], key.name):
                yield kind, key.namespace, name
            for each in router.kinds:
                if each.is_written and each.versions:
                    yield CRD, "", each.kind.crd_name
