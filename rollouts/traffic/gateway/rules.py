"""
One rule of an HTTPRoute or a GRPCRoute: its two backends, their weights, and how it was before.

Facts, from the Gateway API: weights are relative to the sum of the rule's; one that is absent
is 1; a backendRef is a Service of the route's namespace unless it says otherwise. In a rule
with other backends our two share what they have together, so that the others' share
stays as it was. All else of a rule is left as it is.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from rollouts.model.kinds import JSON, FrozenJSON
from rollouts.traffic.ownership import group_of
from rollouts.traffic.weights import most_percent, percent

MIRROR = "RequestMirror"
WHOLE = 100


@dataclass(frozen=True, slots=True)
class BackendPair:
    """The two Services, and the namespace that they are in."""

    stable: str
    canary: str
    namespace: str


@dataclass(frozen=True, slots=True)
class OriginalWeights:
    """The weights that a rule had before the rollout; None: none was written."""

    stable: int | None
    canary: int | None
    had_canary: bool
    """Whether the canary was among its backends; else we added it."""

    @property
    def total(self) -> int:
        return _or_one(self.stable) + (_or_one(self.canary) if self.had_canary else 0)

    def as_note(self) -> JSON:
        return {"stable": self.stable, **({"canary": self.canary} if self.had_canary else {})}


def is_backend(ref: FrozenJSON, service: str, pair: BackendPair) -> bool:
    """Return whether a backendRef means this Service of the route's own namespace."""
    return (
        ref.get("name") == service
        and not group_of(ref, "")
        and (ref.get("kind") or "Service") == "Service"
        and (ref.get("namespace") or pair.namespace) == pair.namespace
    )


def rules_of(route: FrozenJSON) -> list[JSON]:
    return list((route.get("spec") or {}).get("rules") or [])


def backend_refs(rule: FrozenJSON) -> list[JSON]:
    return list(rule.get("backendRefs") or [])


def backend_ref(rule: FrozenJSON, service: str, pair: BackendPair) -> JSON | None:
    """Return the backendRef to a Service, or None."""
    return next((ref for ref in backend_refs(rule) if is_backend(ref, service, pair)), None)


def weight_of(ref: FrozenJSON | None) -> int:
    """Return the weight that a backendRef has; of none, 0."""
    return _or_one(ref.get("weight")) if ref is not None else 0


def others_weight(rule: FrozenJSON, pair: BackendPair) -> int:
    """Return the weight of all backends but our two."""
    pair_refs = (backend_ref(rule, pair.stable, pair), backend_ref(rule, pair.canary, pair))
    return sum(
        weight_of(ref) for ref in backend_refs(rule) if not any(ref is each for each in pair_refs)
    )


def canary_percent(rule: FrozenJSON, original: OriginalWeights, pair: BackendPair) -> int | None:
    """Return the canary's percentage; None when it is none that we would write."""
    stable = weight_of(backend_ref(rule, pair.stable, pair))
    canary = weight_of(backend_ref(rule, pair.canary, pair))
    if canary == 0:
        return 0
    if not others_weight(rule, pair):
        return percent(Fraction(canary), Fraction(stable + canary))
    total = original.total
    found = most_percent(Fraction(canary), Fraction(total))
    return found if stable + canary == total and canary == total * found // WHOLE else None


def highest_percent(rule: FrozenJSON, pair: BackendPair) -> int:
    """Return the most that the canary may get of what both backends get, in percent."""
    stable = weight_of(backend_ref(rule, pair.stable, pair))
    canary = weight_of(backend_ref(rule, pair.canary, pair))
    return most_percent(Fraction(canary), Fraction(stable + canary))


def original_weights_of(rule: FrozenJSON, noted: Any, pair: BackendPair) -> OriginalWeights:
    """
    Return how a rule was before the rollout: as noted, if it still is what that was noted of.

    Somebody who writes his own version of a rule again, without the canary, begins anew. But a stable that gets
    nothing is nobody's version: the canary was taken out of what we wrote.
    """
    stable, canary = backend_ref(rule, pair.stable, pair), backend_ref(rule, pair.canary, pair)
    is_ours = canary is not None or weight_of(stable) == 0
    if is_ours and isinstance(noted, dict) and _is_weight(noted.get("stable")):
        listed = "canary" in noted
        if not listed or _is_weight(noted["canary"]):
            return OriginalWeights(noted.get("stable"), noted.get("canary"), listed)
    return OriginalWeights(
        stable.get("weight") if stable is not None else 0,
        canary.get("weight") if canary is not None else None,
        canary is not None,
    )


def with_missing_stable(rules: list[JSON], notes: list[Any], pair: BackendPair) -> list[JSON]:
    """
    Return the rules with stable at weight 0 where somebody has taken it out of one that we split.

    `notes` has what was noted of each rule that names one of the two, in order: None of one that is not split.
    """
    split = [backend_ref(rule, pair.stable, pair) is not None for rule in rules]
    missing = sum(each is not None for each in notes) - sum(split)
    if missing <= 0:
        return rules
    led = [backend_ref(rule, pair.canary, pair) is not None for rule in rules]
    places = [number for number in range(len(rules)) if split[number] or led[number]]
    if len(places) == len(notes):
        left = [place for place, noted in zip(places, notes, strict=True) if noted is not None]
        left = [place for place in left if not split[place]]
    else:  # rules have come or gone: a weight of 1 is also what somebody has who writes none
        left = [place for place in places if not split[place]]
        left = [
            each for each in left if weight_of(backend_ref(rules[each], pair.canary, pair)) != 1
        ]
    if len(left) != missing:
        return rules
    return [
        _with_stable(rule, pair) if number in left else rule for number, rule in enumerate(rules)
    ]


