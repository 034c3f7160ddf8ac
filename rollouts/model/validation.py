"""
From JSON to a spec, or to every error with its field, the reason and the way out.

The one source of what is valid: `lint`, the controller and (through the generated
CRD) the API server all refuse the same things. Never raises anything but `InvalidSpec`.
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from rollouts.errors import FieldError, InvalidSpec
from rollouts.model.base import LONGEST_ROLLOUT_NAME
from rollouts.model.cross_field_rules import cross_field_errors
from rollouts.model.kinds import GROUP, HASH_LABEL, JSON, FrozenJSON
from rollouts.model.shape_errors import shape_error
from rollouts.model.sources import source_errors
from rollouts.model.spec import LabelSelector, RolloutSpec
from rollouts.model.truncation import truncated

_LONGEST_SHOWN = 80
"""So much of a wrong value is shown: it may be as long as an object."""
DEEPEST = 64
"""So many levels a template may have; Kubernetes' own has not half as many."""
_DNS_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def parse_rollout(rollout: FrozenJSON) -> RolloutSpec:
    """
    Return the spec of a Rollout object.

    Raises:
        InvalidSpec: with one error per wrong field.
    """
    misnamed = tuple(_name(rollout))
    spec = rollout.get("spec")
    if not isinstance(spec, Mapping):
        raise InvalidSpec(
            (
                *misnamed,
                FieldError(
                    "spec", "is missing; a Rollout needs at least template, selector and strategy"
                ),
            )
        )
    try:
        parsed = RolloutSpec.model_validate(spec, by_alias=True, by_name=False)
    except ValidationError as error:
        raise InvalidSpec((*misnamed, *_field_errors(error))) from None
    errors = (*misnamed, *_rules_beyond_the_schema(parsed))
    if errors:
        raise InvalidSpec(errors)
    return parsed


def parse_remembered(raw: FrozenJSON | None) -> RolloutSpec | None:
    """
    Return a spec that status has kept without its template, which is empty then.

    None when there is none, or when another version of this program has written one that this
    one does not understand.
    """
    if raw is None:
        return None
    template: JSON = {} if "workloadRef" in raw else {"template": {}}
    try:
        return RolloutSpec.model_validate({**raw, **template}, by_alias=True, by_name=False)
    except ValidationError:
        return None


def _name(rollout: FrozenJSON) -> Iterator[FieldError]:
    """Yield what is wrong with a name that is given; whether there is one is the API server's to ask."""
    metadata = rollout.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    if not isinstance(name, str) or not name:
        return
    if len(name) > LONGEST_ROLLOUT_NAME:
        yield FieldError(
            "metadata.name",
            f"has {len(name)} characters; shorten it to {LONGEST_ROLLOUT_NAME}, which leave room for"
            " the hash in the names and labels of its ReplicaSets",
        )
    if not _DNS_NAME.fullmatch(name):
        yield FieldError(
            "metadata.name",
            "has to consist of lower-case letters, digits, - and ., and to begin and end with a letter"
            f" or digit; got {truncated(repr(name), _LONGEST_SHOWN)}",
        )


def _field_errors(error: ValidationError) -> Iterator[FieldError]:
    for detail in error.errors(include_url=False):
        yield FieldError(_path(detail["loc"]), _reason(detail))


def _path(location: Sequence[int | str]) -> str:
    path = "spec"
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{truncated(part, _LONGEST_SHOWN)}"
    return path


def _reason(detail: ErrorDetails) -> str:
    if detail["type"] == "extra_forbidden":
        known = _known_fields(detail["loc"][:-1])
        name = str(detail["loc"][-1])
        near = difflib.get_close_matches(name, known, n=1) or [
            field for field in known if field.lower() == name.lower()
        ]
        return (
            f"unknown field; did you mean {near[0]}?"
            if near
            else f"unknown field; known are {', '.join(known)}"
        )
    if detail["type"] == "missing":
        return "is required; give it a value"
    message = detail["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    given, shape = detail.get("input"), shape_error(detail)
    said = f", got {truncated(repr(given), _LONGEST_SHOWN)}"
    if not isinstance(given, str | int | float | bool):
        said = ""
    if shape is not None:
        return f"{shape.expected}{said}{shape.way_out}"
    is_said = repr(given) in message or str(given) in message or ", got " in message
    return message if is_said else f"{message}{said}"


def _known_fields(location: Sequence[int | str]) -> list[str]:
    """Return the names that fit at `location`, by walking the models as the input did."""
    model: type[BaseModel] = RolloutSpec
    for part in location:
        if isinstance(part, int):
            continue
        for name, field in model.model_fields.items():
            if part in (name, field.alias):
                model = _model_in(field.annotation) or model
                break
    return sorted(str(field.alias or name) for name, field in model.model_fields.items())


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _model_in(argument)
        if found is not None:
            return found
    return None


def _rules_beyond_the_schema(spec: RolloutSpec) -> Iterator[FieldError]:
    yield from cross_field_errors(spec)
    if _is_too_deep(spec.template):
        yield FieldError("spec.template", f"is nested more than {DEEPEST} levels deep; flatten it")
    yield from _template(spec)
    yield from source_errors(spec)


def _template(spec: RolloutSpec) -> Iterator[FieldError]:
    if spec.template is None or spec.selector is None:
        return
    metadata = spec.template.get("metadata") or {}
    labels = metadata.get("labels") or {} if isinstance(metadata, Mapping) else {}
    if not isinstance(labels, Mapping):
        yield FieldError("spec.template.metadata.labels", "has to be a map from labels to values")
        return
    if not spec.selector.match_labels and not spec.selector.match_expressions:
        yield FieldError(
            "spec.selector", "selects everything; give matchLabels, such as {app: <name>}"
        )
    if not _selects(spec.selector, labels):
        yield FieldError(
            "spec.template.metadata.labels",
            "do not match spec.selector, so that the pods would be nobody's; add the selector's labels",
        )
    if any(str(key).startswith(f"{GROUP}/") for key in (*labels, *spec.selector.match_labels)):
        yield FieldError(
            "spec.template.metadata.labels",
            f"the controller sets the labels below {GROUP}/, such as {HASH_LABEL}; take them out",
        )
    pod = spec.template.get("spec")
    containers = pod.get("containers") if isinstance(pod, Mapping) else None
    if not isinstance(containers, list) or not containers:
        yield FieldError(
            "spec.template.spec.containers", "is missing; a pod needs at least one container"
        )
        return
    for index, container in enumerate(containers):
        for field in ("name", "image"):
            if not isinstance(container, Mapping) or not isinstance(container.get(field), str):
                yield FieldError(
                    f"spec.template.spec.containers[{index}].{field}",
                    "has to be given as text",
                )


def _is_too_deep(value: object) -> bool:
    """Return whether JSON has more levels than a template may have; level by level, as it may have many."""
    level = [value]
    for _ in range(DEEPEST):
        level = [
            part
            for each in level
            if isinstance(each, dict | list)
            for part in (each.values() if isinstance(each, dict) else each)
        ]
    return any(isinstance(each, dict | list) for each in level)


def _selects(selector: LabelSelector, labels: FrozenJSON) -> bool:
    if any(labels.get(key) != value for key, value in selector.match_labels.items()):
        return False
    for requirement in selector.match_expressions:
        value = labels.get(requirement.key)
        holds = {
            "In": value in requirement.values,
            "NotIn": value not in requirement.values,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }[requirement.operator]
        if not holds:
            return False
    return True
