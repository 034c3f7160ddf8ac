"""The JSONPath of printer columns: fields, indices, wildcards, and filters on equality."""

import json
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

Step = Callable[[Any], list[Any]]

_TOKEN = re.compile(
    r"""
    \.(?P<field>(?:[^.\[\]\\]|\\.)+)                  # .name, dots escaped with a backslash
    | \[\s*'(?P<quoted>[^']*)'\s*\]                   # ['name']
    | \[(?P<index>-?\d+)\]                            # [0]
    | \[(?P<all>\*)\]                                 # [*]
    | \[\?\(\s*@(?P<path>[^=!<>\s]+)\s*(?P<op>==|!=)\s*(?P<value>[^)]+?)\s*\)\]   # [?(@.a=="b")]
    """,
    re.VERBOSE,
)


@lru_cache(maxsize=512)
def _steps(path: str) -> tuple[Step, ...]:
    text = path.strip().removeprefix("{").removesuffix("}").removeprefix("$")
    text = text if text.startswith((".", "[")) else f".{text}"
    steps: list[Step] = []
    position = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise ValueError(f"{path} is no JSONPath that is understood here")
        steps.append(_step(token))
        position = token.end()
    return tuple(steps)


def _step(token: re.Match[str]) -> Step:
    if token["all"] or token["field"] == "*":
        return lambda value: list(value.values() if isinstance(value, dict) else _listed(value))
    if token["index"]:
        return lambda value: _listed(value)[int(token["index"]) :][:1]
    if token["op"]:
        wanted = json.loads(token["value"].replace("'", '"'))
        return lambda value: [
            item
            for item in _listed(value)
            if (wanted in find(item, token["path"])) == (token["op"] == "==")
        ]
    name = token["quoted"] or token["field"].replace("\\", "")
    return lambda value: [value[name]] if isinstance(value, dict) and name in value else []


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def find(value: Any, path: str) -> list[Any]:
    """
    Return everything that a path leads to.

    Raises:
        ValueError: the path is not understood.
    """
    found = [value]
    for step in _steps(path):
        found = [result for item in found for result in step(item)]
    return found
