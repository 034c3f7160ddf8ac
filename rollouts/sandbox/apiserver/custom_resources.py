"""CustomResourceDefinitions: which are refused, and what an accepted one makes the server serve."""

from collections.abc import Iterator
from typing import Any

from rollouts.model.kinds import JSON, FrozenJSON, Kind
from rollouts.sandbox.apiserver.cel_rules import malformed_rules
from rollouts.sandbox.apiserver.errors import Cause, shown
from rollouts.sandbox.apiserver.objects import get_path
from rollouts.sandbox.apiserver.registry import (
    Resource,
    ScalePaths,
    Version,
    custom_place,
)
from rollouts.sandbox.apiserver.schema import INT_OR_STRING, PRESERVE

_LOGIC = ("allOf", "anyOf", "oneOf")


def completed(crd: JSON, now: str) -> None:
    """Fill in a definition's defaults and its status, in place."""
    spec = crd["spec"]
    names = spec["names"]
    names.setdefault("singular", names["kind"].lower())
    names.setdefault("listKind", f"{names['kind']}List")
    spec.setdefault("conversion", {"strategy": "None"})
    status = crd.setdefault("status", {})
    status["acceptedNames"] = names
    storage = next(version["name"] for version in spec["versions"] if version.get("storage"))
    stored = status.setdefault("storedVersions", [])
    if storage not in stored:
        stored.append(storage)
    if not status.get("conditions"):
        status["conditions"] = [
            _condition("NamesAccepted", "NoConflicts", "no conflicts found", now),
            _condition(
                "Established", "InitialNamesAccepted", "the initial names have been accepted", now
            ),
        ]


def terminating(crd: JSON, now: str) -> None:
    """Say in a definition's status, in place, that it goes as soon as its objects have gone."""
    conditions = crd.setdefault("status", {}).setdefault("conditions", [])
    if not any(each["type"] == "Terminating" for each in conditions):
        message = "CustomResource deletion is in progress"
        conditions.append(_condition("Terminating", "InstanceDeletionInProgress", message, now))


def _condition(kind: str, reason: str, message: str, now: str) -> JSON:
    return {
        "type": kind,
        "status": "True",
        "lastTransitionTime": now,
        "reason": reason,
        "message": message,
    }


def definition_causes(crd: FrozenJSON, current: FrozenJSON | None = None) -> list[Cause]:
    """Return what is wrong with a definition that replaces `current`."""
    spec = crd.get("spec") or {}
    required = ("group", "scope", "names", "versions")
    missing = [name for name in required if not spec.get(name)]
    missing += [
        f"names.{name}" for name in ("plural", "kind") if not get_path(spec, f"names.{name}")
    ]
    found = [Cause(f"spec.{name}", "Required value", "FieldValueRequired") for name in missing]
    if found:
        return found
    wanted = f"{spec['names']['plural']}.{spec['group']}"
    if crd["metadata"]["name"] != wanted:
        name = shown(crd["metadata"]["name"])
        message = f'Invalid value: {name}: must be spec.names.plural+"."+spec.group'
        found.append(Cause("metadata.name", message))
    if sum(1 for version in spec["versions"] if version.get("storage")) != 1:
        message = f"Invalid value: {shown(spec['versions'])}: must have exactly one version marked as storage version"
        found.append(Cause("spec.versions", message))
    found += [*_unusable(crd), *_moved(crd, current or crd)]
    for number, version in enumerate(spec["versions"]):
        if not version.get("name"):
            name = f"spec.versions[{number}].name"
            found.append(Cause(name, "Required value", "FieldValueRequired"))
        path = f"spec.versions[{number}].schema.openAPIV3Schema"
        schema = get_path(version, "schema.openAPIV3Schema")
        if not schema:
            found.append(Cause(path, "Required value: schemas are required", "FieldValueRequired"))
        else:
            found += [*_unstructural(schema, path), *malformed_rules(schema, path)]
        found += _pathless(version, f"spec.versions[{number}].subresources.scale")
    return found


def _unusable(crd: FrozenJSON) -> Iterator[Cause]:
    """Yield what is wrong with the versions as a whole, and with how they are converted."""
    spec = crd["spec"]
    versions = [version.get("name") for version in spec["versions"]]
    if len(set(versions)) < len(versions):
        message = f"Invalid value: {shown(versions)}: must contain unique version names"
        yield Cause("spec.versions", message)
    strategy = get_path(spec, "conversion.strategy", "None")
    if strategy != "None":  # a real server takes Webhook too
        message = f'Unsupported value: {shown(strategy)}: supported values: "None"'
        yield Cause("spec.conversion.strategy", message, "FieldValueNotSupported")
    for number, stored in enumerate(get_path(crd, "status.storedVersions", [])):
        if stored not in versions:
            where = f"status.storedVersions[{number}]"
            message = f"Invalid value: {shown(stored)}: missing from spec.versions; "
            message += f"{stored} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in {stored} and removes {stored} from status.storedVersions"
            yield Cause(where, message)


