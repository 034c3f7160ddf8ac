"""What a `FakeCluster` serves of the kinds that come with a CRD."""

from collections.abc import Sequence

from rollouts.controller.watches import WATCHED
from rollouts.model.kinds import CRD, JSON, FrozenJSON, Kind, served_version

VERSIONS = {kind: scope.versions for kind, scope in WATCHED.items() if scope.versions}


def definition(kind: Kind, *versions: str, unserved: Sequence[str] = ()) -> JSON:
    """Return a CRD that serves these versions of a kind, stores the first, and lets anything pass."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    names = {"plural": kind.plural, "singular": kind.name.lower(), "kind": kind.name}
    names["listKind"] = f"{kind.name}List"
    defined = [
        {
            "name": version,
            "served": version in versions,
            "storage": number == 0,
            "schema": {"openAPIV3Schema": schema},
        }
        for number, version in enumerate((*versions, *unserved))
    ]
    spec = {"group": kind.group, "scope": "Namespaced", "names": names, "versions": defined}
    return {
        "apiVersion": CRD.api_version,
        "kind": CRD.name,
        "metadata": {"name": kind.crd_name},
        "spec": spec,
    }


def established(crd: JSON) -> JSON:
    """Return the CRD as an API server has accepted it, unless its status says something else."""
    condition = {"type": "Established", "status": "True"}
    return {"status": {"conditions": [condition]}, **crd}


def read_version(kind: Kind, crd: FrozenJSON | None) -> str | None:
    """Return the version that a kind is read at: its own, or the best that its CRD serves."""
    if kind not in VERSIONS:
        return kind.version
    return served_version(crd, VERSIONS[kind]) if crd else None


def serves(kind: Kind, crd: FrozenJSON | None, api_version: str | None) -> bool:
    """Return whether bodies of that apiVersion (of any, for None) can be written."""
    if kind not in VERSIONS:
        return True
    if api_version is None:
        return read_version(kind, crd) is not None
    version = api_version.rpartition("/")[2]
    return crd is not None and served_version(crd, (version,)) is not None
