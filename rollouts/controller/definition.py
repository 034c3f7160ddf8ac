"""
Whether the API server keeps all that a controller writes into status.

It drops ("prunes") what its CRD does not know. Where the CRD is older than the controller, because
`kubectl apply` or Helm did not bring it along, parts of the only memory are lost without an error.
"""

from collections.abc import Iterator
from functools import cache

from rollouts.model.crd import crd
from rollouts.model.kinds import CRD, ROLLOUT, FrozenJSON, Ref
from rollouts.model.truncation import first_of
from rollouts.ports import Cluster

STATUS_SCHEMA = "spec.versions.schema.openAPIV3Schema.properties.status"
"""Where a definition says which fields status has."""
MOST_NAMED = 3


def findings(cluster: Cluster) -> list[str]:
    """Return what is wrong with our own definition, in sentences; nothing where it may not be read."""
    definition = cluster.get(Ref(CRD, "", ROLLOUT.crd_name))
    missing = missing_fields(definition) if definition is not None else []
    if not missing:
        return []
    found = (
        f"the CRD {ROLLOUT.crd_name} is older than this controller and lacks {first_of(missing, MOST_NAMED)}, so that what is"
        " remembered there is lost; bring it up to date: `rollouts crd | kubectl apply -f -`,"
        " or `helm upgrade`"
    )
    return [found]


def missing_fields(definition: FrozenJSON) -> list[str]:
    """Return the fields of status that the definition lacks, such as `status.drainUntil`."""
    served = set(_fields(definition))
    return [path for path in _known() if path not in served and _parent(path) in served]


@cache  # making the definition takes 50 ms, and readiness is asked for every few seconds
def _known() -> tuple[str, ...]:
    return tuple(dict.fromkeys(_fields(crd())))


def _fields(definition: FrozenJSON) -> Iterator[str]:
    for version in definition["spec"]["versions"]:
        if version["name"] == ROLLOUT.version:
            schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
            yield from _below("status", (schema.get("properties") or {}).get("status") or {})


def _below(path: str, schema: FrozenJSON) -> Iterator[str]:
    """Yield the fields at and below a path; an item of a list, or a value of a map, is at the path of these."""
    yield path
    for name, field in (schema.get("properties") or {}).items():
        yield from _below(f"{path}.{name}", field)
    for nested in (schema.get("items"), schema.get("additionalProperties")):
        if isinstance(nested, dict):
            yield from _below(path, nested)


def _parent(path: str) -> str:
    return path.rpartition(".")[0]
