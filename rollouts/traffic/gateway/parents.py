"""
What Gateways and meshes say of a route: whether they all do what it says, or why they don't.

Facts, from the Gateway API: each parent's controller writes an entry of `status.parents`, with
the conditions Accepted and ResolvedRefs, and the generation of the route that they are about.
An entry of a parent that the route names no longer may be left behind, and says nothing.

Not every controller keeps to that. Linkerd's tells no generation at all, and APISIX's told 0
for years: what such a parent says is taken as it stands, as there is nothing to wait for. A
parent that has never said anything of a route, where another has, does not serve it. Linkerd
writes the core group as "core", and so do people after its documentation.
"""

from collections.abc import Iterator

from rollouts.model.finding import Finding
from rollouts.model.kinds import JSON, FrozenJSON, Kind
from rollouts.model.truncation import truncated
from rollouts.traffic.ownership import group_of

_NEEDED = ("Accepted", "ResolvedRefs")
_SAID = ("reason", "message")
_Parent = tuple[str, str, str, str, str, str]


def confirmed(route: FrozenJSON, like: FrozenJSON | None = None) -> bool:
    """
    Return whether every parent has accepted this generation of the route, with all its references.

    Those count that have said something of it; of a route that is new, of the one that it was
    made `like`. Somebody has to.
    """
    said = list(_entries(route))
    counting = {parent for parent, _ in _entries(like or route)}
    return (
        bool(counting)
        and counting <= {parent for parent, _ in said}
        and all(
            any(_is_now(each, route, kind, "True") for each in conditions)
            for _, conditions in said
            for kind in _NEEDED
        )
    )


def may_serve_earlier_generation(route: FrozenJSON) -> bool:
    """
    Return whether some parent may still do what an earlier generation of the route says.

    One that has never said anything of the route does not serve it, and one that refuses this
    generation knows it: of these nothing is to be feared.
    """
    return any(
        not _is_answered(conditions, route, kind)
        for _, conditions in _entries(route)
        for kind in _NEEDED
    )


def unconfirmed(kind: Kind, route: FrozenJSON) -> Iterator[str]:
    """Yield, in words, which parents have not confirmed this generation of the route, and do not refuse it."""
    name, said = f"{kind} {route['metadata']['name']}", list(_entries(route))
    if not said:
        yield from _without_status(kind, route)
    for parent, conditions in said:
        if any(not _is_answered(conditions, route, needed) for needed in _NEEDED):
            generation = route["metadata"].get("generation")
            yield f"{_title(parent)} has not confirmed generation {generation} of {name} yet"


def controllers(route: FrozenJSON) -> set[str]:
    """Return the controllers that say something of the route for a parent that it names."""
    said = (route.get("status") or {}).get("parents") or []
    named = _named(route)
    return {
        str(entry.get("controllerName"))
        for entry in said
        if _parent(entry.get("parentRef") or {}, route) in named
    }


def findings(kind: Kind, route: FrozenJSON) -> Iterator[Finding]:
    """Yield what parents refuse of this generation of the route."""
    name = f"{kind} {route['metadata']['name']}"
    if not _named(route):
        yield Finding(
            "error",
            "RouteWithoutParents",
            f"{name} names no Gateway; give it parentRefs, so that it is served",
        )
    for parent, conditions in _entries(route):
        for wanted in _NEEDED:
            for each in conditions:
                if _is_now(each, route, wanted, "False"):
                    reason, message = (truncated(str(each.get(key, ""))) for key in _SAID)
                    yield Finding(
                        "error",
                        "RouteNotAccepted" if wanted == "Accepted" else "RouteRefsNotResolved",
                        (
                            f"{_title(parent)} refuses {name}: {reason}: {message}; correct the route, or ask whoever"
                            " runs the Gateway"
                        ),
                    )


def warnings(kind: Kind, route: FrozenJSON) -> Iterator[Finding]:
    """Yield which parents can't confirm a weight: those that say nothing, or not of which generation."""
    for text in _without_status(kind, route):
        yield Finding("warning", "ParentStatusMissing", text)
    for parent, conditions in _entries(route):
        if conditions and not any(_generation(each) for each in conditions):
            yield Finding(
                "warning",
                "ParentWithoutGeneration",
                (
                    f"{_title(parent)} does not tell which generation of {kind} {route['metadata']['name']} it"
                    " speaks of (observedGeneration); a weight counts for it as soon as it is written"
                ),
            )


def _without_status(kind: Kind, route: FrozenJSON) -> Iterator[str]:
    """Yield, in words, the parents that a route names and that have never said anything of it."""
    said = {parent for parent, _ in _entries(route)}
    for ref in (route.get("spec") or {}).get("parentRefs") or []:
        parent = _parent(ref, route)
        if parent not in said:
            yield (
                f"{_title(parent)} says nothing of {kind} {route['metadata']['name']}; see that its"
                " controller runs and takes routes from here, or take it out of parentRefs"
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
    return (
        group_of(ref, "gateway.networking.k8s.io"),
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
    """Return whether a condition is about this generation of the route, true or not."""
    return any(
        _is_now(each, route, kind, status) for each in conditions for status in ("True", "False")
    )


def _is_now(condition: FrozenJSON, route: FrozenJSON, kind: str, status: str) -> bool:
    return (
        condition.get("type") == kind
        and condition.get("status") == status
        and _generation(condition) in (0, route["metadata"].get("generation"))
    )


def _generation(condition: FrozenJSON) -> int:
    """Return the generation that a condition is about; 0 when it does not tell."""
    found = condition.get("observedGeneration")
    return found if isinstance(found, int) else 0
