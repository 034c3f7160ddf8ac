"""
The CEL rules of a custom resource's schema (x-kubernetes-validations).

A rule that speaks of `oldSelf` is about a change: it is asked only when there was an old
value that can be told to be the same one, which in a list needs a key. Source: "Validation
rules" in the Kubernetes documentation of custom resources.
"""

import functools
import re
from collections.abc import Iterator
from typing import Any

import cel

from rollouts.model.kinds import JSON
from rollouts.sandbox.apiserver.errors import Cause
from rollouts.sandbox.apiserver.schema import join

RULES = "x-kubernetes-validations"
_OLD = re.compile(r"\boldSelf\b")
_REASONS = {
    "FieldValueForbidden": "Forbidden: ",
    "FieldValueRequired": "Required value: ",
    "FieldValueDuplicate": 'Duplicate value: "{}": ',
}


@functools.lru_cache(maxsize=1024)
def compiled(expression: str) -> Any:
    """
    Return a program for an expression.

    Raises:
        ValueError: it is no CEL.
    """
    return cel.compile(expression)


def rule_violations(value: Any, old: Any, schema: JSON, path: str = "") -> list[Cause]:
    """Return what the rules say against `value`, which was `old` before (None: was not)."""
    found = [
        cause
        for rule in schema.get(RULES) or ()
        if (cause := _broken(rule, value, old, schema, path))
    ]
    for item, before, part, below in _parts(value, old, schema, path):
        found += rule_violations(item, before, part, below)
    return found


def _broken(rule: JSON, value: Any, old: Any, schema: JSON, path: str) -> Cause | None:
    names = {"self": value}
    if _OLD.search(rule["rule"]):
        if old is None:
            return None
        names["oldSelf"] = old
    where = path + rule.get("fieldPath", "") if path else rule.get("fieldPath", "").lstrip(".")
    where = where or "<nil>"
    kind = schema.get("type", "object")
    try:
        holds = compiled(rule["rule"]).execute(names)
    except (RuntimeError, TypeError, ValueError) as error:
        text = f"rule evaluation error: {error}: evaluating rule: {_said(rule, names)}"
        return Cause(where, f'Invalid value: "{kind}": {text}')
    if holds is True:
        return None
    reason = rule.get("reason", "FieldValueInvalid")
    prefix = _REASONS.get(reason, 'Invalid value: "{}": ').format(kind)
    return Cause(where, prefix + _said(rule, names), reason)


def _said(rule: JSON, names: JSON) -> str:
    if "messageExpression" in rule:
        try:
            text = compiled(rule["messageExpression"]).execute(names)
        except (RuntimeError, TypeError, ValueError):
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


def malformed_rules(schema: JSON, path: str) -> Iterator[Cause]:
    """Yield a cause for every rule below `schema` that can't be compiled."""
    for number, rule in enumerate(schema.get(RULES) or ()):
        try:
            compiled(rule.get("rule", ""))
        except ValueError as error:
            text = f"compilation failed: {error}"
            where = f"{path}.{RULES}[{number}].rule"
            yield Cause(where, f'Invalid value: "{rule.get("rule", "")}": {text}')
    for name, part in (schema.get("properties") or {}).items():
        yield from malformed_rules(part, f"{path}.properties[{name}]")
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield from malformed_rules(schema[name], f"{path}.{name}")
