"""What routing objects are to say, what they say now, and what a router wants written; whichever router."""

from dataclasses import dataclass

from rollouts.model.finding import Finding
from rollouts.model.header_and_mirror_routes import SetHeaderRoute, SetMirrorRoute
from rollouts.model.kinds import FrozenJSON, Kind, Ref


@dataclass(frozen=True, slots=True)
class Split:
    """
    What every route is to say: the canary's percentage, and which requests go to it besides.

    A split of nothing at all cuts the canary off: nobody can reach it any more.
    """

    percent: int = 0
    headers: tuple[SetHeaderRoute, ...] = ()
    mirrors: tuple[SetMirrorRoute, ...] = ()
    cut_off: bool = False
    """End also what a user's own annotations send to the canary."""

    @property
    def names(self) -> list[str]:
        """The names of its header and mirror routes."""
        return [*(each.name for each in self.headers), *(each.name for each in self.mirrors)]


@dataclass(frozen=True, slots=True)
class Keep:
    """Have this object, which is our own, say this."""

    kind: Kind
    body: FrozenJSON


@dataclass(frozen=True, slots=True)
class Change:
    """
    Merge this (RFC 7386) into an object that is the user's.

    A `metadata.resourceVersion` in `body` makes sure that nobody's change is lost.
    """

    ref: Ref
    body: FrozenJSON


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove an object that is our own."""

    ref: Ref
    uid: str


RoutingWrite = Keep | Change | Remove


@dataclass(frozen=True, slots=True)
class Route:
    """
    The routing objects, as one.

    `weight` is what all of them say (0 when none exists), or None when they differ or some
    are absent; `highest` is the most that any of them may be sending to the canary now.
    `is_cut` is True when nothing that is written sends it anything, and only somebody's answer is
    lacking, so that it counts as something yet.
    `routes_match` is False when header and mirror routes are not those that were asked about;
    `intact` is False when someone changed anything else of what we wrote. Without a
    `weight`, `written` has those that parts of them say, confirmed or not. `unconfirmed` tells, in words, who has not
    confirmed yet what was written.
    """

    exists: bool = False
    weight: int | None = 0
    highest: int = 0
    intact: bool = True
    routes_match: bool = True
    findings: tuple[Finding, ...] = ()
    written: frozenset[int] = frozenset()
    unconfirmed: tuple[str, ...] = ()
    is_cut: bool = False
    by_pods: bool = False
    """Some of them are missing, and without those requests go to whatever pods there are, of any revision."""
    stays: bool = False
    """Some of them stay between releases: without those requests would go to whatever pods there are, of any revision."""
    other_services: frozenset[str] = frozenset()
    """Where the objects that the spec names lead as well: Services that it does not name itself."""
    is_unseen: bool = False
    """Some of them can't be read: they may send anything, and nobody sees what a write has changed."""

    @property
    def blockers(self) -> tuple[Finding, ...]:
        """The findings that no weight may be raised over."""
        return tuple(each for each in self.findings if each.is_blocking)
