"""What a spec says to a Gateway: the routes whose rules are to lead to the canary as well."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Self

from pydantic import ConfigDict, Field, model_validator

from rollouts.model.base import Name
from rollouts.model.kinds import Kind
from rollouts.model.routers.spec import RouterSpec

HTTP_ROUTE = Kind("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute")
GRPC_ROUTE = Kind("gateway.networking.k8s.io", "v1", "grpcroutes", "GRPCRoute")


class GatewayRouting(RouterSpec):
    """Weights in HTTPRoutes and GRPCRoutes of the Gateway API, in the rules that name stableService."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    field: ClassVar[str] = "gatewayAPI"
    lists: ClassVar[Mapping[str, Kind]] = {"httpRoutes": HTTP_ROUTE, "grpcRoutes": GRPC_ROUTE}

    http_routes: Annotated[list[Name], Field(max_length=32)] = Field(default_factory=list)
    grpc_routes: Annotated[list[Name], Field(max_length=32)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _names_a_route(self) -> Self:
        if not self.http_routes and not self.grpc_routes:
            raise ValueError("name at least one route in httpRoutes or grpcRoutes")
        return self
