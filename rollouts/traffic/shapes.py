"""
What a routing object has to look like for a router to read it.

An API server holds objects to the schema of their CRD. Which schema that is, who installed the CRD
decides: there are some that let anything through. Where one object of a namespace is not what its
kind says, nobody's release but that which names it may be held up.
"""

from collections.abc import Mapping
from typing import TypeAlias

from rollouts.model.kinds import JSON, FrozenJSON

Shape: TypeAlias = "type[int | str] | Mapping[str, Shape] | list[Shape]"
"""A map with fields of these shapes, any of which may be absent; a list of one shape; a number; a text."""

_NAMES = {dict: "a map", list: "a list", int: "a whole number", str: "a text"}


def shape_error(value: object, shape: Shape, path: str = "") -> str:
    """Return which field has another shape, and which it has to have, in words; empty for none."""
    if value is None:
        return ""
    wanted = dict if isinstance(shape, Mapping) else list if isinstance(shape, list) else shape
    if not isinstance(value, wanted) or isinstance(value, bool):
        return f"{path} has to be {_NAMES[wanted]}"
    if isinstance(shape, Mapping) and isinstance(value, dict):
        parts = [
            (value.get(name), part, f"{path}.{name}" if path else name)
            for name, part in shape.items()
        ]
    elif isinstance(shape, list) and isinstance(value, list):
        if None in value:
            return f"{path}[{value.index(None)}] is empty"
        parts = [(each, shape[0], f"{path}[{index}]") for index, each in enumerate(value)]
    else:
        parts = []
    return next(filter(None, (shape_error(*part) for part in parts)), "")


def metadata_only(found: FrozenJSON) -> JSON:
    """Return the object without what it says: who it is, and whose, is known of any."""
    return {key: found[key] for key in ("apiVersion", "kind", "metadata") if key in found}
