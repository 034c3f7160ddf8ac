"""
What every router's part of a spec can answer by itself, without a cluster.

One class per router derives from `RouterSpec`, and is a field of `TrafficRouting`. Whoever asks
about "the routers" asks these, and so knows none of them by name.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from rollouts.errors import FieldError
from rollouts.model.base import SpecModel
from rollouts.model.header_and_mirror_routes import SetHeaderRoute, SetMirrorRoute
from rollouts.model.kinds import Kind
from rollouts.model.unchecked_json import elements, mapping


class RouterSpec(SpecModel):
    """What a spec says to one router."""

    field: ClassVar[str]
    """Its name in `trafficRouting`, and in messages."""
    lists: ClassVar[Mapping[str, Kind]] = {}
    """Its fields that list the user's own objects by name, and of which kind these are."""
    counts_requests: ClassVar[bool] = False
    """Whether its data plane counts both revisions' requests in one scrape: the source `ingress`."""
    is_called_by_address: ClassVar[bool] = False
    """Whether clients call the root Service by its address, instead of somebody who looks up endpoints."""
    fails_without_stable: ClassVar[str] = ""
    """The data plane that fails all requests while stable has no ready pod; empty: the canary's pods answer."""

    @classmethod
    def names_in(cls, raw: object, _rollout: str) -> Iterator[tuple[Kind, str]]:
        """Yield the objects that the raw spec of a Rollout of this name means, however wrong it is."""
        for field, kind in cls.lists.items():
            for name in elements(mapping(raw).get(field)):
                yield kind, str(name)

    def named(self) -> Iterator[tuple[Kind, str]]:
        """Yield the kind and the name of each of the user's own objects that it names."""
        for attribute, field in type(self).model_fields.items():
            kind = self.lists.get(str(field.alias))
            if kind is not None:
                yield from ((kind, name) for name in getattr(self, attribute))

    def objects(self) -> dict[str, str]:
        """
        Return every routing object that it means, and what else says how that is found.

        Where these are others, a release is moved by something else than before.
        """
        return {f"{kind} {name}": "" for kind, name in self.named()}

    @property
    def chooses_users(self) -> bool:
        """Whether the user's own settings send certain users to the canary, instead of any."""
        return False

    def cross_field_errors(self, _where: str) -> Iterator[FieldError]:
        """Yield what fits the schema and can't be carried out; `where` is its own field."""
        yield from ()

    def header_route_errors(
        self, _route: SetHeaderRoute, _active: Mapping[str, SetHeaderRoute], _where: str
    ) -> Iterator[FieldError]:
        """Yield why it can't have a header route beside those that are `active`, itself included."""
        yield from ()

    def mirror_route_errors(self, _route: SetMirrorRoute, _where: str) -> Iterator[FieldError]:
        """Yield why it can't have a mirror route."""
        yield from ()
