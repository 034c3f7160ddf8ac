"""
Structural schemas of custom resources: pruning, defaults, and validation in the server's words.

Sources: "Extend the Kubernetes API with CustomResourceDefinitions" for what is pruned and
defaulted and when; the wording is that of kube-openapi's validation errors.
"""

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from rollouts.model.kinds import JSON
from rollouts.sandbox.apiserver.errors import Cause, shown
from rollouts.sandbox.apiserver.objects import clone

INT_OR_STRING = "x-kubernetes-int-or-string"
PRESERVE = "x-kubernetes-preserve-unknown-fields"
EMBEDDED = "x-kubernetes-embedded-resource"
ABSENT = object()
"""In place of an old value: there is none."""
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_GO_DURATION = re.compile(r"[+-]?(0|((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)", re.ASCII)
_WITH_UNIT = re.compile(r"[0-9]+\s*([A-Za-zµ]+)")
_UNITS = frozenset({"ns", "us", "µs", "ms", "s", "m", "h", "hr", "d", "w", "wk"})
_LONG_UNITS = ("nano", "micro", "milli", "sec", "min", "hour", "day", "week")
_HEAD = frozenset({"apiVersion", "kind", "metadata"})


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: _is_number(value) and value == int(value),
    "number": _is_number,
}


def join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def pruned(value: Any, schema: JSON, path: str = "") -> list[str]:
    """Remove unknown fields from `value`, in place, and return their paths."""
    unknown: list[str] = []
    if isinstance(value, list):
        for number, item in enumerate(value):
            unknown += pruned(item, schema.get("items") or {}, f"{path}[{number}]")
    elif isinstance(value, dict):
        known = schema.get("properties") or {}
        extra = schema.get("additionalProperties")
        head = _HEAD if schema.get(EMBEDDED) or not path else frozenset()
        for key in list(value):
            if key in head:
                continue
            if key in known:
                unknown += pruned(value[key], known[key], join(path, key))
            elif isinstance(extra, dict):
                unknown += pruned(value[key], extra, join(path, key))
            elif not schema.get(PRESERVE) and extra is not True:
                unknown.append(join(path, key))
                del value[key]
    return unknown


def without_idle_nulls(value: Any, schema: JSON) -> None:
    """Remove, in place, each null that its field may not be and that no default replaces."""
    if isinstance(value, list):
        for item in value:
            without_idle_nulls(item, schema.get("items") or {})
    elif isinstance(value, dict):
        extra = schema.get("additionalProperties")
        for name in list(value):
            part = (schema.get("properties") or {}).get(name, extra)
            if not isinstance(part, dict):
                continue
            if value[name] is None and not part.get("nullable") and "default" not in part:
                del value[name]
            else:
                without_idle_nulls(value[name], part)


def made_integral(value: Any, schema: JSON) -> set[str]:
    """Make an integer, in place, of each float that should be one and is; return their fields' names."""
    made: set[str] = set()
    if isinstance(value, list):
        for item in value:
            made |= made_integral(item, schema.get("items") or {})
    elif isinstance(value, dict):
        extra = schema.get("additionalProperties")
        for name, item in value.items():
            part = (schema.get("properties") or {}).get(name, extra)
            if not isinstance(part, dict):
                continue
            integral = part.get("type") == "integer" or part.get(INT_OR_STRING)
            if integral and isinstance(item, float) and item.is_integer():
                value[name] = int(item)
                made.add(name)
            elif isinstance(item, dict | list):
                made |= made_integral(item, part)
    return made


def defaulted(value: Any, schema: JSON) -> None:
    """Fill in defaults, in place; a null where none is allowed gives way to a default."""
    if isinstance(value, list):
        for item in value:
            defaulted(item, schema.get("items") or {})
    elif isinstance(value, dict):
        for name, part in (schema.get("properties") or {}).items():
            absent = name not in value or (value[name] is None and not part.get("nullable"))
            if absent and "default" in part:
                value[name] = clone(part["default"])
            if name in value:
                defaulted(value[name], part)
        extra = schema.get("additionalProperties")
        if isinstance(extra, dict):
            for name in value.keys() - (schema.get("properties") or {}).keys():
                defaulted(value[name], extra)


