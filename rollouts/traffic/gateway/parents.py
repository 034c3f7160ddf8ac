"""
What Gateways and meshes say of a route: whether they all do what it says, or why they don't.

Facts, from the Gateway API: each parent's controller writes an entry of `status.parents`, with
the conditions Accepted and ResolvedRefs, and the generation of the route that they are about.
An entry of a parent that the route names no longer may be left behind, and says nothing.
"""

from collections.abc import Iterator

from rollouts.model.kinds import JSON, FrozenJSON, Kind
from rollouts.model.route import Problem

_NEEDED = ("Accepted", "ResolvedRefs")
_Parent = tuple[str, str, str, str, str, str]


def confirmed(route: FrozenJSON) -> bool:
    """Say whether every parent has accepted this generation of the route, with all its references."""
    named, said = _named(route), list(_entries(route))
    answered = {parent for parent, _ in said}
    return named == answered and all(
        any(_is_now(each, route, kind, "True") for each in conditions)
        for _, conditions in said
        for kind in _NEEDED
    )


def lags(route: FrozenJSON) -> bool:
    """
    Say whether some parent may still do what an earlier generation of the route says.

    One that has never said anything of the route does not serve it, and one that refuses this
    generation knows it: of these nothing is to be feared.
    """
    return any(
        not _is_answered(conditions, route, kind)
        for _, conditions in _entries(route)
        for kind in _NEEDED
    )


def waits(kind: Kind, route: FrozenJSON) -> Iterator[str]:
    """Yield, in words, which parents have not confirmed this generation of the route, and do not refuse it."""
    name, said = f"{kind} {route['metadata']['name']}", dict(_entries(route))
    for ref in (route.get("spec") or {}).get("parentRefs") or []:
        parent = _parent(ref, route)
        if parent not in said:
            yield (
                f"{_title(parent)} says nothing of {name}; see that its controller runs and takes"
                " routes from here, or take it out of parentRefs"
            )
    for parent, conditions in _entries(route):
        if any(not _is_answered(conditions, route, needed) for needed in _NEEDED):
            generation = route["metadata"].get("generation")
            yield f"{_title(parent)} has not confirmed generation {generation} of {name} yet"


def problems(kind: Kind, route: FrozenJSON) -> Iterator[Problem]:
    """Yield what parents refuse of this generation of the route."""
    name = f"{kind} {route['metadata']['name']}"
    if not _named(route):
        yield Problem(
            "RouteWithoutParents",
            f"{name} names no Gateway; give it parentRefs, so that it is served",
        )
    for parent, conditions in _entries(route):
        for wanted in _NEEDED:
            for each in conditions:
                if _is_now(each, route, wanted, "False"):
                    reason, message = each.get("reason", ""), each.get("message", "")
                    yield Problem(
                        "RouteNotAccepted" if wanted == "Accepted" else "RouteRefsNotResolved",
                        f"{_title(parent)} refuses {name}: {reason}: {message}",
                    )


def _named(route: FrozenJSON) -> set[_Parent]:
    listed = (route.get("spec") or {}).get("parentRefs") or []
    return {_parent(each, route) for each in listed}


def _entries(route: FrozenJSON) -> Iterator[tuple[_Parent, list[JSON]]]:
    """Yield what is said about the parents that the route names, whoever says it."""
    named = _named(route)
    for entry in (route.get("status") or {}).get("parents") or []:
        parent = _parent(entry.get("parentRef") or {}, route)
        if parent in named:
            yield parent, list(entry.get("conditions") or [])


def _parent(ref: FrozenJSON, route: FrozenJSON) -> _Parent:
    group = ref.get("group")
    return (
        "gateway.networking.k8s.io" if group is None else str(group),
        str(ref.get("kind") or "Gateway"),
        str(ref.get("namespace") or route["metadata"].get("namespace", "")),
        str(ref.get("name")),
        str(ref.get("sectionName") or ""),
        str(ref.get("port") or ""),
    )


def _title(parent: _Parent) -> str:
    _, kind, _, name, section, _ = parent
    return f"{kind} {name}{f' ({section})' if section else ''}"


def _is_answered(conditions: list[JSON], route: FrozenJSON, kind: str) -> bool:
    """Say whether a condition is about this generation of the route, true or not."""
    return any(
        _is_now(each, route, kind, status) for each in conditions for status in ("True", "False")
    )


def _is_now(condition: FrozenJSON, route: FrozenJSON, kind: str, status: str) -> bool:
    return (
        condition.get("type") == kind
        and condition.get("status") == status
        and condition.get("observedGeneration") == route["metadata"].get("generation")
    )
