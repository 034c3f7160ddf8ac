"""
The CEL rules of a custom resource's schema (x-kubernetes-validations).

A rule that speaks of `oldSelf` is about a change: it is asked only when there was an old
value that can be told to be the same one, which in a list needs a key. With `optionalOldSelf`
it is asked always, and has the old value as an optional one. A rule with
a function or a syntax that is not known here is not asked, and that is logged. Source: "Validation rules" in
the Kubernetes documentation of custom resources.
"""

import functools
import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import cel
import structlog

from rollouts.model.kinds import JSON
from rollouts.sandbox.apiserver.cel_library import FUNCTIONS, UNKNOWN
from rollouts.sandbox.apiserver.errors import Cause, shown
from rollouts.sandbox.apiserver.schema import INT_OR_STRING, join

log = structlog.get_logger()

RULES = "x-kubernetes-validations"
_UNSUPPORTED = "unsupported syntax"
_OLD = re.compile(r"\boldSelf\b")
_FIELD = re.compile(r"\b(?:self|oldSelf)\.([A-Za-z][A-Za-z0-9]*)\b(?!\()")
_ROOT = frozenset({"apiVersion", "kind", "metadata"})
_REASONS = {
    "FieldValueForbidden": "Forbidden: ",
    "FieldValueRequired": "Required value: ",
    "FieldValueDuplicate": "Duplicate value: ",
}
_COMPOSITE = ("object", "array")


@functools.lru_cache(maxsize=1024)
def compiled(expression: str) -> Any:
    """
    Return a program for an expression.

    Raises:
        ValueError: it is no CEL.
    """
    return cel.compile(expression)


@functools.lru_cache(maxsize=1024)
def is_understood(expression: str) -> bool:
    """Return whether all that an expression has is known here; when not, it is said once."""
    try:
        program = compiled(expression)
    except ValueError as error:
        log.warning("rule not evaluated", rule=expression, reason=str(error))
        return False
    missing = UNKNOWN & {*program.functions(), *program.variables()}
    if missing:
        log.warning("rule not evaluated", rule=expression, functions=sorted(missing))
    return not missing


@functools.lru_cache(maxsize=1024)
def _library(expression: str) -> JSON:
    """Return those functions of Kubernetes that an expression calls."""
    called = set(compiled(expression).functions())
    return {name: function for name, function in FUNCTIONS.items() if name in called}


def rule_violations(value: Any, old: Any, schema: JSON, path: str = "") -> list[Cause]:
    """Return what the rules say against `value`, which was `old` before (None: was not)."""
    return [cause for cause, excused in broken_rules(value, old, schema, path) if not excused]


def has_rules(schema: JSON) -> bool:
    """Return whether there is a rule anywhere below `schema`."""
    if schema.get(RULES):
        return True
    parts = [*(schema.get("properties") or {}).values(), schema.get("items")]
    parts.append(schema.get("additionalProperties"))
    return any(has_rules(part) for part in parts if isinstance(part, dict))


@dataclass(frozen=True, slots=True)
class Circumstances:
    """
    What there is to know around a value that is judged.

    `same`: what it is in has not changed, which counts where its own old value can't be found.
    `floats`: the fields that came as floats where integers are due, such as 2.0.
    """

    same: bool = False
    floats: AbstractSet[str] = frozenset()


NOTHING_KNOWN = Circumstances()


def broken_rules(
    value: Any, old: Any, schema: JSON, path: str = "", around: Circumstances = NOTHING_KNOWN
) -> Iterator[tuple[Cause, bool]]:
    """
    Yield what the rules say against `value`, and whether it is excused.

    It is when the value was the same before, unless the rule is about the change itself.
    """
    same = around.same if old is None else value == old
    for rule in schema.get(RULES) or ():
        cause = _reads_float(rule, schema, path, around.floats)
        cause = cause or _broken(rule, value, old, schema, path)
        if cause:
            yield cause, same and not _OLD.search(rule["rule"])
    within = Circumstances(same, around.floats)
    for item, before, part, below in _parts(value, old, schema, path):
        yield from broken_rules(item, before, part, below, within)


def _reads_float(rule: JSON, schema: JSON, path: str, floats: AbstractSet[str]) -> Cause | None:
    """Return what is said of a rule that reads a float where an integer is declared."""
    if not any(re.search(rf"\.{name}\b", rule["rule"]) for name in floats):
        return None
    return _failed("invalid data, expected int, got float64", rule, schema, path)


