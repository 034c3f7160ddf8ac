"""
Weights in the user's HTTPRoutes and GRPCRoutes (Gateway API v1), in the rules that name stableService.

Of a route that is the user's, only the two backends' weights are written, the canary's backendRef
where the user has none, a filter that mirrors to the canary, and one annotation that notes how
the rules were. The rules go as one list, for that is what they are to the API (atomic), with
the resourceVersion that was read, so that nobody's change is lost. `clear` takes all of it away
again. Header routes, and mirrors of some requests, are in a route of our own beside it.

A weight counts once every parent that serves the route has accepted that generation of it. Until
those have answered, the canary may have something, whatever the route says.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from rollouts.model.kinds import JSON, FrozenJSON, Kind, Ref
from rollouts.model.route import Change, Keep, Remove, Route, RoutingWrite, Split
from rollouts.model.routers.gateway import GRPC_ROUTE, HTTP_ROUTE, GatewayRouting
from rollouts.traffic.context import RoutingContext
from rollouts.traffic.gateway import classes, own_route, parents, policies
from rollouts.traffic.gateway.findings import findings
from rollouts.traffic.gateway.matches import Inexpressible
from rollouts.traffic.gateway.routes import (
    SHAPE,
    backend_pair_of,
    named,
    note_key,
    originals,
    other_services,
    own_routes,
    with_both_backends,
)
from rollouts.traffic.gateway.rules import (
    OriginalWeights,
    backend_ref,
    canary_percent,
    highest_percent,
    mirror_filter,
    mirrors_in,
    note,
    original_weights_of,
    parsed_note,
    restored,
    rules_of,
    with_mirrors,
    with_weight,
)
from rollouts.traffic.ownership import is_ours, is_terminating, namespace_of
from rollouts.traffic.router import Router, RoutingKind

_CUT_OFF = Split(cut_off=True)


class GatewayRouter(Router):
    """HTTPRoutes and GRPCRoutes of the Gateway API."""

    spec = GatewayRouting
    kinds = (
        RoutingKind(HTTP_ROUTE, ("v1",), users_fields=("spec.rules",), shape=SHAPE),
        RoutingKind(GRPC_ROUTE, ("v1",), users_fields=("spec.rules",), shape=SHAPE),
        *policies.READ,
        classes.READ,
    )

    def observe(self, context: RoutingContext, wanted: Split) -> Route:
        """Return what the routes say now, and everything that is found in them."""
        found = list(originals(context))
        weights = {_weight(context, each) for each in found} or {0}
        weight = weights.pop() if len(weights) == 1 else None
        orphans = [route for _, route in _orphans(context)]
        owns = [own for _, own in own_routes(context)]
        theirs = [*(each.route for each in found), *orphans]
        written = max(
            (
                *(_highest_percent(context, route) for route in theirs),
                *(_highest_percent_of_own(context, own) for own in owns),
            ),
            default=0,
        )
        lags = any(
            _is_touched(context, route) and parents.may_serve_earlier_generation(route)
            for route in theirs
        )
        return Route(
            exists=bool(self.clear(context)),
            weight=weight,
            highest=max(written, int(lags)),
            intact=all(_intact(context, each.route) for each in found),
            routes_match=_routes_match(context, wanted, found),
            findings=tuple(findings(context)),
            written=frozenset(_weights_written(context, found)) if weight is None else frozenset(),
            unconfirmed=tuple(_unconfirmed(context, found)),
            is_cut=lags and written == 0,
            other_services=frozenset(other_services(context)),
        )

    def render(self, context: RoutingContext, split: Split) -> list[RoutingWrite]:
        """
        Return the writes after which the routes say `split`; none to one that says it already.

        First what is the user's, which has most of the requests, then what is our own.
        """
        found = list(originals(context))
        changes = [
            write for each in found for write in _change(context, each.kind, each.route, split)
        ]
        for kind, route in _orphans(context):
            changes += _cleared(context, kind, route)
        owns = [own for each in found if (own := _own(context, each, split)) is not None]
        kept = {_ref(context, own.kind, own.body["metadata"]["name"]) for own in owns}
        removals = [
            Remove(ref, own["metadata"]["uid"])
            for kind, own in own_routes(context)
            if (ref := _ref(context, kind, own["metadata"]["name"])) not in kept
        ]
        return [*changes, *owns, *removals]

    def clear(self, context: RoutingContext) -> list[RoutingWrite]:
        """
        Return the writes that leave the user's routes as they were before any rollout.

        Without any router in the spec, whose rules were ours is not known any more: only what
        is our own goes.
        """
        if context.spec.routing is None:
            return _removals(context)
        routes = [(each.kind, each.route) for each in originals(context)]
        changes = [
            write
            for kind, route in [*routes, *_orphans(context)]
            for write in _cleared(context, kind, route)
        ]
        return [*changes, *_removals(context)]


def _removals(context: RoutingContext) -> list[RoutingWrite]:
    """Return the writes that remove our own routes."""
    return [
        Remove(_ref(context, kind, own["metadata"]["name"]), own["metadata"]["uid"])
        for kind, own in own_routes(context)
    ]


def _ref(context: RoutingContext, kind: Kind, name: str) -> Ref:
    return Ref(kind, namespace_of(context.rollout), name)


def _orphans(context: RoutingContext) -> Iterator[tuple[Kind, JSON]]:
    """Yield the routes that have our note, and that the spec names no longer."""
    for kind in (HTTP_ROUTE, GRPC_ROUTE):
        for name, route in sorted(context.of(kind).items()):
            if name not in named(context, kind) and note_key(context.rollout) in _annotations(
                route
            ):
                yield kind, with_both_backends(context, route)


def _annotations(route: FrozenJSON) -> JSON:
    return route["metadata"].get("annotations") or {}


def _noted(context: RoutingContext, route: FrozenJSON) -> str | None:
    found = _annotations(route).get(note_key(context.rollout))
    return str(found) if found is not None else None


def _notes(context: RoutingContext, route: FrozenJSON) -> list[Any]:
    """Return what was noted of each rule that is split."""
    return [each for each in parsed_note(_noted(context, route)) if each is not None]


def _stable_rules(context: RoutingContext, route: FrozenJSON) -> list[tuple[JSON, OriginalWeights]]:
    """Return the rules that name the stable Service, each with how it was before the rollout."""
    pair, notes = backend_pair_of(context), _notes(context, route)
    found = [rule for rule in rules_of(route) if backend_ref(rule, pair.stable, pair) is not None]
    notes += [None] * (len(found) - len(notes))
    return [
        (rule, original_weights_of(rule, each, pair))
        for rule, each in zip(found, notes, strict=False)
    ]


def _change(
    context: RoutingContext, kind: Kind, route: FrozenJSON, split: Split
) -> list[RoutingWrite]:
    """Return what makes a route of the user's say `split`."""
    stable = _stable_rules(context, route)
    if (
        split.percent == 0
        and _noted(context, route) is None
        and not _canary_has_some(context, route)
    ):
        return _written(context, kind, route, _mirrored(context, route, split), None)
    weights_of_rules = iter([weights for _, weights in stable])
    pair = backend_pair_of(context)
    rules = [
        with_weight(rule, split.percent, next(weights_of_rules), pair)
        if backend_ref(rule, pair.stable, pair)
        else rule
        for rule in _mirrored(context, route, split)
    ]
    noted = note(rules_of(route), (weights for _, weights in stable), pair)
    return _written(context, kind, route, rules, noted)


