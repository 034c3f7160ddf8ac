"""Where the API server serves kinds and objects, and what a request must name of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rollouts.model.kinds import (
    AUTOSCALER,
    DISRUPTION_BUDGET,
    ENDPOINT_SLICE,
    JSON,
    FrozenJSON,
    Kind,
    Ref,
)

EARLIER_VERSIONS = {
    ENDPOINT_SLICE: "v1beta1",
    AUTOSCALER: "v2beta2",
    DISRUPTION_BUDGET: "v1beta1",
}
"""Where a kind was served, in the same shape, before: on Kubernetes 1.20 as these versions."""


@dataclass(frozen=True, slots=True)
class WatchScope:
    """What one watch shows of a kind: a namespace and a name, of which "" means all."""

    namespace: str = ""
    name: str = ""

    def contains(self, ref: Ref) -> bool:
        return self.namespace in {"", ref.namespace} and self.name in {"", ref.name}


def watch_scopes(kind: Kind, namespaces: Sequence[str], names: Sequence[str]) -> list[WatchScope]:
    """Return the scopes that make up these names of a kind in these namespaces, () for all."""
    within = namespaces if kind.is_namespaced else ()
    return [WatchScope(namespace, name) for namespace in within or ("",) for name in names or ("",)]


def collection_paths(kind: Kind, namespace: str = "") -> list[str]:
    """Return the paths where a kind's objects may be served, the best first."""
    earlier = EARLIER_VERSIONS.get(kind)
    kinds = [kind, *([replace(kind, version=earlier)] if earlier else [])]
    return [collection_path(each, namespace) for each in kinds]


def collection_path(kind: Kind, namespace: str = "") -> str:
    """Return the path of a kind's objects, of all namespaces for ""."""
    root = f"/apis/{kind.group}" if kind.group else "/api"
    where = f"/namespaces/{namespace}" if namespace else ""
    return f"{root}/{kind.version}{where}/{kind.plural}"


def object_path(ref: Ref, subresource: str = "") -> str:
    """Return the path of one object, or of its subresource."""
    path = f"{collection_path(ref.kind, ref.namespace)}/{ref.name}"
    return f"{path}/{subresource}" if subresource else path


def ref_of(kind: Kind, body: FrozenJSON) -> Ref:
    """Return the reference of an object by its own metadata."""
    metadata = body["metadata"]
    return Ref(kind, metadata.get("namespace", ""), metadata.get("name", ""))


def kind_named_in(kind: Kind, body: FrozenJSON) -> Kind:
    """Return the kind at the version that the body names; as it is when it names none."""
    version = str(body.get("apiVersion") or kind.api_version).rpartition("/")[2]
    return replace(kind, version=version)


def with_kind(kind: Kind, body: FrozenJSON) -> JSON:
    """Return the body with the apiVersion and kind that a request has to name."""
    return {"apiVersion": kind.api_version, "kind": kind.name, **body}


def label_selector(labels: Mapping[str, str]) -> str:
    """Return the equality selector, in the form that `labelSelector` takes."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
