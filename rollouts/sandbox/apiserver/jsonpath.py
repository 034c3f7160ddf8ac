r"""
The JSONPath of printer columns: RFC 9535, written as Kubernetes writes it.

`{.a.b}`, `.a.b` and `a.b` are one path, and `.annotations.example\.com/x` has a dot in a name.
"""

import re
from functools import lru_cache
from typing import Any

import jsonpath

_ESCAPED_NAME = re.compile(r"\.((?:[^\\.\[\]()\s]*\\.)+[^\\.\[\]()\s]*)")


@lru_cache(maxsize=512)
def _compiled(path: str) -> jsonpath.JSONPath | jsonpath.CompoundJSONPath:
    text = path.strip().removeprefix("{").removesuffix("}").removeprefix("$")
    text = text if text.startswith((".", "[")) else f".{text}"
    text = _ESCAPED_NAME.sub(lambda name: "['" + name[1].replace("\\", "") + "']", text)
    try:
        return jsonpath.compile(f"${text}")
    except jsonpath.JSONPathError as error:
        raise ValueError(f"{path} is no JSONPath: {error}") from error


def find(value: Any, path: str) -> list[Any]:
    """
    Return everything that a path leads to.

    Raises:
        ValueError: the path is not understood.
    """
    return list(_compiled(path).findall(value))
