"""
The CustomResourceDefinitions, generated from the models.

Pydantic's JSON schema is turned into a structural schema: references are written out,
"or null" goes (an absent field is how Kubernetes says null), and what a structural
schema may not hold is dropped; our CEL rules ride along in the models themselves.
Source: kubernetes.io, "Extend the Kubernetes API with CustomResourceDefinitions".
"""

import copy
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core.core_schema import ModelSchema

from rollouts.model.base import LONGEST_ROLLOUT_NAME, rule
from rollouts.model.field_docs import field_docs
from rollouts.model.kinds import CRD, JSON, RELEASE_RECORD, ROLLOUT, VERSION, Kind
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import ReleaseRecord, RolloutStatus

# Defaults stay out (but for those that `_KEPT_DEFAULTS` names), so that what Git holds and
# what the cluster holds do not differ.
_DROPPED = {"title", "additionalProperties", "default", "$defs"}
_KEPT_DEFAULTS = {"replicas"}
_COLUMNS = (
    ("Phase", "string", ".status.phase", "What it is doing"),
    ("Step", "string", ".status.step", "The step that runs, or how many were passed, of all"),
    ("Weight", "integer", ".status.weights.applied", "Percent of the traffic that the canary has"),
    ("Revision", "integer", ".status.currentRevision.number", "The revision that is wanted"),
    (
        "Stable",
        "integer",
        ".status.stableRevision.number",
        "The revision that users' traffic can always go back to",
    ),
    ("Age", "date", ".metadata.creationTimestamp", "Since when it exists"),
)


_RECORD_COLUMNS = (
    ("Revision", "integer", ".spec.revision.number", "The revision that was released"),
    ("Outcome", "string", ".spec.outcome", "How it ended"),
    ("Step", "string", ".spec.step", "The step that it ended in, of all"),
    (
        "Requests",
        "integer",
        ".spec.exposure.canaryRequests",
        "How many requests were counted until then",
    ),
    ("Failures", "integer", ".spec.exposure.canaryFailures", "How many of them failed"),
    ("Ended", "date", ".spec.endedAt", "When it ended"),
)


def crds() -> list[JSON]:
    """Return all CustomResourceDefinitions of ours as plain JSON, that of Rollout first."""
    return [crd(), record_crd()]


def crd() -> JSON:
    """Return the CustomResourceDefinition of Rollout as plain JSON."""
    subresources = {
        "status": {},
        "scale": {
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        },
    }
    named = rule(
        f"self.metadata.name.size() <= {LONGEST_ROLLOUT_NAME}",
        f"a Rollout's name has {LONGEST_ROLLOUT_NAME} characters at most; shorten it",
    )
    schema = _schema(
        "A release strategy, and the release that is under way.",
        {"spec": structural(RolloutSpec), "status": structural(RolloutStatus)},
        {"x-kubernetes-validations": [named]},
    )
    message = _message_column(".status.message", "The last decision, in words")
    version = _version([*_columns(_COLUMNS), message], schema, subresources=subresources)
    # Argo's Rollouts are `ro`, too.
    return _definition(ROLLOUT, version, shortNames=["ro", "rodev"], categories=["all"])


def record_crd() -> JSON:
    """Return the CustomResourceDefinition of ReleaseRecord as plain JSON."""
    schema = _schema(
        "A release that is over: how it went, and why it ended so.",
        {"spec": structural(ReleaseRecord)},
    )
    message = _message_column(".spec.message", "How it ended, in words")
    return _definition(RELEASE_RECORD, _version([*_columns(_RECORD_COLUMNS), message], schema))


def _definition(kind: Kind, version: JSON, **names: list[str]) -> JSON:
    return {
        "apiVersion": CRD.api_version,
        "kind": CRD.name,
        "metadata": {"name": kind.crd_name},
        "spec": {
            "group": kind.group,
            "scope": "Namespaced",
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.name.lower(),
                **names,
            },
            "versions": [version],
        },
    }


