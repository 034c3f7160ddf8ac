"""A cluster as it was at one moment, or as files will make it. Nothing can be written to it."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from datetime import UTC, datetime

from rollouts.controller.watches import WATCHED
from rollouts.errors import Forbidden
from rollouts.model.kinds import CRD, JSON, RELEASE_RECORD, ROLLOUT, Kind, Ref
from rollouts.model.merge_patch import merged
from rollouts.model.moments import format_time
from rollouts.model.unchecked_json import mapping
from rollouts.ports import Write

KINDS = tuple(kind for kind in WATCHED if kind not in (CRD, RELEASE_RECORD))
"""What can be in a snapshot; which kinds are served follows from what was read."""
_BY_NAME = {(kind.group, kind.name): kind for kind in KINDS}


class ClusterSnapshot:
    """
    The port `Cluster` over objects that are given; of two with one name the later counts.

    `partial`: there may be other objects than these, and every kind is served.
    """

    def __init__(self, *, partial: bool = False) -> None:
        self._objects: dict[Kind, dict[tuple[str, str], JSON]] = {}
        self.hidden: dict[Kind, str] = dict.fromkeys(KINDS, "not in these files") if partial else {}
        """The kinds of which there may be others than these, and why."""
        for kind in KINDS if partial else ():
            self.serve(kind, *WATCHED[kind].versions[:1])

    def add(self, kind: Kind, objects: Iterable[JSON]) -> None:
        """Have these objects of a kind; each needs a name, and a namespace if its kind has any."""
        known = self._objects.setdefault(kind, {})
        for obj in objects:
            metadata = obj["metadata"]
            known[metadata.get("namespace") or "", metadata["name"]] = obj

    def serve(self, kind: Kind, *versions: str) -> None:
        """Have the definition of a kind that comes with one, which serves these versions."""
        definition = {
            "metadata": {"name": kind.crd_name},
            "spec": {"versions": [{"name": each, "served": True} for each in versions]},
            "status": {"conditions": [{"type": "Established", "status": "True"}]},
        }
        self.add(CRD, [definition] if versions else [])

    def apply(self, content: object, namespace: str) -> Ref | None:
        """
        Lay an object of a file over what there is, as an apply would, and return its name.

        None, and nothing is changed, when it is of a kind that does not count here, or has no
        name. One that names no namespace goes into `namespace`.
        """
        kind = _BY_NAME.get(_named_kind(content))
        written = dict(mapping(content))
        metadata = dict(mapping(written.get("metadata")))
        name, within = metadata.get("name"), metadata.get("namespace") or namespace
        if kind is not None and not kind.is_namespaced:
            within = ""
        if kind is None or not isinstance(name, str) or not name or not isinstance(within, str):
            return None
        ref = Ref(kind, within, name)
        written["metadata"] = {**metadata, "namespace": within}
        before = self.get(ref)
        after = merged(_unborn() if before is None else before, written)
        # An apply takes out what the Rollout's file names no longer, and all of its spec is the file's.
        self.add(kind, [{**after, "spec": written.get("spec")} if kind == ROLLOUT else after])
        return ref

    def refs(self) -> list[Ref]:
        """Return the names of all objects, and of the definitions that are served."""
        return [
            Ref(kind, namespace, name)
            for kind, objects in self._objects.items()
            for namespace, name in objects
        ]

    def without(self, *refs: Ref) -> "ClusterSnapshot":
        """Return a snapshot of its own that has the same objects but these."""
        other, left_out = ClusterSnapshot(), set(refs)
        other.hidden = self.hidden
        for kind, objects in self._objects.items():
            kept = (obj for name, obj in objects.items() if Ref(kind, *name) not in left_out)
            other.add(kind, kept)
        return other

    def knows_all(self, kinds: Iterable[Kind]) -> bool:
        """Return whether there are no other objects of these kinds than those of the snapshot."""
        return self.hidden.keys().isdisjoint(kinds)

    def get(self, ref: Ref) -> JSON | None:
        return self._objects.get(ref.kind, {}).get((ref.namespace, ref.name))

    def select(
        self, kind: Kind, namespace: str, labels: Mapping[str, str] | None = None
    ) -> list[JSON]:
        return list(self._selected(kind, namespace, labels or {}))

    def _selected(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> Iterator[JSON]:
        for (within, _), obj in self._objects.get(kind, {}).items():
            found = obj["metadata"].get("labels") or {}
            if namespace in {"", within} and labels.items() <= found.items():
                yield obj

    def refusal(self, _kind: Kind, _namespace: str) -> str:
        """Return nothing: who looks at findings asks `knows_all` of what each rests on."""
        return ""

    async def write(self, write: Write) -> None:
        raise Forbidden(f"nothing is written to a cluster that is only looked at: {write}")

    async def changes(self) -> AsyncIterator[Ref]:
        """Yield what there is; it never changes."""
        for ref in self.refs():
            yield ref


def _named_kind(content: object) -> tuple[str, str]:
    named = mapping(content)
    return str(named.get("apiVersion") or "").rpartition("/")[0], str(named.get("kind"))


def _unborn() -> JSON:
    """Return what an object has that is created now: it is the youngest, and owns nothing yet."""
    return {"metadata": {"uid": "", "creationTimestamp": format_time(datetime.now(UTC))}}
