"""
Weights in an SMI TrafficSplit, which we own: what clients of a mesh ask of the root Service
goes to the stable and the canary Service.

Facts, from the SMI specification: the weights are relative to their sum; from v1alpha2 on they
are whole numbers, and in v1alpha1 quantities. A JSON number is a quantity too, so that whole
numbers, which are what we write in every version, are read by every implementation: by those
that ask for thousandths, for integers, and at another version than was written (a CRD without
conversion hands over what was stored). Clients outside the mesh go to the root Service itself.

What a mesh does without the TrafficSplit decides on what is left when the Rollout is settled. When the root is the
stable Service, its absence means all for stable, and it is removed. Any other root Service has
endpoints of its own, as a rule pods of both revisions, and so its absence would be a split by
pods: the TrafficSplit is there from before the first rollout on, and rests at 100 to 0, also when
smi is taken out of the spec. It goes with the Rollout.
"""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from rollouts.model.finding import Finding
from rollouts.model.kinds import JSON, SERVICE, FrozenJSON, Ref
from rollouts.model.route import Change, Keep, Remove, Route, RoutingWrite, Split
from rollouts.model.routers.smi import TRAFFIC_SPLIT, TRAFFIC_SPLIT_VERSIONS, SMIRouting
from rollouts.traffic.context import RoutingContext
from rollouts.traffic.ownership import is_ours, is_terminating, namespace_of, own_metadata
from rollouts.traffic.removal import owned, removal
from rollouts.traffic.router import Router, RoutingKind
from rollouts.traffic.shapes import Shape
from rollouts.traffic.weights import most_percent, number, percent

_OUR_FIELDS = ("service", "backends")
_SHAPE: Shape = {"spec": {"service": str, "backends": [{"service": str}]}}
"""Weights are numbers or texts, and told apart where they are read."""


class SMIRouter(Router):
    """A TrafficSplit of SMI."""

    spec = SMIRouting
    kinds = (RoutingKind(TRAFFIC_SPLIT, TRAFFIC_SPLIT_VERSIONS, shape=_SHAPE),)

    def observe(self, context: RoutingContext, wanted: Split) -> Route:
        """Return what the TrafficSplit says now, and everything that is found."""
        found, orphans = _present(context), _orphans(context)
        routes_match = not wanted.headers and not wanted.mirrors
        there = [found, *orphans.values()] if orphans else []
        route = Route(
            exists=bool(self.clear(context)),
            routes_match=routes_match,
            findings=tuple(_problems(context)),
            written=frozenset(_reach(each, context) for each in there if each is not None),
        )
        highest = max((_reach(each, context) for each in orphans.values()), default=0)
        if found is None:
            if not _needed_when_settled(context):
                weight = None if orphans else 0
                return _with_weight(route, weight, highest, intact=not orphans)
            missing = replace(route, by_pods=not orphans)
            return _with_weight(missing, None, max(highest, 1), intact=False)
        weight = None if orphans else _weight(found, context)
        intact = weight is not None and _is_as_written(found, context, weight)
        route = replace(route, stays=_needed_when_settled(context))
        return _with_weight(route, weight, max(highest, _reach(found, context)), intact=intact)

    def render(self, context: RoutingContext, split: Split) -> list[RoutingWrite]:
        """
        Return the writes after which the TrafficSplit says `split`; none over one of somebody else's.

        One of ours by another name, which the spec had before, goes after that: of two for one
        root Service a mesh would follow one. A root Service with pods of its own is never without any.
        """
        if not _is_possible(context) or _would_lead_to_nobody(context):
            return []
        writes: list[RoutingWrite] = [Keep(TRAFFIC_SPLIT, _body(context, split.percent))]
        found = context.of(TRAFFIC_SPLIT).get(_name(context))
        extra = {key: None for key in (found or {}).get("spec") or {} if key not in _OUR_FIELDS}
        if extra:  # a server-side apply would leave what somebody else wrote
            writes.append(Change(_ref(context, _name(context)), {"spec": extra}))
        may_go = _present(context) is not None or _root(context) == context.spec.stable_service
        return [*writes, *(_removals(context, _orphans(context)) if may_go else ())]

    def clear(self, context: RoutingContext) -> list[RoutingWrite]:
        """Return the writes after which everything goes to stable, without a TrafficSplit if that will do."""
        if not context.names(SMIRouting):
            return [
                each for found in owned(context, TRAFFIC_SPLIT) for each in _settled(context, found)
            ]
        orphans = _removals(context, _orphans(context))
        if _root(context) == context.spec.stable_service:
            found = _present(context)
            return [
                *(_removals(context, {_name(context): found}) if found is not None else []),
                *orphans,
            ]
        if not _is_possible(context):
            return [rest for each in _orphans(context).values() for rest in _settled(context, each)]
        found = _present(context)
        if found is None or not _is_as_written(found, context, 0):
            return self.render(context, Split())
        return orphans


