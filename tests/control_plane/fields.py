"""
Write down which fields the built-in kinds have, as their OpenAPI document says.

    python -m tests.control_plane.fields > rollouts/sandbox/apiserver/fields.json
    python -m tests.control_plane.fields pods > rollouts/cli/lint/pod_fields.json

The document is in Kubernetes' Go module. Of each type that a kind of the sandbox is made of, the
fields are named, with what they hold: another type (`T`), a list (`[T`) or a map (`{T`) of them,
or "" for anything else, of which nothing is known below. For `pods` it is those that a template of
pods is made of.
"""

import json
import sys
from pathlib import Path

from rollouts.model.kinds import JSON, Kind
from rollouts.sandbox.apiserver.builtins import BUILTIN
from tests.control_plane.build import DEFAULT_VERSION, HERE, KUBERNETES, go

BESIDE = (
    Kind("autoscaling", "v1", "", "Scale"),
    Kind("policy", "v1", "", "Eviction"),
)
"""Bodies of subresources."""
METADATA = "meta.v1.ObjectMeta"
POD_TEMPLATE = "core.v1.PodTemplateSpec"
_REF = "#/definitions/"
_PREFIXES = (
    "io.k8s.api.",
    "io.k8s.apimachinery.pkg.apis.",
    "io.k8s.apiextensions-apiserver.pkg.apis.",
)


def document() -> JSON:
    """Return the OpenAPI document of the default version."""
    module = go(HERE, "mod", "download", "-json", f"{KUBERNETES}@v{DEFAULT_VERSION}")
    path = Path(module["Dir"]) / "api" / "openapi-spec" / "swagger.json"
    found: JSON = json.loads(path.read_text())
    return found


def fields(definitions: JSON) -> JSON:
    """Return the table: of each kind its type, of each type its fields."""
    kinds: dict[str, str] = {}
    wanted = {(each.kind.group, each.kind.version, each.kind.name) for each in BUILTIN}
    wanted |= {(each.group, each.version, each.name) for each in BESIDE}
    for name, definition in definitions.items():
        for said in definition.get("x-kubernetes-group-version-kind") or ():
            key = (said["group"], said["version"], said["kind"])
            if key in wanted:
                api_version = "/".join(filter(None, key[:2]))
                kinds[f"{api_version} {said['kind']}"] = name
    types: dict[str, JSON] = {}
    open_names = [*kinds.values()]
    while open_names:
        name = open_names.pop()
        if _short(name) in types:
            continue
        held = {
            field: _held(part, definitions)
            for field, part in definitions[name]["properties"].items()
        }
        types[_short(name)] = {field: mark + _short(below) for field, (mark, below) in held.items()}
        open_names += [below for _, below in held.values() if below]
    return {
        "kinds": dict(sorted((kind, _short(name)) for kind, name in kinds.items())),
        "types": dict(sorted(types.items())),
    }


def _held(part: JSON, definitions: JSON) -> tuple[str, str]:
    """Return the mark and the full name of what a field holds; two empty strings for a scalar."""
    if part.get("type") == "array":
        mark, part = "[", part["items"]
    elif isinstance(part.get("additionalProperties"), dict):
        mark, part = "{", part["additionalProperties"]
    else:
        mark = ""
    name = part.get("$ref", "").removeprefix(_REF)
    return (mark, name) if name and definitions[name].get("properties") else ("", "")


def _short(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


def of_pods(table: JSON) -> JSON:
    """Return that part of the table of which a template of pods is made."""
    found: dict[str, JSON] = {}
    open_names = [POD_TEMPLATE]
    while open_names:
        name = open_names.pop()
        if name and name not in found:
            found[name] = table["types"][name]
            open_names += [held.lstrip("[{") for held in found[name].values()]
    return {"types": dict(sorted(found.items()))}


def written(table: JSON) -> str:
    """Return the table as JSON, a line for each kind and type."""
    parts = []
    for part in table:
        lines = [
            f"  {json.dumps(k)}: {json.dumps(v, sort_keys=True)}" for k, v in table[part].items()
        ]
        parts.append(f' "{part}": {{\n' + ",\n".join(lines) + "\n }")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    whole = fields(document()["definitions"])
    sys.stdout.write(written(of_pods(whole) if sys.argv[1:] == ["pods"] else whole))
