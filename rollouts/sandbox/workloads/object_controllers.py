"""What the controllers of stored objects share: whom they reconcile, and how they get hold of what is theirs."""

from abc import ABC, abstractmethod
from collections.abc import Iterable

from rollouts.model.kinds import JSON, FrozenJSON, Kind
from rollouts.model.owners import controller_of, is_controlled_by
from rollouts.sandbox.apiserver.etcd import Change
from rollouts.sandbox.apiserver.objects import labels_of
from rollouts.sandbox.apiserver.selectors import labels_match
from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.workloads.control_loop import Key
from rollouts.sandbox.workloads.objects import adopted, is_terminating, released
from rollouts.sandbox.workloads.recorder import Recorder, StoredEvents


class ObjectController(ABC):
    """A `Controller` of the objects of one kind, the first of `kinds`. One that is being deleted is left alone."""

    name: str
    kinds: tuple[Kind, ...]

    def __init__(self, store: Store) -> None:
        self._store = store
        self._events = Recorder(StoredEvents(store), self.name)

    @abstractmethod
    def keys(self, change: Change) -> Iterable[Key]:
        """Return what may have to be reconciled because of `change`."""

    @abstractmethod
    def reconcile_object(self, found: JSON) -> float | None:
        """Bring the world closer to what `found` wants; return when to look again, in seconds."""

    def reconcile(self, key: Key) -> float | None:
        found = self._store.get(self.kinds[0], *key)
        return None if found is None or is_terminating(found) else self.reconcile_object(found)


class OwningController(ObjectController):
    """One whose objects own those of the second of `kinds` that their selectors select."""

    def keys(self, change: Change) -> Iterable[Key]:
        owners, obj = self.kinds[0], change.object
        namespace = obj["metadata"]["namespace"]
        if change.kind == owners:
            return [(namespace, obj["metadata"]["name"])]
        owner = controller_of(obj)
        if owner is not None:
            return [(namespace, owner["name"])] if owner["kind"] == owners.name else []
        return [
            (namespace, found["metadata"]["name"])
            for found in self._store.select(owners, namespace)
            if labels_match(found["spec"]["selector"], labels_of(obj))
        ]

    def can_be_adopted(self, obj: FrozenJSON) -> bool:
        """Return whether one that nobody controls may be taken."""
        return not is_terminating(obj)

    def claim(self, owner: FrozenJSON) -> list[JSON]:
        """Adopt and release; return the objects that are the owner's own then."""
        owners, owned = self.kinds[:2]
        namespace = owner["metadata"]["namespace"]
        claimed = []
        for found in self._store.select(owned, namespace):
            wanted = labels_match(owner["spec"]["selector"], labels_of(found))
            name = found["metadata"]["name"]
            if is_controlled_by(found, owner):
                if wanted:
                    claimed.append(found)
                else:
                    self._store.patch(owned, namespace, name, released(found, owner))
            elif wanted and controller_of(found) is None and self.can_be_adopted(found):
                patch = adopted(found, owner, owners)
                claimed.append(self._store.patch(owned, namespace, name, patch))
        return claimed