def _canary_has_some(context: RoutingContext, route: FrozenJSON) -> bool:
    return any(
        highest_percent(rule, backend_pair_of(context)) > 0
        for rule, _ in _stable_rules(context, route)
    )


def _mirrored(context: RoutingContext, route: FrozenJSON, split: Split) -> list[JSON]:
    """Return the rules of a route, with the mirrors of all requests that `split` asks for."""
    pair = backend_pair_of(context)
    shares = [] if split.cut_off else own_route.percentages_of_all_requests(split.mirrors)
    return [
        with_mirrors(rule, [mirror_filter(rule, share, pair) for share in shares], pair)
        if backend_ref(rule, pair.stable, pair) is not None
        else rule
        for rule in rules_of(route)
    ]


def _cleared(context: RoutingContext, kind: Kind, route: FrozenJSON) -> list[RoutingWrite]:
    """Return what leaves a route as it was."""
    weights_of_rules = iter([weights for _, weights in _stable_rules(context, route)])
    pair = backend_pair_of(context)
    changed = _noted(context, route) is not None or _canary_has_some(context, route)
    rules = _mirrored(context, route, _CUT_OFF)
    if changed:
        rules = [
            restored(rule, next(weights_of_rules), pair)
            if backend_ref(rule, pair.stable, pair)
            else rule
            for rule in rules
        ]
    return _written(context, kind, route, rules, None)


def _written(
    context: RoutingContext, kind: Kind, route: FrozenJSON, rules: list[JSON], noted: str | None
) -> list[RoutingWrite]:
    """Return the change from what a route says to these rules and this note; none if there is none."""
    body: JSON = {}
    metadata: JSON = {}
    if noted != _noted(context, route):
        metadata["annotations"] = {note_key(context.rollout): noted}
    if rules != rules_of(route):
        body["spec"] = {"rules": rules}
    if not metadata and not body:
        return []
    if "resourceVersion" in route["metadata"]:
        metadata["resourceVersion"] = route["metadata"]["resourceVersion"]
    return [Change(_ref(context, kind, route["metadata"]["name"]), {"metadata": metadata, **body})]


def _own(context: RoutingContext, original: own_route.Original, split: Split) -> Keep | None:
    """Return our own route beside one of the user's, unless its name is taken."""
    try:
        body = own_route.body(original, split)
    except Inexpressible:
        return None  # a problem, which says so
    if body is None:
        return None
    present = context.of(original.kind).get(body["metadata"]["name"])
    free = present is None or is_ours(present, context.rollout)
    return Keep(original.kind, body) if free else None