def violations(value: Any, schema: JSON, path: str = "", old: Any = ABSENT) -> list[Cause]:
    """
    Return everything that is wrong with `value`, but what was so in `old` already.

    What has not changed is excused, since it was valid once: the definition has been tightened
    ("Validation ratcheting" in the Kubernetes documentation of custom resources).
    """
    if value is None and (schema.get("nullable") or not schema.get("type")):
        return []
    if old is not ABSENT and value == old:
        return []
    wrong_type = _type_cause(value, schema, path)
    if wrong_type:
        return [wrong_type]
    found = [
        *_enum_causes(value, schema, path),
        *_scalar_causes(value, schema, path),
        *_collection_causes(value, schema, path),
        *_logic_causes(value, schema, path),
    ]
    for name, part, below in _parts(value, schema, path):
        found += violations(value[name], part, below, counterpart(value, old, schema, name))
    return [*found, *_required_causes(value, schema, path)]


def counterpart(value: Any, old: Any, schema: JSON, name: Any) -> Any:
    """Return what `value[name]` was in `old`; ABSENT when that can't be told."""
    if isinstance(value, dict) and isinstance(old, dict):
        return old.get(name, ABSENT)
    keys = schema.get("x-kubernetes-list-map-keys")
    if not keys or not isinstance(old, list) or not isinstance(value[name], dict):
        return ABSENT
    wanted = [value[name].get(key) for key in keys]
    return next((item for item in old if [item.get(key) for key in keys] == wanted), ABSENT)


def _parts(value: Any, schema: JSON, path: str) -> Iterator[tuple[Any, JSON, str]]:
    if isinstance(value, dict):
        known = schema.get("properties") or {}
        extra = schema.get("additionalProperties")
        for name in value:
            if name in known:
                yield name, known[name], join(path, name)
            elif isinstance(extra, dict):
                yield name, extra, join(path, name)
    elif isinstance(value, list) and schema.get("items"):
        for number in range(len(value)):
            yield number, schema["items"], f"{path}[{number}]"


def _type_cause(value: Any, schema: JSON, path: str) -> Cause | None:
    if schema.get(INT_OR_STRING):
        good, wanted = isinstance(value, str) or _TYPES["integer"](value), "integer,string"
    elif schema.get("type") in _TYPES:
        wanted = schema["type"]
        good = _TYPES[wanted](value)
    else:
        return None
    if good:
        return None
    quoted = shown(_type_name(value))
    message = f"Invalid value: {quoted}: {path} in body must be of type {wanted}: {quoted}"
    return Cause(path, message, "FieldValueTypeInvalid")


def _type_name(value: Any) -> str:
    return next((name for name, test in _TYPES.items() if test(value)), "null")


def _enum_causes(value: Any, schema: JSON, path: str) -> Iterator[Cause]:
    choices = schema.get("enum")
    if choices and value not in choices:
        supported = ", ".join(shown(choice) for choice in choices)
        message = f"Unsupported value: {shown(value)}: supported values: {supported}"
        yield Cause(path, message, "FieldValueNotSupported")


def _scalar_causes(value: Any, schema: JSON, path: str) -> Iterator[Cause]:
    if isinstance(value, str):
        yield from _string_causes(value, schema, path)
    elif _is_number(value):
        yield from _number_causes(value, schema, path)


def _string_causes(value: str, schema: JSON, path: str) -> Iterator[Cause]:
    longest, shortest = schema.get("maxLength"), schema.get("minLength")
    if longest is not None and len(value) > longest:
        message = f"Too long: may not be more than {longest} bytes"
        yield Cause(path, message, "FieldValueTooLong")
    if shortest is not None and len(value) < shortest:
        yield _should(path, value, f"be at least {shortest} chars long")
    pattern = schema.get("pattern")
    if pattern and not re.search(pattern, value, re.ASCII):  # as RE2 reads \d and \w
        yield _should(path, value, f"match '{pattern}'")
    wanted = schema.get("format")
    if wanted in _FORMATS and not _FORMATS[wanted](value):
        message = f"Invalid value: {shown(value)}: {path} in body must be of type {wanted}: {shown(value)}"
        yield Cause(path, message, "FieldValueTypeInvalid")


