"""
A cluster as one controller has it in its hands: caches that may be late, writes that may fail.

Reads come from what its watches have told so far. Writes go to the present, and what a write
returned is in the caches, as `rollouts.ports.Cluster` promises. Every write passes `before` and
`after`, where a story lets the controller die, has the write refused, and looks at what it did. One
that changes nothing is no request, and passes only the first.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import datetime

from rollouts.errors import RolloutsError, Unavailable
from rollouts.kube.paths import ref_of
from rollouts.model.kinds import CRD, EVENT, JSON, RELEASE_RECORD, Kind, Ref
from rollouts.ports import Apply, Create, Delete, Evict, Patch, Record, Write
from tests.fakes.cluster import FakeCluster
from tests.fakes.crds import definition

Refusal = Callable[[Write], RolloutsError | None]


class DiedError(Exception):
    """The controller was killed between two writes."""


class Present(FakeCluster):
    """What there is now; `changed` are the objects that its watches have to tell of."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__(now)
        self.changed: list[Ref] = []
        self.put(CRD, definition(RELEASE_RECORD, RELEASE_RECORD.version))

    def _tell(self, ref: Ref) -> None:
        super()._tell(ref)
        if ref.kind != EVENT:
            self.changed.append(ref)


class Caches:
    """The port of one controller to the present cluster. Reads no kind of `late` as it is now."""

    def __init__(self, present: Present) -> None:
        self.present = present
        self.late: dict[Kind, dict[Ref, JSON]] = {}
        """Kinds whose watch is behind, as it has shown them so far."""
        self.refusals: list[Refusal] = []
        self.before: Callable[[Write], None] = lambda _: None
        self.after: Callable[[Write], None] = lambda _: None
        self.lose_in: int | None = None
        """After how many more writes the answer to one does not arrive."""

    # The port.

    def get(self, ref: Ref) -> JSON | None:
        if self.late and ref.kind in self.late:
            return self.late[ref.kind].get(ref)
        return self.present.get(ref)

    def select(
        self, kind: Kind, namespace: str, labels: Mapping[str, str] | None = None
    ) -> list[JSON]:
        if not self.late or kind not in self.late:
            return self.present.select(kind, namespace, labels)
        wanted = (labels or {}).items()
        return [
            obj
            for obj in self.late[kind].values()
            if wanted <= (obj["metadata"].get("labels") or {}).items()
        ]

    def refusal(self, kind: Kind, namespace: str) -> str:
        return self.present.refusal(kind, namespace)

    async def write(self, write: Write) -> None:
        self.before(write)
        for refuses in self.refusals:
            error = refuses(write)
            if error is not None:
                raise error
        before = len(self.present.writes)
        await self.present.write(write)
        if len(self.present.writes) > before:
            self._take_in(write)
            self.after(write)
            self._answer()

    def _answer(self) -> None:
        if self.lose_in is None:
            return
        self.lose_in -= 1
        if self.lose_in < 0:
            self.lose_in = None
            raise Unavailable("the connection was reset before the answer came")

    def changes(self) -> AsyncIterator[Ref]:
        return self.present.changes()

    # Their watches.

    def fall_behind(self, kinds: Iterable[Kind]) -> None:
        """Show these kinds, and no others, as they have been seen until now, from now on."""
        for kind in kinds:
            if kind not in self.late:
                shown = self.present.select(kind, "")
                self.late[kind] = {ref_of(kind, obj): obj for obj in shown}
        for kind in self.late.keys() - set(kinds):
            del self.late[kind]

    def news(self) -> list[Ref]:
        """Return what changed since the last time, as far as the watches have told."""
        told = [ref for ref in self.present.changed if ref.kind not in self.late]
        self.present.changed = [ref for ref in self.present.changed if ref.kind in self.late]
        return told

    def _take_in(self, write: Write) -> None:
        """Have what was written in the caches."""
        ref = written(write)
        if ref is None or ref.kind not in self.late:
            return
        found = self.present.get(ref)
        if found is None:
            self.late[ref.kind].pop(ref, None)
        else:
            self.late[ref.kind][ref] = found


def written(write: Write) -> Ref | None:
    """Return what a write is about; None for an Event."""
    match write:
        case Create(kind, body) | Apply(kind, body):
            return ref_of(kind, body)
        case Patch(ref) | Delete(ref) | Evict(ref):
            return ref
        case Record():
            return None


def said(write: Write) -> str:
    """Return what a timeline says of a write, behind its kind and name."""
    body = getattr(write, "body", {})
    metadata, spec = body.get("metadata", {}), body.get("spec", {})
    return f"{metadata.get('annotations', '')} {spec if len(str(spec)) < 200 else ''}"
