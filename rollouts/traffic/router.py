"""
What a router is: one object that answers every question about itself. All of it is pure.

`rollouts.traffic.routers.ROUTERS` lists them. What is watched and indexed, what the controller is
permitted, what is looked for and said of a release, all follow from what each says here, so that
nothing else has to know one by its name. What can be told from the spec alone, `spec` tells.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from rollouts.model.counter_metric import Metric
from rollouts.model.kinds import Kind
from rollouts.model.rollout_key import Key
from rollouts.model.route import Route, RoutingWrite, Split
from rollouts.model.routers.spec import RouterSpec
from rollouts.model.spec import RolloutSpec
from rollouts.traffic.context import RoutingContext
from rollouts.traffic.shapes import Shape


@dataclass(frozen=True, slots=True)
class RoutingKind:
    """A kind of object that a router reads, and as a rule writes."""

    kind: Kind
    versions: tuple[str, ...] = ()
    """It comes with a CRD, and these are read and written, the best first; empty: every cluster has it."""
    is_written: bool = True
    """False: it is read where the router is named, and may be about anybody's routes and Services."""
    fields: tuple[str, ...] = ()
    """What is read of each, as paths such as `spec.targetRef`; empty: all."""
    users_fields: tuple[str, ...] = ()
    """What is written to objects of the user's, and is one value to whoever applies them."""
    shape: Shape = field(default_factory=dict, compare=False)
    """What it looks like, as far as it is read; empty where every API server sees to that by itself."""
    gone_is_stable: bool = False
    """Without ours, all of the traffic goes to stable: one that can't be written may be removed."""


class Counters(Protocol):
    """What a router's data plane counts of the canary and of stable, in one scrape."""

    def requests(self, key: Key, spec: RolloutSpec) -> Metric:
        """Return the counter of all requests."""
        ...

    def durations(self, key: Key, spec: RolloutSpec) -> Metric:
        """Return the histogram of how long they took."""
        ...


@dataclass(frozen=True, slots=True)
class Exporter:
    """Where the processes of a data plane show what they count: behind which Services, and at which port."""

    namespace: str
    """Where it is installed as a rule."""
    labels: Mapping[str, str]
    """What its Services have."""
    port_name: str
    """Which of a Service's ports is that of the metrics."""
    port: int
    """Where no Service has one of that name."""
    path: str = "/metrics"


class Router(Protocol):
    """One kind of router."""

    spec: ClassVar[type[RouterSpec]]
    """What a Rollout's spec says to it: its field, the objects that are named, what it can't do."""
    kinds: ClassVar[tuple[RoutingKind, ...]]
    """What it reads and writes."""
    counters: ClassVar[Counters | None] = None
    """What it counts, where its `spec.counts_requests`."""
    exporter: ClassVar[Exporter | None] = None
    """Where that can be read without anybody who scrapes it; None: nowhere."""

    def observe(self, context: RoutingContext, wanted: Split) -> Route:
        """
        Return what its objects say, and everything that is found in them.

        And whether they have the header and mirror routes of `wanted`. The spec names it.
        """
        ...

    def render(self, context: RoutingContext, split: Split) -> list[RoutingWrite]:
        """Return the writes after which its objects say the split; none to one of somebody else's."""
        ...

    def clear(self, context: RoutingContext) -> list[RoutingWrite]:
        """
        Return the writes after which nothing is left of a rollout; none when nothing is.

        Also where the spec names it no longer, or has no router at all.
        """
        ...
