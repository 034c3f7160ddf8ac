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
                        f"{parent[1]} {parent[3]} refuses {name}: {reason}: {message}",
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


def _is_now(condition: FrozenJSON, route: FrozenJSON, kind: str, status: str) -> bool:
    return (
        condition.get("type") == kind
        and condition.get("status") == status
        and condition.get("observedGeneration") == route["metadata"].get("generation")
    )