def _is_moment(value: str) -> bool:
    if not _MOMENT.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value.upper())
    except ValueError:
        return False
    return True


def _is_duration(value: str) -> bool:
    """Return whether there is one number with a unit in a text; all others are overlooked."""
    if _GO_DURATION.fullmatch(value):
        return True
    units = (unit.lower() for unit in _WITH_UNIT.findall(value))
    return any(unit in _UNITS or unit.startswith(_LONG_UNITS) for unit in units)


_FORMATS: dict[str, Callable[[str], bool]] = {"date-time": _is_moment, "duration": _is_duration}


def _number_causes(value: float, schema: JSON, path: str) -> Iterator[Cause]:
    least, most = schema.get("minimum"), schema.get("maximum")
    strictly_more, strictly_less = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if least is not None and (value < least or (strictly_more and value == least)):
        words = "greater than" if strictly_more else "greater than or equal to"
        yield _should(path, value, f"be {words} {_plain(least)}")
    if most is not None and (value > most or (strictly_less and value == most)):
        words = "less than" if strictly_less else "less than or equal to"
        yield _should(path, value, f"be {words} {_plain(most)}")
    step = schema.get("multipleOf")
    if step and value % step:
        yield _should(path, value, f"be a multiple of {_plain(step)}")


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else str(number)


def _should(path: str, value: Any, what: str) -> Cause:
    return Cause(path, f"Invalid value: {shown(value)}: {path} in body should {what}")


def _collection_causes(value: Any, schema: JSON, path: str) -> Iterator[Cause]:
    if isinstance(value, list):
        yield from _size_causes(value, schema, path, "items")
        yield from _duplicate_causes(value, schema, path)
    elif isinstance(value, dict):
        yield from _size_causes(value, schema, path, "properties")


def _required_causes(value: Any, schema: JSON, path: str) -> Iterator[Cause]:
    if isinstance(value, dict):
        for name in schema.get("required") or ():
            if name not in value:
                yield Cause(join(path, name), "Required value", "FieldValueRequired")


def _size_causes(value: Any, schema: JSON, path: str, unit: str) -> Iterator[Cause]:
    most, least = schema.get(f"max{unit.title()}"), schema.get(f"min{unit.title()}")
    if most is not None and len(value) > most:
        message = f"Too many: {len(value)}: must have at most {most} items"
        yield Cause(path, message, "FieldValueTooMany")
    if least is not None and len(value) < least:
        yield _should(path, len(value), f"have at least {least} {unit}")


def _duplicate_causes(value: list[Any], schema: JSON, path: str) -> Iterator[Cause]:
    kind = schema.get("x-kubernetes-list-type")
    if kind not in ("set", "map"):
        return
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    seen: list[Any] = []
    for number, item in enumerate(value):
        name = item
        if kind == "map" and isinstance(item, dict):
            name = {key: item[key] for key in keys if key in item}
        if name in seen:
            message = f"Duplicate value: {shown(name)}"
            yield Cause(f"{path}[{number}]", message, "FieldValueDuplicate")
        seen.append(name)


def _logic_causes(value: Any, schema: JSON, path: str) -> Iterator[Cause]:
    for part in schema.get("allOf") or ():
        yield from violations(value, part, path)
    options = schema.get("anyOf")
    if options and not schema.get(INT_OR_STRING) and not _fitting(value, options, path):
        yield _must(path, value, "validate at least one schema (anyOf)")
    options = schema.get("oneOf")
    if options and (count := _fitting(value, options, path)) != 1:
        why = "Found none valid" if not count else f"Found {count} valid alternatives"
        yield _must(path, value, f"validate one and only one schema (oneOf). {why}")
    refused = schema.get("not")
    if refused is not None and not violations(value, refused, path):
        yield _must(path, value, "not validate the schema (not)")


def _fitting(value: Any, options: list[JSON], path: str) -> int:
    return sum(1 for option in options if not violations(value, option, path))


def _must(path: str, value: Any, what: str) -> Cause:
    text = f'"{_type_name(value)}"' if isinstance(value, dict | list) else shown(value)
    return Cause(path, f'Invalid value: {text}: "{path}" must {what}')
