"""
Our own route beside a route of the user's: header routes, and mirrors of some requests only.

It has the same parents and host names, and for each of the user's rules that lead to the
stable Service a rule with narrower matches, and the same filters. It has the labels and
annotations of the user's, and its rules their names, because policies go by these. By the Gateway API's order
of precedence (the path first, then the method, then the most headers, whatever route they are
in) those requests are ours, and all others remain the user's. It exists as long as such a
header or mirror route does, and is owned by the Rollout.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rollouts.model.header_and_mirror_routes import SetHeaderRoute, SetMirrorRoute
from rollouts.model.kinds import JSON, FrozenJSON, Kind
from rollouts.model.route import Split
from rollouts.model.routers.gateway import GRPC_ROUTE
from rollouts.traffic.gateway.matches import Inexpressible, narrowed_to, with_headers
from rollouts.traffic.gateway.rules import (
    WHOLE,
    BackendPair,
    backend_ref,
    mirror_filter,
    original_weights_of,
    rules_of,
    with_mirrors,
    with_weight,
)
from rollouts.traffic.ownership import metadata_beside

_MOST_RULES = 16
_MOST_MATCHES = 64
_MOST_MATCHES_IN_ALL = 128
_LONGEST_NAME = 253
_PER_RULE = ("matches", "backendRefs")


@dataclass(frozen=True, slots=True)
class Original:
    """A route of the user's, of this Rollout."""

    kind: Kind
    route: FrozenJSON
    pair: BackendPair
    rollout: FrozenJSON
    own_name: str
    """The name of our own route beside it."""


def percentages_of_all_requests(mirrors: tuple[SetMirrorRoute, ...]) -> list[int]:
    """Return the percentages of the mirror routes for requests of any kind."""
    return [_percentage(each) for each in mirrors if not each.match and each.percentage != 0]


def body(original: Original, split: Split) -> JSON | None:
    """
    Return our own route; None when none is needed for `split`.

    Raises:
        Inexpressible: no route can say it.
    """
    mirrors = [each for each in split.mirrors if each.match and each.percentage != 0]
    if split.cut_off or not (split.headers or mirrors):
        return None
    rules = [
        *(
            each
            for rule in _stable_rules(original)
            for each in _by_header(original, rule, split.headers)
        ),
        *(
            each
            for mirror in mirrors
            for rule in _stable_rules(original)
            for each in _by_mirror(original, rule, mirror, split.percent)
        ),
    ]
    if not rules:
        return None
    if (
        len(rules) > _MOST_RULES
        or sum(len(each["matches"]) for each in rules) > _MOST_MATCHES_IN_ALL
    ):
        raise Inexpressible(
            f"it takes more than the {_MOST_RULES} rules or {_MOST_MATCHES_IN_ALL} matches that a route may have;"
            " give fewer matches here, or fewer rules to the route"
        )
    spec = original.route.get("spec") or {}
    shared = {key: spec[key] for key in ("parentRefs", "hostnames") if key in spec}
    return {
        "apiVersion": original.kind.api_version,
        "kind": original.kind.name,
        "metadata": metadata_beside(original.route, original.own_name, original.rollout),
        "spec": {**shared, "rules": list(_named(rules))},
    }


def is_as_wanted(body: FrozenJSON, own: FrozenJSON) -> bool:
    """Return whether our own route says all of `body`, and has its labels and annotations."""
    fields = ("labels", "annotations")
    wanted = {field: body["metadata"].get(field) or {} for field in fields}
    found = {field: own["metadata"].get(field) or {} for field in fields}
    return is_said(wanted, found) and is_said(body["spec"], own.get("spec") or {})


def is_said(wanted: Any, found: Any) -> bool:
    """Return whether `found` says all of `wanted`: an API server may have added defaults."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return all(key in found and is_said(value, found[key]) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) == len(found) and all(map(is_said, wanted, found))
    return bool(wanted == found)


def _named(rules: list[JSON]) -> Iterator[JSON]:
    """Yield the rules with names of their own: of several that are made of one, the first has its name."""
    taken: set[str] = set()
    for rule in rules:
        name = free = str(rule.get("name") or "")
        number = 1
        while free in taken:
            number += 1
            free = f"{name}-{number}"
        if not name:
            yield rule
        elif len(free) > _LONGEST_NAME:
            yield {key: value for key, value in rule.items() if key != "name"}
        else:
            taken.add(free)
            yield {**rule, "name": free}


def _stable_rules(original: Original) -> list[JSON]:
    pair = original.pair
    return [
        rule
        for rule in rules_of(original.route)
        if backend_ref(rule, pair.stable, pair) is not None
    ]


def _matches(rule: FrozenJSON) -> list[JSON]:
    return list(rule.get("matches") or [{}])


def _by_header(
    original: Original, rule: JSON, routes: tuple[SetHeaderRoute, ...]
) -> Iterator[JSON]:
    pair = original.pair
    narrowed = [with_headers(match, route.match) for route in routes for match in _matches(rule)]
    stable = backend_ref(rule, pair.stable, pair)
    assert stable is not None
    backends = [{**stable, "name": pair.canary, "weight": 1}]
    yield from _narrow(with_mirrors(rule, [], pair), narrowed, backends)


def _by_mirror(
    original: Original, rule: JSON, mirror: SetMirrorRoute, percent: int
) -> Iterator[JSON]:
    pair, grpc = original.pair, original.kind == GRPC_ROUTE
    narrowed = [
        narrowed_to(match, each, grpc=grpc) for each in mirror.match for match in _matches(rule)
    ]
    split = with_weight(rule, percent, original_weights_of(rule, None, pair), pair)
    copying = with_mirrors(rule, [mirror_filter(rule, _percentage(mirror), pair)], pair)
    yield from _narrow(copying, narrowed, split["backendRefs"])


def _narrow(rule: JSON, matches: list[JSON | None], backends: list[JSON]) -> Iterator[JSON]:
    """Yield the rule with these matches and backends, as often as its matches need."""
    known = [match for match in matches if match is not None]
    size = 1 if _replaces_prefix(rule) else _MOST_MATCHES
    others = {key: value for key, value in rule.items() if key not in _PER_RULE}
    for start in range(0, len(known), size):
        if size == 1 and known[start].get("path") not in [
            each.get("path") for each in _matches(rule)
        ]:
            raise Inexpressible("a rule replaces the prefix that it matches; match no path")
        yield {"matches": known[start : start + size], **others, "backendRefs": backends}


def _replaces_prefix(rule: FrozenJSON) -> bool:
    """Return whether a rule rewrites the prefix that it matches: then it has to have one match only."""
    filters = list(rule.get("filters") or [])
    for ref in rule.get("backendRefs") or []:
        filters += ref.get("filters") or []
    return any(
        "replacePrefixMatch" in ((each.get(kind) or {}).get("path") or {})
        for each in filters
        for kind in ("urlRewrite", "requestRedirect")
    )


def _percentage(mirror: SetMirrorRoute) -> int:
    return WHOLE if mirror.percentage is None else mirror.percentage
