"""What is wrong with a value that has another shape than the models: in the words of YAML, with what to write."""

import re
from dataclasses import dataclass
from typing import Any

from pydantic_core import ErrorDetails

from rollouts.model.durations import parse_duration

_INSIDE = {
    "pause": "{{duration: {given}}}",
    "analysis": "{{duration: {given}}}",
    "errorRate": "{{max: {given}}}",
    "latency": "{{quantile: 0.99, max: {given}}}",
    "query": "{{promql: …, max: 0.01}}",
    "setCanaryScale": "{{replicas: {given}}}",
    "canary": "{{}}",
    "blueGreen": "{{activeService: …}}",
    "selector": "{{matchLabels: {{app: …}}}}",
    "strategy": "{{canary: {{…}}}}",
}
"""What a map of this name is written like, with the bare value at its place."""
_USUAL = {
    "pause": "5m",
    "analysis": "5m",
    "errorRate": "1%",
    "latency": "500ms",
    "setCanaryScale": "2",
}
_WHOLE = re.compile(r"(\d{1,9})\s*%?")
_EXPECTED = {
    "int_type": "an integer",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list, each entry of which begins with -",
    "dict_type": "a map",
    "model_type": "a map",
    "finite_number": "a finite number",
}
_BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}


@dataclass(frozen=True, slots=True)
class ShapeError:
    """What was expected, and after a semicolon what to write, if that is known."""

    expected: str
    way_out: str = ""


def shape_error(detail: ErrorDetails) -> ShapeError | None:
    """
    Return what is wrong and what to write; None where the error has words of its own.

    The last part of the location is the field that is meant, or the place in a list.
    """
    kind, given = str(detail["type"]), detail.get("input")
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        bound = detail.get("ctx", {})[name]
        return ShapeError(f"expected {words} {int(bound) if bound == int(bound) else bound}")
    if kind == "literal_error":
        return ShapeError(f"expected {detail.get('ctx', {}).get('expected')}")
    kind = "int_type" if kind == "int_from_float" else kind
    expected = _EXPECTED.get(kind)
    if expected is None:
        return None
    *parents, field = detail["loc"] or ("spec",)
    return ShapeError(f"expected {expected}", _way_out(kind, [*map(str, parents)], field, given))


def _way_out(kind: str, parents: list[str], field: int | str, given: Any) -> str:
    if isinstance(field, int) and parents[-1:] == ["steps"]:
        return "; write setWeight: 20, or pause: {}"
    name = str(field)
    if kind == "int_type" and isinstance(given, str):
        whole = _WHOLE.fullmatch(given.strip())
        return f"; write {name}: {whole[1]}" if whole else ""
    if kind == "bool_type" and str(given).lower() in ("yes", "true", "on", "no", "false", "off"):
        return (
            f"; write {name}: {'true' if str(given).lower() in ('yes', 'true', 'on') else 'false'}"
        )
    if kind == "string_type" and isinstance(given, int | float):
        return f'; write {name}: "{str(given).lower() if isinstance(given, bool) else given}"'
    if kind == "list_type" and isinstance(given, str):
        return f"; write {name}: [{given[:80]}]"
    if kind == "model_type" and name in _INSIDE:
        return f"; write {name}: {_INSIDE[name].format(given=_value(name, given))}"
    return ""


def _value(name: str, given: object) -> object:
    """Return the bare value where it fits, as it was written; else a usual one."""
    if name in ("pause", "analysis", "latency"):
        try:
            parse_duration(given)
        except ValueError:
            return _USUAL[name]
        bare = name == "latency" and not (isinstance(given, str) and not given.isdigit())
        return f"{given}ms" if bare else given
    if name == "errorRate" and isinstance(given, str) and re.fullmatch(r"\d+(\.\d+)?%", given):
        return given
    if name == "setCanaryScale" and type(given) is int:
        return given
    return _USUAL.get(name, "…")
