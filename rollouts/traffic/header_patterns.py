"""
Header values as regular expressions, of which every router reads the same.

A `regex` has to match the whole value, a `prefix` its beginning. Routers differ in what a
pattern without anchors means (ingress-nginx searches, Envoy matches the whole), so that ours
always have them.
"""

import re
from collections.abc import Callable

from rollouts.model.header_and_mirror_routes import StringMatch

_META = re.compile(r"[\\.^$*+?()\[\]{}|]")


def escaped(text: str) -> str:
    """Return the pattern of exactly this text."""
    return _META.sub(lambda found: f"\\{found[0]}", text)


def pattern(value: StringMatch, escape: Callable[[str], str] = escaped) -> str:
    """Return the regular expression that matches what `value` matches."""
    if value.exact is not None:
        return f"^{escape(value.exact)}$"
    if value.prefix is not None:
        return f"^{escape(value.prefix)}.*"
    return f"^(?:{value.regex})$"