def _settled(context: RoutingContext, found: FrozenJSON) -> Iterator[RoutingWrite]:
    """Yield the write after which a TrafficSplit that is not named any more sends nothing to its canary, its last."""
    spec: JSON = found.get("spec") or {}
    services = [str(each.get("service")) for each in spec.get("backends") or []]
    if len(services) != 2 or services[0] == spec.get("service"):
        yield removal(context, TRAFFIC_SPLIT, found)
        return
    stable, canary = services
    backends = [{"service": stable, "weight": 100}, {"service": canary, "weight": 0}]
    if spec["backends"] != backends and TRAFFIC_SPLIT in context.served:
        yield Keep(
            TRAFFIC_SPLIT,
            {
                "apiVersion": f"{TRAFFIC_SPLIT.group}/{context.served[TRAFFIC_SPLIT]}",
                "kind": TRAFFIC_SPLIT.name,
                "metadata": own_metadata(found["metadata"]["name"], context.rollout),
                "spec": {"service": spec["service"], "backends": backends},
            },
        )


def _with_weight(route: Route, weight: int | None, highest: int, *, intact: bool) -> Route:
    return replace(route, weight=weight, highest=highest, intact=intact)


def _root(context: RoutingContext) -> str:
    return context.settings_of(SMIRouting).root_service or str(context.spec.stable_service)


def _name(context: RoutingContext) -> str:
    return context.settings_of(SMIRouting).traffic_split_name or str(
        context.rollout["metadata"]["name"]
    )


def _ref(context: RoutingContext, name: str) -> Ref:
    return Ref(TRAFFIC_SPLIT, namespace_of(context.rollout), name)


def _present(context: RoutingContext) -> JSON | None:
    """Return our TrafficSplit, if it is there to stay."""
    found = context.of(TRAFFIC_SPLIT).get(_name(context))
    there = found is not None and is_ours(found, context.rollout) and not is_terminating(found)
    return found if there else None


def _orphans(context: RoutingContext) -> dict[str, JSON]:
    """Return those of ours that the spec asks for no longer."""
    return {
        name: each
        for name, each in sorted(context.of(TRAFFIC_SPLIT).items())
        if name != _name(context) and is_ours(each, context.rollout) and not is_terminating(each)
    }


def _is_possible(context: RoutingContext) -> bool:
    """Return whether a TrafficSplit of that name can be ours."""
    found = context.of(TRAFFIC_SPLIT).get(_name(context))
    return TRAFFIC_SPLIT in context.served and (found is None or is_ours(found, context.rollout))


def _would_lead_to_nobody(context: RoutingContext) -> bool:
    """
    Return whether there is no stable Service, and nothing leads there yet.

    A root Service of its own has pods that answer meanwhile.
    """
    stable, found = context.spec.stable_service, _present(context)
    if _root(context) == stable or SERVICE not in context.objects or stable in context.of(SERVICE):
        return False
    return found is None or all(name != stable for name, _ in _backends(found))


def _needed_when_settled(context: RoutingContext) -> bool:
    return _root(context) != context.spec.stable_service and _is_possible(context)


def _removals(context: RoutingContext, found: dict[str, JSON]) -> list[RoutingWrite]:
    return [Remove(_ref(context, name), each["metadata"]["uid"]) for name, each in found.items()]


