"""A cluster as it was at one moment, for who looks at it once. Nothing can be written to it."""

from collections.abc import AsyncIterator, Iterable, Mapping

from rollouts.errors import Forbidden
from rollouts.model.kinds import JSON, Kind, Ref
from rollouts.ports import Write


class Snapshot:
    """The port `Cluster` over objects that are given; of two with one name the later counts."""

    def __init__(self) -> None:
        self._objects: dict[Kind, dict[tuple[str, str], JSON]] = {}

    def add(self, kind: Kind, objects: Iterable[JSON]) -> None:
        """Have these objects of a kind; each needs a name, and a namespace if its kind has any."""
        known = self._objects.setdefault(kind, {})
        for obj in objects:
            metadata = obj["metadata"]
            known[metadata.get("namespace") or "", metadata["name"]] = obj

    def get(self, ref: Ref) -> JSON | None:
        return self._objects.get(ref.kind, {}).get((ref.namespace, ref.name))

    def select(
        self, kind: Kind, namespace: str, labels: Mapping[str, str] | None = None
    ) -> list[JSON]:
        wanted = (labels or {}).items()
        return [
            obj
            for (within, _), obj in self._objects.get(kind, {}).items()
            if namespace in {"", within} and wanted <= (obj["metadata"].get("labels") or {}).items()
        ]

    async def write(self, write: Write) -> None:
        raise Forbidden(f"nothing is written to a cluster that is only looked at: {write}")

    async def changes(self) -> AsyncIterator[Ref]:
        """Yield what there is; it never changes."""
        for kind, objects in self._objects.items():
            for namespace, name in objects:
                yield Ref(kind, namespace, name)
