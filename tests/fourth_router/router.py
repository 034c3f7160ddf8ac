"""
The made-up router: a Crossing says which Service it leads to, and what part goes to another one.

Its data plane counts the passengers of both sides, and how long they took.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rollouts.model.counter_metric import (
    CounterSeries,
    SeriesMeaning,
    any_of,
    bound_of,
    quoted,
    selector,
)
from rollouts.model.finding import Finding
from rollouts.model.kinds import JSON, FrozenJSON, Ref
from rollouts.model.rollout_key import Key
from rollouts.model.route import Change, Route, RoutingWrite, Split
from rollouts.model.spec import RolloutSpec
from rollouts.traffic.context import RoutingContext
from rollouts.traffic.ownership import is_terminating, namespace_of
from rollouts.traffic.router import Router, RoutingKind
from tests.fourth_router.spec import CROSSING, FerryRouting

PASSENGERS = "ferry_passengers_total"
SECONDS = "ferry_passage_seconds_bucket"


@dataclass(frozen=True, slots=True)
class FerryMetric:
    """One metric of the Crossings that a spec names; the label `side` tells the canary from stable."""

    name: str
    namespace: str
    crossings: tuple[str, ...]
    bounds: tuple[float, ...] = ()

    @property
    def series(self) -> CounterSeries:
        """Return how both sides' series are asked for."""
        namespace, crossings = quoted(self.namespace), quoted(any_of(self.crossings))
        return CounterSeries(
            name=self.name,
            selectors=(selector(self.name, f"namespace={namespace}", f"crossing=~{crossings}"),),
            hint="see whether Prometheus still scrapes the ferry",
            bounds=self.bounds,
        )

    def is_asked(self, labels: Mapping[str, str]) -> bool:
        """Return whether a series is of these Crossings."""
        return (
            labels.get("__name__") == self.name
            and labels.get("namespace") == self.namespace
            and labels.get("crossing") in self.crossings
        )

    def meaning(self, labels: Mapping[str, str]) -> SeriesMeaning:
        """Return what a series says: a passenger who was sent back has the code 5xx."""
        return SeriesMeaning(
            canary=labels.get("side") == "canary",
            failed=labels.get("code", "").startswith("5"),
            bound=bound_of(labels),
        )

    def process(self, labels: Mapping[str, str]) -> str:
        """Return which ferry it is."""
        return f"ferry {labels.get('instance', '')}"


class FerryCounters:
    """What the ferry counts of a Rollout."""

    def requests(self, key: Key, spec: RolloutSpec) -> FerryMetric:
        return FerryMetric(PASSENGERS, key.namespace, tuple(spec.users_objects(CROSSING)))

    def durations(self, key: Key, spec: RolloutSpec) -> FerryMetric:
        crossings = tuple(spec.users_objects(CROSSING))
        return FerryMetric(SECONDS, key.namespace, crossings, spec.latency_limits)


class FerryRouter(Router):
    """Crossings, which are the user's: their `canary` is ours."""

    spec = FerryRouting
    kinds = (RoutingKind(CROSSING, ("v1",)),)
    counters = FerryCounters()

    def observe(self, context: RoutingContext, wanted: Split) -> Route:
        """Return what the Crossings say; one without a canary says 0."""
        percents = {_percent(context, each) for each in _named(context).values()} or {0}
        return Route(
            exists=bool(self.clear(context)),
            weight=percents.pop() if len(percents) == 1 else None,
            highest=max(
                (_percent(context, each) for each in context.of(CROSSING).values()), default=0
            ),
            routes_match=not wanted.headers and not wanted.mirrors,
            findings=tuple(_findings(context)),
        )

    def render(self, context: RoutingContext, split: Split) -> list[RoutingWrite]:
        """Return the writes after which the Crossings that are named say the split, and others nothing."""
        canary = {"service": context.spec.canary_service, "percent": split.percent}
        named, ours = _named(context), context.of(CROSSING).items()
        written = [_written(context, name, canary) for name in named]
        return [
            *written,
            *(
                _written(context, n, None)
                for n, each in ours
                if n not in named and _is_ours(each, context)
            ),
        ]

    def clear(self, context: RoutingContext) -> list[RoutingWrite]:
        """Return the writes that take our canary out of every Crossing, named or not."""
        crossings = context.of(CROSSING).items()
        return [
            _written(context, name, None) for name, each in crossings if _is_ours(each, context)
        ]


def _named(context: RoutingContext) -> dict[str, JSON]:
    names, found = context.spec.users_objects(CROSSING), context.of(CROSSING)
    return {
        name: found[name] for name in names if name in found and not is_terminating(found[name])
    }


def _findings(context: RoutingContext) -> Iterator[Finding]:
    for index, name in enumerate(context.spec.users_objects(CROSSING)):
        if name not in _named(context):
            yield Finding(
                "error",
                "CrossingNotFound",
                f"Crossing {name} does not exist; create it",
                f"spec.strategy.canary.trafficRouting.ferry.crossings[{index}]",
                absent=Ref(CROSSING, namespace_of(context.rollout), name),
            )


def _is_ours(crossing: FrozenJSON, context: RoutingContext) -> bool:
    """Return whether this Rollout has written its canary."""
    canary = crossing["spec"].get("canary") or {}
    return bool(canary.get("by") == context.rollout["metadata"]["name"])


def _percent(context: RoutingContext, crossing: FrozenJSON) -> int:
    return int(crossing["spec"]["canary"]["percent"]) if _is_ours(crossing, context) else 0


def _written(context: RoutingContext, name: str, canary: JSON | None) -> Change:
    by = {"by": context.rollout["metadata"]["name"]}
    body = {"spec": {"canary": {**canary, **by} if canary is not None else None}}
    return Change(Ref(CROSSING, namespace_of(context.rollout), name), body)
