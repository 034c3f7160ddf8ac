"""
One kind's objects as last seen, and the feed of what changed.

Objects are plain JSON without `metadata.managedFields` (but for what `Scope.owners` asks for),
and, but for Rollouts (whose diff a user may ask for), without kubectl's last-applied annotation:
both are large and are not read. An object handed out is never changed here; a newer one takes
its place.

A scope may narrow it further, to the objects that carry a label and to some of their fields.
One that loses the label is gone from here: the watch says so itself (a DELETED event), and
the response to a write of ours is held against the label here.

Two sources write here: the watch, and the responses to our own writes, which come earlier
or later than the watch tells of them. resourceVersions put them in order: they are compared
as numbers, which every API server's are (and which KEP-5504 made a promise); where one is
no number, the watch is believed.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rollouts.kube.label_index import LabelIndex
from rollouts.kube.paths import WatchScope, ref_of
from rollouts.kube.write_diff import other_owners, owned_fields
from rollouts.model.kinds import FIELD_MANAGER, JSON, ROLLOUT, FrozenJSON, Kind, Ref
from rollouts.model.merge_patch import merged
from rollouts.ports import Scope

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


LEAP = 100_000_000
"""No API server makes so many changes while it is not heard of."""


@dataclass(frozen=True, slots=True)
class StateBeforeList:
    """
    What was known of a scope when a list of it was asked for.

    Lists are asked for as of now, so what one says is no older; unless the API server has come back
    from an older backup, and all that was known after that never happened.
    """

    version: int = 0
    deleted: frozenset[str] = frozenset()
    """The uids of objects that a delete of ours has ended."""

    def is_lost(self, version: int | None, uids: Iterable[str]) -> bool:
        """Return whether a list at this version, of these objects, says that it never happened."""
        return not self.goes_on_at(version) or not self.deleted.isdisjoint(uids)

    def goes_on_at(self, version: int | None) -> bool:
        """
        Return whether an API server that is at this version may have all that was known.

        One that was restored is at a lower one; or far beyond, where etcd was told to raise all versions
        so that no watch goes on (`etcdutl snapshot restore --bump-revision`, as a rule by a billion).
        """
        if version is None or not self.version:
            return True
        return self.version <= version < self.version + LEAP


@dataclass(frozen=True, slots=True)
class ListDifference:
    """What a list has changed: what differs now, and whether what was known before is of a lost future."""

    differing: list[Ref]
    rewound: bool


class KindCache:
    """The objects of one kind that are within `kept`, by namespace and name."""

    def __init__(self, kind: Kind, kept: Scope | None = None) -> None:
        self.kind = kind
        self.kept = kept or Scope()
        self._objects: dict[str, dict[str, JSON]] = defaultdict(dict)
        self._index = LabelIndex()
        self._owned: dict[tuple[str, str], JSON] = {}
        self._deleted_uids: dict[str, Ref] = {}
        self._seen: dict[WatchScope, int] = {}
        self._wrote: dict[WatchScope, int] = {}
        self._fields = _tree(self.kept.fields)

    def get(self, namespace: str, name: str) -> JSON | None:
        return self._objects.get(namespace, {}).get(name)

    def select(self, namespace: str, labels: Mapping[str, str] | None) -> list[JSON]:
        """Return a namespace's objects (all for "") whose labels include `labels`."""
        if not labels:
            return list(self._within(WatchScope(namespace)))
        found: Iterable[JSON]
        if namespace:
            keys = self._index.candidates(namespace, labels)
            found = (self._objects[key[0]][key[1]] for key in keys)
        else:
            found = self._within(WatchScope())
        return [obj for obj in found if labels.items() <= _labels(obj).items()]

    def refs(self) -> list[Ref]:
        return [ref_of(self.kind, obj) for obj in self._within(WatchScope())]

    def owned(self, ref: Ref) -> JSON:
        """Return the fields that we have applied to the object, as `fieldsV1`."""
        return self._owned.get((ref.namespace, ref.name), {})

    def known(self, scope: WatchScope) -> StateBeforeList:
        """Return what a list of `scope` that is asked for now can't be older than."""
        version = max(self._seen.get(scope, 0), self._wrote.get(scope, 0))
        deleted = (uid for uid, ref in self._deleted_uids.items() if scope.contains(ref))
        return StateBeforeList(version, frozenset(deleted))

    def replace(
        self,
        scope: WatchScope,
        objects: Iterable[JSON],
        version: str,
        known: StateBeforeList | None = None,
    ) -> ListDifference:
        """
        Make the cache what a list of `scope` at `version` said; `known` is from when it was asked for.

        Returns what differs, deletions included. An object that a write's response has
        brought after the list was made stays. A list older than what was known before (the
        API server was restored from a backup) is believed all the same.
        """
        listed_at, listed = number_of(version), list(objects)
        uids = {str(obj["metadata"].get("uid", "")) for obj in listed}
        rewound = (known or self.known(scope)).is_lost(listed_at, uids)
        self._deleted_uids = {
            uid: ref
            for uid, ref in self._deleted_uids.items()
            if not scope.contains(ref) or (uid in uids and not rewound)
        }
        differing: list[Ref] = []
        present: set[tuple[str, str]] = set()
        for obj in listed:
            metadata = obj["metadata"]
            key = (metadata.get("namespace", ""), metadata["name"])
            present.add(key)
            if rewound or not self._newer_than(key, listed_at):
                differing += self._store(obj)
        for obj in list(self._within(scope)):
            ref = ref_of(self.kind, obj)
            key = (ref.namespace, ref.name)
            if key not in present and (rewound or not self._newer_than(key, listed_at)):
                differing += self._drop(ref)
        if listed_at is not None:
            self._seen[scope] = listed_at
        if rewound:
            self._wrote.pop(scope, None)
        return ListDifference(differing, rewound)

    def clear(self) -> list[Ref]:
        """Forget all, since the kind is not served any more. Returns what is gone."""
        gone = self.refs()
        for ref in gone:
            self._drop(ref)
        self._deleted_uids.clear()
        self._seen.clear()
        self._wrote.clear()
        return gone

    def watched(self, scope: WatchScope, event: str, obj: JSON) -> list[Ref]:
        """Take over an event (ADDED, MODIFIED or DELETED) of the watch of `scope`."""
        ref = ref_of(self.kind, obj)
        version = _version(obj)
        self.advance(scope, str(obj["metadata"].get("resourceVersion", "")))
        key = (ref.namespace, ref.name)
        if event == "DELETED":
            self._deleted_uids.pop(obj["metadata"].get("uid", ""), None)
            return [] if self._newer_than(key, version) else self._drop(ref)
        return [] if self._newer_than(key, version) else self._store(obj)

    def advance(self, scope: WatchScope, version: str) -> None:
        """Note that the watch of `scope` has shown everything up to `version`."""
        number = number_of(version)
        if number is not None:
            self._seen[scope] = max(number, self._seen.get(scope, 0))

    def wrote(self, obj: JSON) -> list[Ref]:
        """Take over the object that a write of ours returned, unless the watch is ahead of it."""
        ref = ref_of(self.kind, obj)
        version = _version(obj)
        seen = max(
            (number for scope, number in self._seen.items() if scope.contains(ref)), default=0
        )
        if version is not None and version <= seen:
            return []  # the watch has shown this and perhaps more, such as its deletion
        if self._newer_than((ref.namespace, ref.name), version):
            return []
        for scope in self._seen:
            if scope.contains(ref):
                self._wrote[scope] = max(version or 0, self._wrote.get(scope, 0))
        return self._store(obj)

    def deleted(self, ref: Ref, uid: str) -> list[Ref]:
        """
        Drop an object that a delete of ours ended; late events of the watch don't bring it back.

        The next one of its name stays, which the watch may have shown already; without a `uid` any is meant.
        """
        obj = self.get(ref.namespace, ref.name)
        cached = "" if obj is None else obj["metadata"].get("uid", "")
        if obj is None or uid not in ("", cached):
            return []
        self._deleted_uids[cached] = ref
        return self._drop(ref)

    def trimmed(self, obj: FrozenJSON) -> JSON:
        """Return the object as it is kept."""
        metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
        owners = other_owners(obj, FIELD_MANAGER, self.kept.owners) if self.kept.owners else []
        if owners:
            metadata["managedFields"] = owners
        annotations = metadata.get("annotations")
        if self.kind != ROLLOUT and annotations and _LAST_APPLIED in annotations:
            metadata["annotations"] = {
                key: value for key, value in annotations.items() if key != _LAST_APPLIED
            }
            if not metadata["annotations"]:
                del metadata["annotations"]
        # Items of a list come without what every one of them has in common.
        head = {"apiVersion": self.kind.api_version, "kind": self.kind.name}
        narrowed: JSON = _narrowed({**head, **obj, "metadata": metadata}, self._fields)
        return narrowed

    def _within(self, scope: WatchScope) -> Iterator[JSON]:
        namespaces = [scope.namespace] if scope.namespace else list(self._objects)
        for namespace in namespaces:
            objects = self._objects.get(namespace, {})
            if not scope.name:
                yield from list(objects.values())
            elif scope.name in objects:
                yield objects[scope.name]

    def _newer_than(self, key: tuple[str, str], version: int | None) -> bool:
        """Return whether the cached object is newer than `version`."""
        obj = self.get(*key)
        have = None if obj is None else _version(obj)
        return have is not None and version is not None and have > version

    def _store(self, obj: JSON) -> list[Ref]:
        metadata = obj["metadata"]
        if metadata.get("uid", "-") in self._deleted_uids:
            return []
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        if self.kept.label and self.kept.label not in _labels(obj):
            return self._drop(Ref(self.kind, namespace, name))
        self._note_owned((namespace, name), obj)
        trimmed = self.trimmed(obj)
        before = self._objects[namespace].get(name)
        if before is not None:
            self._index.remove((namespace, name), _labels(before))
        self._index.add((namespace, name), _labels(trimmed))
        self._objects[namespace][name] = trimmed
        return (
            []
            if before is not None and _same(before, trimmed)
            else [Ref(self.kind, namespace, name)]
        )

    def _note_owned(self, key: tuple[str, str], obj: FrozenJSON) -> None:
        if "managedFields" not in obj["metadata"]:
            return
        owned = owned_fields(obj, FIELD_MANAGER)
        if owned:
            self._owned[key] = owned
        else:
            self._owned.pop(key, None)

    def _drop(self, ref: Ref) -> list[Ref]:
        self._owned.pop((ref.namespace, ref.name), None)
        gone = self._objects.get(ref.namespace, {}).pop(ref.name, None)
        if gone is None:
            return []
        self._index.remove((ref.namespace, ref.name), _labels(gone))
        return [ref]