def _columns(columns: Iterable[tuple[str, str, str, str]]) -> list[JSON]:
    return [
        {"name": name, "type": kind, "jsonPath": path, "description": text}
        for name, kind, path, text in columns
    ]


def _message_column(path: str, text: str) -> JSON:
    """Return the column that is only shown by `--output wide`."""
    column = {"name": "Message", "type": "string", "jsonPath": path}
    return {**column, "description": text, "priority": 1}


def _version(columns: list[JSON], schema: JSON, **more: JSON) -> JSON:
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        **more,
        "additionalPrinterColumns": columns,
        "schema": {"openAPIV3Schema": schema},
    }


def _schema(text: str, fields: JSON, rules: JSON | None = None) -> JSON:
    """Return the schema of an object that has these fields beside those of every object."""
    return {
        "type": "object",
        "description": text,
        "required": ["spec"],
        **(rules or {}),
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            **fields,
        },
    }


class _Described(GenerateJsonSchema):
    """Pydantic's JSON schema, with what is said below each field."""

    def model_schema(self, schema: ModelSchema) -> JSON:
        made = super().model_schema(schema)
        model = schema["cls"]
        for name, text in field_docs(model).items():
            made["properties"][model.model_fields[name].alias or name]["description"] = text
        return made


def structural(model: type[BaseModel]) -> JSON:
    """Return the structural schema of `model`."""
    schema = model.model_json_schema(by_alias=True, schema_generator=_Described, mode="validation")
    result: JSON = _clean(schema, schema.get("$defs", {}))
    return result


def _clean(schema: JSON, definitions: JSON) -> JSON:
    schema = _resolve(schema, definitions)
    if "x-kubernetes-int-or-string" in schema or "x-kubernetes-preserve-unknown-fields" in schema:
        return _tidy({key: value for key, value in schema.items() if key not in _DROPPED})
    cleaned: JSON = {}
    for key, value in schema.items():
        if key == "properties":
            cleaned[key] = {
                name: _property(name, part, definitions) for name, part in value.items()
            }
        elif key == "items" or (key == "additionalProperties" and isinstance(value, dict)):
            cleaned[key] = _clean(value, definitions)
        elif key == "const":
            cleaned["enum"] = [value]
        elif key == "exclusiveMinimum":  # a flag beside the bound, in OpenAPI 3.0
            cleaned.update(minimum=value, exclusiveMinimum=True)
        elif key == "exclusiveMaximum":
            cleaned.update(maximum=value, exclusiveMaximum=True)
        elif key not in _DROPPED:
            cleaned[key] = value
    return _tidy(cleaned)


def _property(name: str, schema: JSON, definitions: JSON) -> JSON:
    cleaned = _clean(schema, definitions)
    if name in _KEPT_DEFAULTS and schema.get("default") is not None:
        cleaned["default"] = schema["default"]
    return cleaned


def _tidy(schema: JSON) -> JSON:
    """Return a copy of its own (YAML would write shared parts as anchors), descriptions on one line."""
    schema = copy.deepcopy(schema)
    if "description" in schema:
        schema["description"] = " ".join(schema["description"].split())
    if schema.get("properties") == {}:
        del schema["properties"]  # as an API server does: what it keeps is what was applied
    return schema


def _resolve(schema: JSON, definitions: JSON) -> JSON:
    """Return the schema without references and without "or null"; what is said nearer wins."""
    while True:
        if "$ref" in schema:
            nearer = {key: value for key, value in schema.items() if key != "$ref"}
            schema = {**definitions[schema["$ref"].rsplit("/", 1)[1]], **nearer}
        elif "anyOf" in schema and any(part == {"type": "null"} for part in schema["anyOf"]):
            nearer = {key: value for key, value in schema.items() if key != "anyOf"}
            (only,) = _not_null(schema["anyOf"])
            schema = {**only, **nearer}
        else:
            return schema


def _not_null(parts: list[Any]) -> Iterator[JSON]:
    return (part for part in parts if part != {"type": "null"})
