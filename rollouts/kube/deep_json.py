"""
JSON that is nested more deeply than can be read, as far as anybody reads it.

An API server takes 10,000 levels, and a Rollout's template has no schema. A list comes as one
text: if one object in it could not be read, none of anybody's could.
"""

import json
import re
from typing import Any

DEEPEST = 128
"""So many levels are left of what is too deep; a list has its objects on the third."""
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)


def loads(text: str | bytes) -> Any:
    """
    Return what JSON says, with null in place of what is too deep, if it can't be read otherwise.

    Raises:
        ValueError: it is no JSON.
    """
    try:
        return json.loads(text)
    except RecursionError:
        return json.loads(_cut(text if isinstance(text, str) else text.decode()))


def _cut(text: str) -> str:
    kept: list[str] = []
    depth = begin = 0
    for token in _TOKEN.finditer(text):
        if token[0] in ("[", "{"):
            depth += 1
            if depth == DEEPEST + 1:
                kept += (text[begin : token.start()], "null")
        elif token[0] in ("]", "}"):
            depth -= 1
            if depth == DEEPEST:
                begin = token.end()
    return "".join((*kept, text[begin:] if depth <= DEEPEST else ""))