def _moved(crd: FrozenJSON, current: FrozenJSON) -> Iterator[Cause]:
    """Yield what may not change once a definition is established."""
    for name in ("group", "scope", "names.plural", "names.kind"):
        value = get_path(crd["spec"], name)
        if value != get_path(current["spec"], name):
            yield Cause(f"spec.{name}", f"Invalid value: {shown(value)}: field is immutable")


def _pathless(version: JSON, path: str) -> Iterator[Cause]:
    """Yield what a scale subresource needs and does not name."""
    scale = (version.get("subresources") or {}).get("scale")
    if scale is None:
        return
    for name in ("specReplicasPath", "statusReplicasPath"):
        if not scale.get(name):
            yield Cause(f"{path}.{name}", "Required value", "FieldValueRequired")


def _unstructural(schema: JSON, path: str) -> Iterator[Cause]:
    """Yield what makes a schema no structural one."""
    if not schema.get("type") and not schema.get(INT_OR_STRING) and not schema.get(PRESERVE):
        message = "Required value: must not be empty for specified object fields"
        yield Cause(f"{path}.type", message, "FieldValueRequired")
    for name in ("$ref", "uniqueItems", "definitions", "patternProperties", "dependencies"):
        if schema.get(name):
            yield Cause(
                f"{path}.{name}", f"Forbidden: {name} is not supported", "FieldValueForbidden"
            )
    extra, known = schema.get("additionalProperties"), schema.get("properties") or {}
    if extra is False or (extra and known):
        message = "Forbidden: must not be used together with properties, and not be false"
        yield Cause(f"{path}.additionalProperties", message, "FieldValueForbidden")
    if schema.get("type") == "array" and not isinstance(schema.get("items"), dict):
        message = "Required value: must be specified"
        yield Cause(f"{path}.items", message, "FieldValueRequired")
    yield from _typed_alternatives(schema, path)
    for name, part in known.items():
        yield from _unstructural(part, f"{path}.properties[{name}]")
    if isinstance(extra, dict):
        yield from _unstructural(extra, f"{path}.additionalProperties")
    if isinstance(schema.get("items"), dict):
        yield from _unstructural(schema["items"], f"{path}.items")


def _typed_alternatives(schema: JSON, path: str) -> Iterator[Cause]:
    if schema.get(INT_OR_STRING):
        return
    for logic in _LOGIC:
        for number, option in enumerate(schema.get(logic) or ()):
            if option.get("type"):
                message = "Forbidden: must be empty to be structural"
                yield Cause(f"{path}.{logic}[{number}].type", message, "FieldValueForbidden")


def resources_of(crd: FrozenJSON) -> list[Resource]:
    """Return what a definition makes the server serve: a resource per served version."""
    versions = crd["spec"]["versions"]
    stored = next(version for version in versions if version.get("storage"))
    return [_resource(crd, version, stored) for version in versions if version.get("served")]


def stored_resource(crd: FrozenJSON) -> Resource:
    """Return the kind in the version in which its objects are kept, served or not."""
    stored = next(version for version in crd["spec"]["versions"] if version.get("storage"))
    return _resource(crd, stored, stored)


def _resource(crd: FrozenJSON, version: JSON, stored: JSON) -> Resource:
    spec, names = crd["spec"], crd["spec"]["names"]
    subresources = version.get("subresources") or {}
    group, plural, kind = spec["group"], names["plural"], names["kind"]
    return Resource(
        Kind(group, version["name"], plural, kind),
        namespaced=spec["scope"] == "Namespaced",
        singular=names["singular"],
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        status="status" in subresources,
        generation=True,
        scale=_scale(subresources.get("scale")),
        storage=custom_place(group, plural),
        list_kind=names["listKind"],
        custom=Version(
            version["schema"]["openAPIV3Schema"],
            tuple(version.get("additionalPrinterColumns") or ()),
            f"{group}/{stored['name']}",
            stored["schema"]["openAPIV3Schema"],
        ),
    )


def _scale(scale: Any) -> ScalePaths | None:
    if not scale:
        return None
    return ScalePaths(
        scale["specReplicasPath"].lstrip("."),
        scale["statusReplicasPath"].lstrip("."),
        scale.get("labelSelectorPath", "").lstrip("."),
    )
