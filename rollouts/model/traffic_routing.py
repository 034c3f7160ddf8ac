"""Which routers move the traffic. Its fields are the list of the routers that there are."""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, model_validator

from rollouts.model.base import SpecModel
from rollouts.model.routers.gateway import GatewayRouting
from rollouts.model.routers.nginx import NginxRouting
from rollouts.model.routers.smi import SMIRouting
from rollouts.model.routers.spec import RouterSpec


class TrafficRouting(SpecModel):
    """Which routers move the traffic; several move together."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    nginx: NginxRouting | None = None
    smi: SMIRouting | None = None
    gateway_api: Annotated[GatewayRouting | None, Field(alias=GatewayRouting.field)] = None

    @cached_property
    def routers(self) -> tuple[RouterSpec, ...]:
        """What is said to each router that is named, in the order of the fields."""
        found = (getattr(self, name) for name in type(self).model_fields)
        return tuple(each for each in found if each is not None)

    @cached_property
    def by_class(self) -> Mapping[type[RouterSpec], RouterSpec]:
        """The same, by its class: asked for often, and pydantic's `isinstance` is slow to say no."""
        return {type(each): each for each in self.routers}

    @classmethod
    def known(cls) -> list[type[RouterSpec]]:
        """Return what can be said to any router, in the order of the fields."""
        return [_router_in(field.annotation) for field in cls.model_fields.values()]

    @model_validator(mode="after")
    def _has_a_router(self) -> Self:
        if not self.routers:
            *others, last = (each.field for each in self.known())
            raise ValueError(
                f"names no router; give {', '.join(others)} or {last}, or leave trafficRouting out for a"
                " canary whose weight is its share of the pods"
            )
        return self


def _router_in(annotation: Any) -> type[RouterSpec]:
    """Return the class in `class | None`."""
    found: type[RouterSpec] = next(each for each in annotation.__args__ if each is not type(None))
    return found
