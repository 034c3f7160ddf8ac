"""
The functions that Kubernetes adds to CEL: those on strings, lists and regular expressions.

A rule that calls one of `UNKNOWN` is not evaluated here, which lets an object pass that a
real API server would refuse. Source: "Common Expression Language in Kubernetes", the section
on its libraries, and the string extensions of CEL that it names.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

UNKNOWN = frozenset({
    "authorizer", "cidr", "containsCIDR", "containsIP", "format", "ip", "isCIDR", "isIP",
    "isQuantity", "isSemver", "isURL", "jsonpatch", "optFlatMap", "optMap", "quantity", "semver", "url",
})  # fmt: skip


def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    if limit in {0, 1}:
        return [text] if limit else []
    if not separator:
        return list(text)
    return text.split(separator, limit - 1 if limit > 0 else -1)


def _replace(text: str, old: str, new: str, limit: int = -1) -> str:
    return text.replace(old, new, limit)


def _substring(text: str, start: int, end: int | None = None) -> str:
    last = len(text) if end is None else end
    if not 0 <= start <= last <= len(text):
        raise ValueError(f"index out of range: {start}, {last}")
    return text[start:last]


def _index_of(where: str | Sequence[Any], what: Any, start: int = 0) -> int:
    if isinstance(where, str):
        return where.find(what, start)
    return where.index(what) if what in where else -1


def _last_index_of(where: str | Sequence[Any], what: Any) -> int:
    if isinstance(where, str):
        return where.rfind(what)
    return max((number for number, item in enumerate(where) if item == what), default=-1)


def _find(text: str, pattern: str) -> str:
    found = re.search(pattern, text, re.ASCII)
    return found[0] if found else ""


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    found = [each[0] for each in re.finditer(pattern, text, re.ASCII)]
    return found if limit < 0 else found[:limit]


def _is_sorted(items: Sequence[Any]) -> bool:
    return list(items) == sorted(items)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "charAt": lambda text, index: text[index : index + 1],
    "find": _find,
    "findAll": _find_all,
    "indexOf": _index_of,
    "isSorted": _is_sorted,
    "join": lambda items, separator="": separator.join(items),
    "lastIndexOf": _last_index_of,
    "lowerAscii": lambda text: text.lower(),
    "replace": _replace,
    "split": _split,
    "substring": _substring,
    "sum": sum,
    "trim": lambda text: text.strip(),
    "upperAscii": lambda text: text.upper(),
}
