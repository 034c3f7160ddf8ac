"""
An in-memory `Cluster`, for tests of what talks to one.

It passes the contract suite in `tests/contract`; what the suite does not ask for, such as
defaults, validation and garbage collection, it does not do. `put`, `edit` and `drop` are
somebody else's changes. A kind that comes with a CRD is served as `tests.fakes.crds`
says, so a test has to `put` its CRD first. `writes` are those that would have been requests, in order; a test
may put errors into `failures`, which the next writes raise instead; `refuses` returns the error of
a write that is refused, each time it is tried.
"""

import re
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from rollouts.errors import Conflict, FieldError, InvalidSpec, NotFound, RetryLater
from rollouts.kube.cache import ChangeFeed
from rollouts.kube.events import event_for
from rollouts.kube.paths import ref_of
from rollouts.kube.write_diff import has_all_fields
from rollouts.model.kinds import CRD, DISRUPTION_BUDGET, EVENT, JSON, FrozenJSON, Kind, Ref
from rollouts.model.merge_patch import merged
from rollouts.ports import Apply, Create, Delete, Evict, Patch, Record, Write
from tests.fakes.crds import VERSIONS, established, read_version, serves

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_SERVERS_OWN = ("uid", "resourceVersion", "generation", "creationTimestamp")


def present() -> datetime:
    return datetime.now(UTC)


