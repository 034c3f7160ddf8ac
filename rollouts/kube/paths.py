"""Where the API server serves kinds and objects, and what a request must name of them."""

from collections.abc import Mapping
from dataclasses import replace

from rollouts.model.kinds import ENDPOINT_SLICE, JSON, FrozenJSON, Kind, Ref

EARLIER_VERSIONS = {ENDPOINT_SLICE: "v1beta1"}
"""Where a kind was served before: Kubernetes 1.20 has EndpointSlices, of the same shape, as v1beta1."""


def collections(kind: Kind, namespace: str = "") -> list[str]:
    """Return the paths where a kind's objects may be served, the best first."""
    earlier = EARLIER_VERSIONS.get(kind)
    kinds = [kind, *([replace(kind, version=earlier)] if earlier else [])]
    return [collection(each, namespace) for each in kinds]


def collection(kind: Kind, namespace: str = "") -> str:
    """Return the path of a kind's objects, of all namespaces for ""."""
    root = f"/apis/{kind.group}" if kind.group else "/api"
    where = f"/namespaces/{namespace}" if namespace else ""
    return f"{root}/{kind.version}{where}/{kind.plural}"


def single(ref: Ref, subresource: str = "") -> str:
    """Return the path of one object, or of its subresource."""
    path = f"{collection(ref.kind, ref.namespace)}/{ref.name}"
    return f"{path}/{subresource}" if subresource else path


def ref_of(kind: Kind, body: FrozenJSON) -> Ref:
    """Return the reference of an object by its own metadata."""
    metadata = body["metadata"]
    return Ref(kind, metadata.get("namespace", ""), metadata.get("name", ""))


def complete(kind: Kind, body: FrozenJSON) -> JSON:
    """Return the body with the apiVersion and kind that a request has to name."""
    return {"apiVersion": kind.api_version, "kind": kind.name, **body}


def label_selector(labels: Mapping[str, str]) -> str:
    """Return the equality selector, in the form that `labelSelector` takes."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
