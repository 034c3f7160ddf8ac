"""What a spec says to the made-up router: which of the user's Crossings lead to the canary as well."""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from rollouts.errors import FieldError
from rollouts.model.base import Name
from rollouts.model.header_and_mirror_routes import SetHeaderRoute
from rollouts.model.kinds import Kind
from rollouts.model.routers.spec import RouterSpec

CROSSING = Kind("ferry.example.dev", "v1", "crossings", "Crossing")


class FerryRouting(RouterSpec):
    """Weights in the user's Crossings."""

    field: ClassVar[str] = "ferry"
    lists: ClassVar[Mapping[str, Kind]] = {"crossings": CROSSING}
    counts_requests: ClassVar[bool] = True

    crossings: Annotated[list[Name], Field(min_length=1)]
    """The Crossings that lead to stableService today."""

    def header_route_errors(
        self, _route: SetHeaderRoute, _active: Mapping[str, SetHeaderRoute], where: str
    ) -> Iterator[FieldError]:
        yield FieldError(where, "a ferry asks nobody for headers")