class FakeCluster:
    def __init__(self, now: Callable[[], datetime] = present) -> None:
        self._now = now
        self.writes: list[Write] = []
        self.failures: list[Exception] = []
        self.refuses: Callable[[Write], Exception | None] = lambda _: None
        self.unseen: dict[Kind, str] = {}
        """Why a kind may not be read."""
        self._objects: dict[Ref, JSON] = {}
        self._by_namespace: defaultdict[tuple[Kind, str], dict[Ref, JSON]] = defaultdict(dict)
        self._applied: dict[Ref, JSON] = {}
        self._version = 0
        self._feeds: list[ChangeFeed] = []
        self._served: dict[Kind, str | None] = {}
        self.told = 0
        """How many changes there have been."""

    # The port.

    def get(self, ref: Ref) -> JSON | None:
        found = self._objects.get(ref)
        return found if found is not None and self._read(ref.kind) else None

    def select(
        self, kind: Kind, namespace: str, labels: Mapping[str, str] | None = None
    ) -> list[JSON]:
        wanted = (labels or {}).items()
        found = self._all(kind) if not namespace else self._by_namespace[kind, namespace].values()
        if not found or not self._read(kind):
            return []
        if not wanted:
            return list(found)
        return [obj for obj in found if wanted <= (obj["metadata"].get("labels") or {}).items()]

    def refusal(self, kind: Kind, _namespace: str) -> str:
        return self.unseen.get(kind, "")

    async def write(self, write: Write) -> None:
        if self.failures:
            raise self.failures.pop(0)
        if (refusal := self.refuses(write)) is not None:
            raise refusal
        match write:
            case Create(kind, body):
                self._require(kind, body)
                self._create(write, ref_of(kind, body), body)
            case Apply(kind, body):
                self._require(kind, body)
                self._apply(write, ref_of(kind, body), body)
            case Patch():
                self._patch(write)
            case Delete(ref, uid):
                self._delete(write, ref, uid)
            case Evict(ref):
                self._evict(write, ref)
            case Record():
                self._record(write)

    def changes(self) -> AsyncIterator[Ref]:
        feed = ChangeFeed()
        feed.put(ref for ref in self._objects if self._read(ref.kind))
        self._feeds.append(feed)
        return feed.read()

    # What a test does as somebody else.

    def put(self, kind: Kind, body: FrozenJSON) -> JSON:
        """Store an object, status included."""
        ref = ref_of(kind, body)
        self._require(kind, {})
        before = self._objects.get(ref)
        return self._store(ref, merged({} if before is None else before, _copied(body)))

    def edit(self, ref: Ref, patch: FrozenJSON) -> JSON:
        """Merge-patch an object, status included."""
        return self._store(ref, merged(self._objects[ref], _copied(patch)))

    def twin(self, now: Callable[[], datetime]) -> "FakeCluster":
        """Return a cluster with the same objects, which goes its own way from here."""
        made = FakeCluster(now)
        made._objects, made._applied = dict(self._objects), dict(self._applied)
        for place, objects in self._by_namespace.items():
            made._by_namespace[place] = dict(objects)
        made._version = self._version
        return made

    def objects(self) -> Iterable[JSON]:
        return self._objects.values()

    def drop(self, ref: Ref) -> None:
        del self._objects[ref], self._by_namespace[ref.kind, ref.namespace][ref]
        self._applied.pop(ref, None)
        if ref.kind == CRD:
            self._served.clear()
        self._tell(ref)
        if ref.kind == CRD:
            for each in self._defined_by(ref):
                self.drop(each)

    # How it does it.

    def _all(self, kind: Kind) -> list[JSON]:
        return [obj for ref, obj in self._objects.items() if ref.kind == kind]

    def _create(self, write: Write, ref: Ref, body: FrozenJSON) -> None:
        if ref in self._objects:
            raise Conflict(f"{ref} exists")
        self._check(ref)
        self.writes.append(write)
        self._store(ref, {key: _copied(each) for key, each in body.items() if key != "status"})

    def _apply(self, write: Write, ref: Ref, body: FrozenJSON) -> None:
        self._check(ref)
        current, said = self._objects.get(ref), _copied(body)
        kept = _without(current or {}, _dropped(self._applied.get(ref, {}), said))
        if current is None or kept != current or not has_all_fields(current, said):
            self.writes.append(write)
            self._store(ref, merged(kept, said))
        self._applied[ref] = said

    def _patch(self, patch: Patch) -> None:
        current = self.get(patch.ref)
        if current is None:
            raise NotFound(f"{patch.ref} not found")
        body = _copied(patch.body)
        version = body.get("metadata", {}).get("resourceVersion")
        if version not in {None, current["metadata"]["resourceVersion"]}:
            raise Conflict(f"{patch.ref} has been modified")
        if patch.subresource == "status":
            body = {"status": body.get("status")}
        else:
            body.pop("status", None)
        result = merged(current, body)
        if result != current:
            self.writes.append(patch)
            self._store(patch.ref, result)

    def _delete(self, write: Write, ref: Ref, uid: str) -> None:
        current = self.get(ref)
        if current is None:
            return
        if uid not in {"", current["metadata"]["uid"]}:
            raise Conflict(f"{ref} is another one")
        self.writes.append(write)
        self.drop(ref)

    def _evict(self, write: Write, ref: Ref) -> None:
        pod = self._objects.get(ref)
        if pod is None:
            return
        labels = (pod["metadata"].get("labels") or {}).items()
        for budget in self.select(DISRUPTION_BUDGET, ref.namespace):
            spends = budget["spec"]["selector"]["matchLabels"].items() <= labels
            if spends and not (budget.get("status") or {}).get("disruptionsAllowed"):
                raise RetryLater(
                    "Cannot evict pod as it would violate the pod's disruption budget."
                )
        self.writes.append(write)
        self.drop(ref)

    def _record(self, record: Record) -> None:
        now = datetime.now(UTC)
        event = event_for(record, now, now)
        ref = ref_of(EVENT, event)
        before = self._objects.get(ref)
        event["count"] = 1 if before is None else before["count"] + 1
        self.writes.append(record)
        self._store(ref, event)

    def _read(self, kind: Kind) -> str | None:
        """Return the version that a kind is read at; None when it is not served."""
        try:
            return self._served[kind]
        except KeyError:
            found = read_version(kind, self._objects.get(Ref(CRD, "", kind.crd_name)))
            self._served[kind] = found
            return found

    def _require(self, kind: Kind, body: FrozenJSON) -> None:
        """Raise `NotFound` unless the version that the body names is served."""
        if kind not in VERSIONS:
            return
        definition = self._objects.get(Ref(CRD, "", kind.crd_name))
        if not serves(kind, definition, body.get("apiVersion")):
            raise NotFound(f"the server could not find {kind.plural} at {body.get('apiVersion')}")

    def _defined_by(self, definition: Ref) -> list[Ref]:
        return [ref for ref in self._objects if ref.kind.crd_name == definition.name]

    def _check(self, ref: Ref) -> None:
        if not _NAME.fullmatch(ref.name):
            raise InvalidSpec((FieldError("metadata.name", f"{ref.name!r} is no name"),))

    def _store(self, ref: Ref, body: FrozenJSON) -> JSON:
        """Store what nobody changes any more: it may share parts with what was there before."""
        self._version += 1
        before = self._objects.get(ref)
        metadata: JSON = dict(body["metadata"])
        obj: JSON = {**body, "metadata": metadata}
        obj |= {"apiVersion": self._api_version(ref.kind), "kind": ref.kind.name}
        if ref.namespace:
            metadata["namespace"] = ref.namespace
        if ref.kind == CRD:
            obj = established(obj)
            self._served.clear()
        if before is None:
            metadata |= {"uid": f"uid-{self._version}", "generation": 1}
            metadata["creationTimestamp"] = self._now().strftime("%Y-%m-%dT%H:%M:%SZ")
        else:
            metadata |= {key: before["metadata"][key] for key in _SERVERS_OWN}
            metadata["generation"] += before.get("spec") != obj.get("spec")
        metadata["resourceVersion"] = str(self._version)
        self._objects[ref] = self._by_namespace[ref.kind, ref.namespace][ref] = obj
        self._tell(ref)
        if ref.kind == CRD:
            self._convert(ref)
        return obj

    def _api_version(self, kind: Kind) -> str:
        version = self._read(kind)
        if version in (None, kind.version):
            return kind.api_version
        return replace(kind, version=version).api_version

    def _convert(self, definition: Ref) -> None:
        """Read what a CRD defines as it says now."""
        for ref in self._defined_by(definition):
            if self._read(ref.kind):
                self._store(ref, self._objects[ref])
            else:
                self._tell(ref)

    def _tell(self, ref: Ref) -> None:
        self.told += 1
        for feed in self._feeds:
            feed.put([ref])


def _copied(value: Any) -> Any:
    """Return JSON that shares nothing with what it was made from; much quicker than a deep copy."""
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([_copied(each) for each in value])
    return value


def _dropped(before: Any, now: Any) -> JSON:
    """Return the merge patch that removes what an apply no longer names."""
    patch: JSON = {}
    for key, value in before.items():
        if key not in now:
            patch[key] = None
        elif isinstance(value, Mapping) and isinstance(now[key], Mapping):
            inner = _dropped(value, now[key])
            if inner:
                patch[key] = inner
    return patch


def _without(current: FrozenJSON, removal: FrozenJSON) -> JSON:
    result: JSON = merged(current, removal)
    return result