def _is_touched(context: RoutingContext, route: FrozenJSON) -> bool:
    """Return whether anything of a route may lead to the canary."""
    pair = backend_pair_of(context)
    return _noted(context, route) is not None or any(
        backend_ref(rule, pair.canary, pair) is not None or mirrors_in(rule, pair)
        for rule, _ in _stable_rules(context, route)
    )


def _weight(context: RoutingContext, original: own_route.Original) -> int | None:
    """Return what all rules of a route say, once its parents have confirmed it; nothing is soon confirmed."""
    route = original.route
    percent = _percent(context, route)
    if not _is_touched(context, route) or parents.confirmed(route):
        return percent
    return percent if percent == 0 and not parents.may_serve_earlier_generation(route) else None


def _weights_written(context: RoutingContext, found: Iterable[own_route.Original]) -> Iterator[int]:
    """Yield what each rule of each route says of the canary, where we have written something."""
    for each in found:
        if _is_touched(context, each.route):
            for rule, weights in _stable_rules(context, each.route):
                percent = canary_percent(rule, weights, backend_pair_of(context))
                if percent is not None:
                    yield percent


def _unconfirmed(context: RoutingContext, found: Iterable[own_route.Original]) -> Iterator[str]:
    """Yield which parents have not confirmed what was written, in words."""
    for each in found:
        if _is_touched(context, each.route):
            yield from parents.unconfirmed(each.kind, each.route)
    for kind, own in own_routes(context):
        yield from parents.unconfirmed(kind, own)


def _percent(context: RoutingContext, route: FrozenJSON) -> int | None:
    pair = backend_pair_of(context)
    found = {canary_percent(rule, weights, pair) for rule, weights in _stable_rules(context, route)}
    if not found:
        return 0
    return found.pop() if len(found) == 1 else None


def _highest_percent(context: RoutingContext, route: FrozenJSON) -> int:
    """Return the most that a route sends to the canary as it is written."""
    if not _is_touched(context, route):
        return 0
    pair = backend_pair_of(context)
    rules = [rule for rule, _ in _stable_rules(context, route)]
    copied = any(mirrors_in(rule, pair) for rule in rules)
    return max((int(copied), *(highest_percent(rule, pair) for rule in rules)))


def _highest_percent_of_own(context: RoutingContext, own: FrozenJSON) -> int:
    """Return the most that a route of our own may be sending: a header route counts as something."""
    pair = backend_pair_of(context)
    split = [rule for rule in rules_of(own) if backend_ref(rule, pair.stable, pair) is not None]
    return max((1, *(highest_percent(rule, pair) for rule in split)))


def _intact(context: RoutingContext, route: FrozenJSON) -> bool:
    """Return whether the two backends are what we would write at the weight that they have."""
    pair, noted = backend_pair_of(context), _noted(context, route)
    stable = _stable_rules(context, route)
    for rule, weights in stable:
        percent = canary_percent(rule, weights, pair)
        if percent is None:
            return False
        untouched = noted is None and percent == 0
        if not untouched and with_weight(rule, percent, weights, pair) != rule:
            return False
    return noted is None or _notes(context, route) == [weights.as_note() for _, weights in stable]


def _routes_match(
    context: RoutingContext, wanted: Split, found: Iterable[own_route.Original]
) -> bool:
    """Return whether the header and mirror routes are those of `wanted`, and confirmed."""
    expected: set[Ref] = set()
    for each in found:
        percent = _percent(context, each.route)
        split = wanted if percent is None else replace(wanted, percent=percent)
        if _mirrored(context, each.route, split) != rules_of(each.route):
            return False
        copied = any(mirrors_in(rule, backend_pair_of(context)) for rule in rules_of(each.route))
        if copied and not parents.confirmed(each.route):
            return False
        try:
            body = own_route.body(each, split)
        except Inexpressible:
            return False
        if body is not None:
            expected.add(_ref(context, each.kind, body["metadata"]["name"]))
            if not _is_there(context.of(each.kind), body, context, each.route):
                return False
    present = {_ref(context, kind, own["metadata"]["name"]) for kind, own in own_routes(context)}
    return present == expected and (bool(expected) or _needs_no_route(context, wanted))


def _needs_no_route(context: RoutingContext, wanted: Split) -> bool:
    """Return whether `wanted` holds without any route of our own."""
    if wanted.cut_off or not wanted.names:
        return True
    copied = any(
        mirrors_in(rule, backend_pair_of(context))
        for each in originals(context)
        for rule in rules_of(each.route)
    )
    return copied and not wanted.headers and not any(each.match for each in wanted.mirrors)


def _is_there(
    routes: Mapping[str, JSON], body: FrozenJSON, context: RoutingContext, original: FrozenJSON
) -> bool:
    """Return whether our own route beside `original` is as it is to be, and confirmed."""
    own = routes.get(body["metadata"]["name"])
    return (
        own is not None
        and is_ours(own, context.rollout)
        and not is_terminating(own)
        and own_route.is_as_wanted(body, own)
        and parents.confirmed(own, like=original)
    )
