"""
Which fields of a pod template Kubernetes does not have.

The table in `pod_fields.json` is written from Kubernetes' OpenAPI document, by
`python -m tests.control_plane.fields pods`. A newer Kubernetes may know more: so what is found is no
more than a warning.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from rollouts.cli.lint.spelling import did_you_mean
from rollouts.model.finding import Finding
from rollouts.model.kinds import FrozenJSON

_TEMPLATE = "core.v1.PodTemplateSpec"
_LIST, _MAP = "[", "{"


@cache
def _types() -> dict[str, dict[str, str]]:
    """Return the fields of each type, with what they hold: a type, or a list or a map of one; or nothing."""
    text = Path(__file__).with_name("pod_fields.json").read_text()
    found: dict[str, dict[str, str]] = json.loads(text)["types"]
    return found


def field_findings(template: FrozenJSON) -> Iterator[Finding]:
    """Yield the fields of a pod template that none has, and no pod."""
    yield from _unknown(template, _TEMPLATE, "spec.template")


def _unknown(value: Any, name: str, path: str) -> Iterator[Finding]:
    known = _types().get(name)
    if known is None or not isinstance(value, dict):
        return
    for field, part in value.items():
        here = f"{path}.{field}"
        if field in known:
            yield from _below(part, known[field], here)
            continue
        hint = did_you_mean(str(field), known) or "a release with it is refused"
        yield Finding("warning", "", f"Kubernetes has no such field; {hint}", here)


def _below(value: Any, held: str, path: str) -> Iterator[Finding]:
    if held.startswith(_LIST) and isinstance(value, list):
        for number, item in enumerate(value):
            yield from _unknown(item, held[1:], f"{path}[{number}]")
    elif held.startswith(_MAP) and isinstance(value, dict):
        for key, item in value.items():
            yield from _unknown(item, held[1:], f"{path}.{key}")
    else:
        yield from _unknown(value, held, path)
