"""
Matches of a route's rules, narrowed by what a header or mirror route asks for besides.

Facts, from the Gateway API: all parts of a match have to hold; a header counts once, whatever
its case, in each match; patterns are in the dialect of the Gateway. A path can't be asked two
things, so that of two the narrower has to imply the other.
"""

from collections.abc import Mapping

from rollouts.model.header_and_mirror_routes import HeaderMatch, RequestMatch, StringMatch
from rollouts.model.kinds import JSON, FrozenJSON
from rollouts.traffic.header_patterns import pattern

_MOST_HEADERS = 16
_LONGEST_VALUE = 4096
_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
_ROOT: JSON = {"type": "PathPrefix", "value": "/"}


class Inexpressible(Exception):
    """No route can say this; the message says what, and why."""


def with_headers(match: FrozenJSON, headers: list[HeaderMatch]) -> JSON | None:
    """
    Return the match with these headers besides; None when nothing can match both.

    Raises:
        Inexpressible: the match asks for the same header in another way.
    """
    return _with_headers(match, {each.header_name: each.header_value for each in headers})


def narrowed_to(match: FrozenJSON, request: RequestMatch, *, grpc: bool) -> JSON | None:
    """
    Return the match narrowed to requests that are like `request`; None when none can be.

    Raises:
        Inexpressible: a route has no match for that.
    """
    found: JSON | None = dict(match)
    if grpc and (request.method is not None or request.path is not None):
        raise Inexpressible("a GRPCRoute matches neither method nor path of HTTP; match headers")
    if request.method is not None and found is not None:
        found = _with_method(found, request.method)
    if request.path is not None and found is not None:
        found = _with_path(found, request.path)
    return _with_headers(found, request.headers) if found is not None else None


def header(name: str, value: StringMatch) -> JSON:
    """Return a header match of a route."""
    if value.exact is not None:
        return {"type": "Exact", "name": name, "value": value.exact}
    text = pattern(value)
    if len(text) > _LONGEST_VALUE:
        raise Inexpressible(
            f"the value of header {name} is longer than {_LONGEST_VALUE} characters; give a shorter one"
        )
    return {"type": "RegularExpression", "name": name, "value": text}


def _with_headers(match: FrozenJSON, headers: Mapping[str, StringMatch]) -> JSON | None:
    listed = list(match.get("headers") or [])
    known = {str(each["name"]).lower(): each for each in listed}
    for name, value in headers.items():
        new, present = header(name, value), known.get(name.lower())
        if present is None:
            listed.append(new)
            known[name.lower()] = new
            continue
        kinds = {new["type"], present.get("type") or "Exact"}
        if new["value"] == present["value"] and len(kinds) == 1:
            continue
        if kinds == {"Exact"}:
            return None
        raise Inexpressible(
            f"a rule matches the header {name} already, and a match has each once; match another header"
        )
    if len(listed) > _MOST_HEADERS:
        raise Inexpressible(
            f"with it a match of the route has {len(listed)} headers, and it may have {_MOST_HEADERS}; match fewer"
        )
    return {**match, "headers": listed} if listed else dict(match)


def _with_method(match: JSON, method: StringMatch) -> JSON | None:
    if method.exact is None or method.exact not in _METHODS:
        raise Inexpressible(
            f"a route matches whole methods; give method: exact with one of {', '.join(_METHODS)}"
        )
    if match.get("method", method.exact) != method.exact:
        return None
    return {**match, "method": method.exact}


def _with_path(match: JSON, path: StringMatch) -> JSON | None:
    wanted, present = _path(path), match.get("path") or _ROOT
    present = {**_ROOT, **present}
    if wanted == present or _implies(wanted, present):
        return {**match, "path": wanted}
    if _implies(present, wanted):
        return match
    if "RegularExpression" in (wanted["type"], present["type"]):
        raise Inexpressible(
            f"a rule matches the path {present['value']} already, and a match has one path, which can't be compared"
            " with a regex; match no path, or one by exact or prefix"
        )
    return None


def _path(path: StringMatch) -> JSON:
    if path.regex is not None:
        return {"type": "RegularExpression", "value": path.regex}
    value = path.exact or path.prefix or "/"
    if not value.startswith("/"):
        raise Inexpressible(f"the path {value} does not begin with /; put one in front")
    return {"type": "Exact" if path.exact is not None else "PathPrefix", "value": value}


def _implies(narrow: FrozenJSON, wide: FrozenJSON) -> bool:
    """Return whether every path that `narrow` matches is matched by `wide`, as far as can be told."""
    if wide["type"] != "PathPrefix":
        return False
    stem = str(wide["value"]).rstrip("/")
    if not stem:
        return True
    value = str(narrow["value"])
    inside = value.rstrip("/") == stem or value.startswith(f"{stem}/")
    return narrow["type"] != "RegularExpression" and inside