def _broken(rule: JSON, value: Any, old: Any, schema: JSON, path: str) -> Cause | None:
    expression, names = rule["rule"], {"self": value}
    if not is_understood(expression):
        return None
    if _OLD.search(expression):
        if old is not None:
            names["oldSelf"] = old
        if rule.get("optionalOldSelf"):
            optional = "optional.none()" if old is None else "optional.of(oldSelf)"
            expression = _OLD.sub(optional, expression)
        elif old is None:
            return None
    try:
        holds = _evaluated(expression, names)
    except KeyError as error:
        return _failed(f"no such key: {error.args[0]}", rule, schema, path)
    except ZeroDivisionError:
        return _failed("division by zero", rule, schema, path)
    except (IndexError, RuntimeError, TypeError, ValueError) as error:
        return _failed(str(error), rule, schema, path)
    if holds is True:
        return None
    where = path + rule.get("fieldPath", "") if path else rule.get("fieldPath", "").lstrip(".")
    where = where or "<nil>"
    kind = schema.get("type", "")
    reason = rule.get("reason", "FieldValueInvalid")
    plain = "" if kind in _COMPOSITE else f"{shown(value)}: "
    return Cause(
        where, f"{_REASONS.get(reason, 'Invalid value: ' + plain)}{_said(rule, names)}", reason
    )


def _failed(why: str, rule: JSON, schema: JSON, path: str) -> Cause:
    kind, text = shown(schema.get("type", "")), rule.get("message") or rule["rule"]
    return Cause(path or "<nil>", f"Invalid value: {kind}: {why} evaluating rule: {text}")


def _evaluated(expression: str, names: JSON) -> Any:
    return compiled(expression).execute({**_library(expression), **names})


def _said(rule: JSON, names: JSON) -> str:
    if "messageExpression" in rule:
        try:
            text = _evaluated(rule["messageExpression"], names)
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError):
            text = None
        if isinstance(text, str) and text:
            return text
    return str(rule.get("message") or f"failed rule: {rule['rule']}")


def _parts(value: Any, old: Any, schema: JSON, path: str) -> Iterator[tuple[Any, Any, JSON, str]]:
    if isinstance(value, dict):
        known, extra = schema.get("properties") or {}, schema.get("additionalProperties")
        before = old if isinstance(old, dict) else {}
        for name, item in value.items():
            part = known.get(name) or (extra if isinstance(extra, dict) else None)
            if part and item is not None:
                yield item, before.get(name), part, join(path, name)
    elif isinstance(value, list) and schema.get("items"):
        for number, item in enumerate(value):
            yield item, _same_item(item, old, schema), schema["items"], f"{path}[{number}]"


def _same_item(item: Any, old: Any, schema: JSON) -> Any:
    keys = schema.get("x-kubernetes-list-map-keys")
    if not keys or not isinstance(old, list) or not isinstance(item, dict):
        return None
    name = [item.get(key) for key in keys]
    return next((before for before in old if [before.get(key) for key in keys] == name), None)


def malformed_rules(schema: JSON, path: str, *, same: bool = True) -> Iterator[Cause]:
    """
    Yield a cause for every rule below `schema` that a server refuses to take.

    `same` is false below a list without keys: nothing there has an old value.
    """
    for number, rule in enumerate(schema.get(RULES) or ()):
        where = f"{path}.{RULES}[{number}].rule"
        expression = rule.get("rule", "")
        why = _fault(expression, schema, same=same)
        if why:
            yield Cause(where, f"Invalid value: {shown(expression)}: {why}")
    for name, part in (schema.get("properties") or {}).items():
        yield from malformed_rules(part, f"{path}.properties[{name}]", same=same)
    if isinstance(schema.get("additionalProperties"), dict):
        extra = schema["additionalProperties"]
        yield from malformed_rules(extra, f"{path}.additionalProperties", same=same)
    if isinstance(schema.get("items"), dict):
        keyed = same and schema.get("x-kubernetes-list-type") == "map"
        yield from malformed_rules(schema["items"], f"{path}.items", same=keyed)


def _fault(expression: str, schema: JSON, *, same: bool) -> str:
    try:
        compiled(expression)
    except ValueError as error:  # of the syntax of optional values nothing is known here
        return "" if _UNSUPPORTED in str(error) else f"compilation failed: {error}"
    if not same and _OLD.search(expression):
        return "oldSelf cannot be used on the uncorrelatable portion of the schema"
    known = schema.get("properties") or {}
    for name in _FIELD.findall(expression) if known else ():
        declared = name in known and bool(known[name].get("type") or known[name].get(INT_OR_STRING))
        if not declared and name not in _ROOT:
            return f"compilation failed: undefined field '{name}'"
    return ""
