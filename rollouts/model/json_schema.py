"""
The JSON Schema of a Rollout, for editors and for checks of files without a cluster.

It is that of the CRD, without what only an API server understands, and with unknown fields as errors. The rules
between fields (`x-kubernetes-validations`) are `rollouts lint`'s alone. Draft 7, which editors know best.
"""

from typing import Any

from rollouts.model.crd import crd
from rollouts.model.kinds import JSON, ROLLOUT

DRAFT = "http://json-schema.org/draft-07/schema#"
_FREE = "x-kubernetes-preserve-unknown-fields"
_BOUNDS = {"exclusiveMaximum": "maximum", "exclusiveMinimum": "minimum"}


def json_schema() -> JSON:
    """Return the JSON Schema of a Rollout as it is written: without its status."""
    (version,) = crd()["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    return {
        "$schema": DRAFT,
        "title": ROLLOUT.name,
        "description": schema["description"],
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": False,
        "properties": {
            "apiVersion": {"const": ROLLOUT.api_version},
            "kind": {"const": ROLLOUT.name},
            "metadata": {"type": "object"},
            "spec": _plain(schema["properties"]["spec"]),
        },
    }


def _plain(schema: JSON) -> JSON:
    """Return a schema of OpenAPI 3.0 as one of JSON Schema."""
    made: JSON = {
        key: value
        for key, value in schema.items()
        if not key.startswith("x-") and key not in ("nullable", *_BOUNDS)
    }
    for exclusive, bound in _BOUNDS.items():
        if schema.get(exclusive):
            made[exclusive] = made.pop(bound)
    if schema.get("x-kubernetes-int-or-string"):
        made["type"] = ["integer", "string"]
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            made[key] = _plain(schema[key])
    if "properties" in schema:
        made["properties"] = {name: _plain(each) for name, each in schema["properties"].items()}
        is_closed = not schema.get(_FREE) and "additionalProperties" not in schema
        if is_closed:
            made["additionalProperties"] = False
    return _or_null(made) if schema.get("nullable") else made


def _or_null(schema: JSON) -> JSON:
    kind: Any = schema.get("type", [])
    kinds = kind if isinstance(kind, list) else [kind]
    return {**schema, "type": [*kinds, "null"]} if kinds else schema
