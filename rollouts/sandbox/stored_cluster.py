"""The sandbox's own store, as a node and a data plane ask for it: in this process, at once."""

from collections.abc import AsyncGenerator, Mapping

from rollouts.model.kinds import JSON, FrozenJSON, Kind
from rollouts.sandbox.apiserver.binding import bind
from rollouts.sandbox.apiserver.errors import conflict, not_found
from rollouts.sandbox.apiserver.etcd import Change
from rollouts.sandbox.apiserver.patches import merge_patch
from rollouts.sandbox.apiserver.shapes import shape_of
from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.apiserver.strategic import strategic_merge


class StoredCluster:
    """A `Cluster` that is a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, kind: Kind, namespace: str, name: str) -> JSON | None:
        return self._store.get(kind, namespace, name)

    def select(
        self, kind: Kind, namespace: str = "", labels: Mapping[str, str] | None = None
    ) -> list[JSON]:
        return self._store.select(kind, namespace, labels)

    def served(self, kind: Kind) -> Kind | None:
        return self._store.served(kind)

    def changes(self, *kinds: Kind) -> AsyncGenerator[Change]:
        return self._store.changes(*kinds)

    async def create(self, kind: Kind, body: FrozenJSON) -> None:
        self._store.create(kind, body)

    async def patch(
        self, kind: Kind, namespace: str, name: str, patch: FrozenJSON, subresource: str = ""
    ) -> None:
        resource = self._store.registry.of(kind)
        current = self._store.get(kind, namespace, name)
        if current is None:
            raise not_found(kind.plural, kind.group, name)
        del current["metadata"]["resourceVersion"]
        if resource.patchable_strategically:
            patched = strategic_merge(current, patch, shape_of(resource))
        else:
            patched = merge_patch(current, patch)
        self._store.replace(kind, patched, subresource)

    async def delete(self, kind: Kind, obj: FrozenJSON, grace_seconds: int) -> None:
        meta = obj["metadata"]
        namespace, name = meta.get("namespace", ""), meta["name"]
        present = self._store.get(kind, namespace, name)
        if present is not None and present["metadata"]["uid"] != meta["uid"]:
            raise conflict(kind.plural, kind.group, name, "it is another one by now")
        self._store.delete(kind, namespace, name, grace_seconds=grace_seconds)

    async def bind(self, pod: FrozenJSON, node: str) -> None:
        meta = {key: pod["metadata"][key] for key in ("name", "namespace", "uid")}
        bind(self._store, {"metadata": meta, "target": {"kind": "Node", "name": node}})
