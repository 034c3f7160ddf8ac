"""Which Rollouts a changed object concerns."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from rollouts.controller.keys import Key
from rollouts.controller.objects import controller_of, labels_of, named_services
from rollouts.controller.observe import SERVICE_NAME_LABEL
from rollouts.model.kinds import (
    ENDPOINT_SLICE,
    HASH_LABEL,
    INGRESS,
    POD,
    REPLICA_SET,
    ROLLOUT,
    SERVICE,
    FrozenJSON,
    Kind,
    Ref,
)
from rollouts.ports import Cluster

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
        """Return the Rollouts that name a Service that this one names; it is one of them itself."""
        services = (name for name in self._names_of.get(key, ()) if name[0] == SERVICE)
        return frozenset().union(*(self._named_by.get(name, ()) for name in services))

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
        owner = _owning_rollout(obj) if obj is not None else None
        if ref.kind in (SERVICE, INGRESS):
            named = self._named_by.get((ref.kind, ref.namespace, ref.name))
            if named:
                yield from named
            elif ref.kind == INGRESS and owner is None and ref not in self._concerned:
                # Nobody's: it may be a canary of anybody's host and path.
                yield from (key for key in self._names_of if key.namespace == ref.namespace)
        if obj is None:
            return
        if owner is not None:
            yield Key(ref.namespace, owner)
        if ref.kind == REPLICA_SET:
            hash_ = labels_of(obj).get(HASH_LABEL)
            if owner is None and hash_ and ref.name.endswith(f"-{hash_}"):
                yield Key(ref.namespace, ref.name.removesuffix(f"-{hash_}"))
        elif ref.kind == POD:
            yield from self._of_pod(ref, obj)
        elif ref.kind == ENDPOINT_SLICE:
            service = labels_of(obj).get(SERVICE_NAME_LABEL, "")
            yield from self._named_by.get((SERVICE, ref.namespace, service), ())

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
    """Say whether whom it concerns can't be told from its name alone once it is gone."""
    if ref.kind == INGRESS:
        return _owning_rollout(obj) is not None
    return ref.kind in (REPLICA_SET, POD, ENDPOINT_SLICE)


def _owning_rollout(obj: FrozenJSON) -> str | None:
    owner = controller_of(obj)
    return str(owner.get("name")) if owner and owner.get("kind") == ROLLOUT.name else None


def _names(key: Key, rollout: FrozenJSON) -> Iterator[_Named]:
    """Yield the Services and Ingresses that a Rollout's spec names, however wrong it is."""
    spec = _mapping(rollout.get("spec"))
    canary = _mapping(_mapping(spec.get("strategy")).get("canary"))
    for service in named_services(rollout):
        yield SERVICE, key.namespace, service
    nginx = _mapping(_mapping(canary.get("trafficRouting")).get("nginx"))
    ingresses = nginx.get("stableIngresses")
    for name in ingresses if isinstance(ingresses, list) else ():
        yield INGRESS, key.namespace, str(name)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
