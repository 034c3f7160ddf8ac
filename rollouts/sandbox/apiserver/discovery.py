"""Discovery: which groups, versions and kinds there are, in the plain and the aggregated form."""

from rollouts.model.kinds import JSON, Kind
from rollouts.sandbox.apiserver.registry import Registry, Resource

AGGREGATED = "as=APIGroupDiscoveryList"
AGGREGATED_TYPE = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
SCALE = Kind("autoscaling", "v1", "scales", "Scale")
EVICTION = Kind("policy", "v1", "evictions", "Eviction")
BINDING = Kind("", "v1", "bindings", "Binding")
_ANSWERS = {"scale": SCALE, "eviction": EVICTION, "binding": BINDING}
_WRITE = ("get", "patch", "update")
_CREATED = ("create",)
_SUBRESOURCE_VERBS = {
    "status": _WRITE,
    "scale": _WRITE,
    "eviction": _CREATED,
    "binding": _CREATED,
}

VERSION: JSON = {
    "major": "1",
    "minor": "37",
    "gitVersion": "v1.37.1",
    "gitCommit": "sandbox",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "none",
    "compiler": "cpython",
    "platform": "linux/amd64",
}


def core_versions(host: str) -> JSON:
    """Return what /api says."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": host}],
    }


def group_list(registry: Registry) -> JSON:
    """Return what /apis says."""
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": _groups(registry)}


def group(registry: Registry, name: str) -> JSON | None:
    """Return what /apis/GROUP says, None when there is no such group."""
    found = next((entry for entry in _groups(registry) if entry["name"] == name), None)
    return found and {"kind": "APIGroup", "apiVersion": "v1"} | found


def _groups(registry: Registry) -> list[JSON]:
    versions: dict[str, list[JSON]] = {}
    for name, version in registry.group_versions():
        entry = {"groupVersion": f"{name}/{version}", "version": version}
        versions.setdefault(name, []).append(entry)
    return [
        {"name": name, "versions": found, "preferredVersion": found[0]}
        for name, found in versions.items()
        if name
    ]


def resource_list(registry: Registry, name: str, version: str) -> JSON | None:
    """Return what /api/v1 and /apis/GROUP/VERSION say, None when nothing is served there."""
    found = _of(registry, name, version)
    if not found:
        return None
    listed = [entry for resource in found for entry in _plain(resource)]
    api_version = f"{name}/{version}" if name else version
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": api_version,
        "resources": listed,
    }


def _of(registry: Registry, name: str, version: str) -> list[Resource]:
    found = [r for r in registry if (r.kind.group, r.kind.version) == (name, version)]
    return sorted(found, key=lambda resource: resource.kind.plural)


def _plain(resource: Resource) -> list[JSON]:
    kind = resource.kind
    entry: JSON = {
        "name": kind.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": kind.name,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    subresources = [
        {
            "name": f"{kind.plural}/{name}",
            "singularName": "",
            "namespaced": resource.namespaced,
            "kind": answer.name,
            "verbs": list(verbs),
        }
        | ({"group": answer.group, "version": answer.version} if answer != kind else {})
        for name, answer, verbs in _subresources(resource)
    ]
    return [entry, *subresources]


def _subresources(resource: Resource) -> list[tuple[str, Kind, tuple[str, ...]]]:
    return [
        (
            name,
            _ANSWERS.get(name, resource.kind),
            _SUBRESOURCE_VERBS.get(name, ("get",)),
        )
        for name in resource.subresources
    ]


def aggregated(registry: Registry, *, core: bool) -> JSON:
    """Return everything in one document: of the core group, or of all others."""
    groups: dict[str, list[JSON]] = {}
    for name, version in registry.group_versions():
        if (name == "") == core:
            resources = [_aggregated(resource) for resource in _of(registry, name, version)]
            entry = {"version": version, "resources": resources, "freshness": "Current"}
            groups.setdefault(name, []).append(entry)
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [
            {"metadata": {"name": name} if name else {}, "versions": versions}
            for name, versions in groups.items()
        ],
    }


def _aggregated(resource: Resource) -> JSON:
    return {
        "resource": resource.kind.plural,
        "responseKind": _kind(resource.kind),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
        "shortNames": list(resource.short_names),
        "categories": list(resource.categories),
        "subresources": [
            {"subresource": name, "responseKind": _kind(answer), "verbs": list(verbs)}
            for name, answer, verbs in _subresources(resource)
        ],
    }


def _kind(kind: Kind) -> JSON:
    return {"group": kind.group, "version": kind.version, "kind": kind.name}