def _with_stable(rule: JSON, pair: BackendPair) -> JSON:
    refs: list[JSON] = []
    for ref in backend_refs(rule):
        if is_backend(ref, pair.canary, pair):
            refs.append({**ref, "name": pair.stable, "weight": 0})
        refs.append(ref)
    return {**rule, "backendRefs": refs}


def with_weight(rule: JSON, percent: int, original: OriginalWeights, pair: BackendPair) -> JSON:
    """Return the rule with the canary at `percent`; it is added when it is not there yet."""
    total = original.total if others_weight(rule, pair) else WHOLE
    canary = total * percent // WHOLE
    listed = backend_ref(rule, pair.canary, pair) is not None
    if not listed and percent == 0 and weight_of(backend_ref(rule, pair.stable, pair)) > 0:
        return rule
    refs: list[JSON] = []
    for ref in backend_refs(rule):
        if is_backend(ref, pair.canary, pair):
            if original.had_canary:
                refs.append(_at_weight(ref, canary))
            continue
        is_stable = is_backend(ref, pair.stable, pair)
        refs.append(_at_weight(ref, total - canary) if is_stable else ref)
        if is_stable and not (original.had_canary and listed):
            refs.append({**ref, "name": pair.canary, "weight": canary})
    return {**rule, "backendRefs": refs}


def restored(rule: JSON, original: OriginalWeights, pair: BackendPair) -> JSON:
    """Return the rule with everything at stable: as it was, if the canary had nothing then."""
    if (
        backend_ref(rule, pair.canary, pair) is None
        and weight_of(backend_ref(rule, pair.stable, pair)) > 0
    ):
        return rule
    as_it_was = not original.had_canary or original.canary == 0
    refs: list[JSON] = []
    for ref in backend_refs(rule):
        if is_backend(ref, pair.canary, pair):
            refs += [_at_weight(ref, 0)] if original.had_canary else []
        elif not is_backend(ref, pair.stable, pair):
            refs.append(ref)
        elif as_it_was and original.stable is None:
            refs.append({key: value for key, value in ref.items() if key != "weight"})
        else:
            refs.append(_at_weight(ref, original.total))
    return {**rule, "backendRefs": refs}


def mirrors_in(rule: FrozenJSON, pair: BackendPair) -> list[JSON]:
    """Return the filters that mirror to the canary."""
    return [each for each in rule.get("filters") or [] if _is_our_mirror(each, pair)]


def with_mirrors(rule: JSON, mirrors: list[JSON], pair: BackendPair) -> JSON:
    """Return the rule with exactly these filters that mirror to the canary."""
    if mirrors_in(rule, pair) == mirrors:
        return rule
    kept = [each for each in rule.get("filters") or [] if not _is_our_mirror(each, pair)]
    without = {key: value for key, value in rule.items() if key != "filters"}
    filters = [*kept, *mirrors]
    return {**without, "filters": filters} if filters else without


def mirror_filter(rule: FrozenJSON, percent: int, pair: BackendPair) -> JSON:
    """Return the filter that mirrors so many percent of a rule's requests to the canary."""
    stable: JSON = backend_ref(rule, pair.stable, pair) or {}
    port = {"port": stable["port"]} if "port" in stable else {}
    backend = {"group": "", "kind": "Service", "name": pair.canary, **port}
    share = {"percent": percent} if percent < WHOLE else {}
    return {"type": MIRROR, "requestMirror": {"backendRef": backend, **share}}


def parsed_note(text: object) -> list[Any]:
    """Return what was noted of a route's rules, in order; nothing when it is no note of ours."""
    try:
        found = json.loads(text) if isinstance(text, str) else []
    except (ValueError, RecursionError):
        return []
    return found if isinstance(found, list) else []


def note(rules: list[JSON], weights: Iterator[OriginalWeights], pair: BackendPair) -> str:
    """Return the note of how a route's rules were that name stable; null is one that leads to the canary alone."""
    notes = [
        next(weights).as_note() if backend_ref(rule, pair.stable, pair) else None
        for rule in rules
        if backend_ref(rule, pair.stable, pair) or backend_ref(rule, pair.canary, pair)
    ]
    return json.dumps(notes, separators=(",", ":"))


def _is_our_mirror(filter_: FrozenJSON, pair: BackendPair) -> bool:
    if filter_.get("type") != MIRROR:
        return False
    return is_backend(
        (filter_.get("requestMirror") or {}).get("backendRef") or {}, pair.canary, pair
    )


def _at_weight(ref: JSON, weight: int) -> JSON:
    return ref if weight_of(ref) == weight else {**ref, "weight": weight}


def _is_weight(value: object) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool))


def _or_one(weight: Any) -> int:
    return 1 if weight is None else int(weight)