class ChangeFeed:
    """What one reader of `changes` has still to be told; a reference waits there only once."""

    def __init__(self) -> None:
        self._pending: dict[Ref, None] = {}
        self._arrived = asyncio.Event()
        self._closed = False

    def put(self, refs: Iterable[Ref]) -> None:
        self._pending.update(dict.fromkeys(refs))
        if self._pending:
            self._arrived.set()

    def close(self) -> None:
        """End the reader after what is pending."""
        self._closed = True
        self._arrived.set()

    async def read(self) -> AsyncIterator[Ref]:
        while True:
            while self._pending:
                ref = next(iter(self._pending))
                del self._pending[ref]
                yield ref
            if self._closed:
                return
            self._arrived.clear()
            await self._arrived.wait()


def _tree(fields: Iterable[str]) -> JSON:
    """Return the paths as a tree, with what says which object it is; empty for no paths."""
    tree: JSON = {}
    for path in fields:
        branch: JSON = {}
        for field in reversed(path.split(".")):
            branch = {field: branch}
        tree = merged(tree, branch)
    return {"apiVersion": {}, "kind": {}, **tree} if tree else {}


def _narrowed(value: Any, tree: FrozenJSON) -> Any:
    """Return what the value has of the tree's fields, of every item of a list; all for no tree."""
    if tree and isinstance(value, dict):
        return {key: _narrowed(value[key], tree[key]) for key in tree if key in value}
    if tree and isinstance(value, list):
        return [_narrowed(each, tree) for each in value]
    return value


def _same(before: JSON, after: JSON) -> bool:
    """Return whether the two differ in nothing that anyone could act upon."""
    if before.keys() != after.keys():
        return False
    one, other = dict(before["metadata"]), dict(after["metadata"])
    one.pop("resourceVersion", None)
    other.pop("resourceVersion", None)
    try:
        return one == other and all(before[key] == after[key] for key in after if key != "metadata")
    except RecursionError:  # too deep to be compared
        return False


def _labels(obj: JSON) -> dict[str, str]:
    labels: dict[str, str] = obj["metadata"].get("labels") or {}
    return labels


def _version(obj: FrozenJSON) -> int | None:
    return number_of(str(obj["metadata"].get("resourceVersion", "")))


def number_of(version: str) -> int | None:
    """Return a resourceVersion as a number; None when it is none."""
    return int(version) if version.isdecimal() else None