def _body(context: RoutingContext, weight: int) -> JSON:
    return {
        "apiVersion": f"{TRAFFIC_SPLIT.group}/{context.served[TRAFFIC_SPLIT]}",
        "kind": TRAFFIC_SPLIT.name,
        "metadata": own_metadata(_name(context), context.rollout),
        "spec": {
            "service": _root(context),
            "backends": [
                {"service": context.spec.stable_service, "weight": 100 - weight},
                {"service": context.spec.canary_service, "weight": weight},
            ],
        },
    }


def _backends(found: FrozenJSON) -> list[tuple[str, Fraction | None]]:
    spec: JSON = found.get("spec") or {}
    listed = spec.get("backends") or []
    return [(str(each.get("service")), number(each.get("weight"))) for each in listed]


def _weight(found: FrozenJSON, context: RoutingContext) -> int | None:
    """Return the canary's percentage; None when it is not one of what the root is asked."""
    backends = _backends(found)
    known = (context.spec.stable_service, context.spec.canary_service)
    total = Fraction(0)
    for service, weight in backends:
        if service not in known or weight is None:
            return None
        total += weight
    if (found.get("spec") or {}).get("service") != _root(context):
        return None
    return percent(_of_canary(found, context), total)


def _reach(found: FrozenJSON, context: RoutingContext) -> int:
    """Return the most that it may send to the canary, in percent."""
    total = Fraction(0)
    for _, weight in _backends(found):
        if weight is None:
            return 100
        total += weight
    return most_percent(_of_canary(found, context), total) if total > 0 else 100


def _of_canary(found: FrozenJSON, context: RoutingContext) -> Fraction:
    canary = context.spec.canary_service
    return sum(
        (weight for service, weight in _backends(found) if service == canary and weight),
        start=Fraction(0),
    )


def _is_as_written(found: FrozenJSON, context: RoutingContext, weight: int) -> bool:
    """Return whether it is as we would write it at this weight; 1 and "1000m" are the same."""
    spec: JSON = found.get("spec") or {}
    wanted = [
        (context.spec.stable_service, Fraction(100 - weight)),
        (context.spec.canary_service, Fraction(weight)),
    ]
    return (
        set(spec) == set(_OUR_FIELDS)
        and spec["service"] == _root(context)
        and _backends(found) == wanted
    )


def _problems(context: RoutingContext) -> Iterator[Finding]:
    name, root, spec = _name(context), _root(context), context.spec
    if TRAFFIC_SPLIT not in context.served:
        versions = ", ".join(TRAFFIC_SPLIT_VERSIONS)
        yield Finding(
            "error",
            "TrafficSplitsNotServed",
            (
                f"the cluster serves no TrafficSplits ({TRAFFIC_SPLIT.group}, {versions}); install the SMI"
                " extension of the mesh, such as linkerd-smi, or take smi out of trafficRouting"
            ),
            needs=(TRAFFIC_SPLIT,),
        )
        return
    found = context.of(TRAFFIC_SPLIT).get(name)
    if found is not None and not is_ours(found, context.rollout):
        yield Finding(
            "error",
            "TrafficSplitNotOurs",
            (
                f"TrafficSplit {name} exists and is not this Rollout's; remove or rename it, or give another"
                " trafficSplitName"
            ),
        )
    for other, each in sorted(context.of(TRAFFIC_SPLIT).items()):
        if other == name or is_ours(each, context.rollout) or is_terminating(each):
            continue
        if str((each.get("spec") or {}).get("service", "")).split(".")[0] == root:
            yield Finding(
                "error",
                "SecondTrafficSplit",
                (
                    f"TrafficSplit {other} splits Service {root} already, and a mesh follows one only;"
                    " remove it before releasing"
                ),
            )
    if (
        root != spec.stable_service
        and SERVICE in context.objects
        and root not in context.of(SERVICE)
    ):
        yield Finding(
            "error",
            "RootServiceNotFound",
            f"Service {root} does not exist; create it, or correct rootService",
            "spec.strategy.canary.trafficRouting.smi.rootService",
            absent=Ref(SERVICE, namespace_of(context.rollout), root),
        )
    if root == spec.canary_service:
        yield Finding(
            "error",
            "RootServiceIsCanary",
            f"Service {root} is the canary's own; name the Service that clients call as rootService",
        )
