"""Routing: which routers move the traffic, and what a step may ask of them."""

from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from rollouts.model.base import Name, ServiceName, Weight, Written, exactly_one, rule

RouteName = Annotated[
    str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
]
HeaderName = Annotated[
    str, Field(min_length=1, max_length=256, pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
]
_KINDS_OF_MATCH = ("exact", "prefix", "regex")


class StringMatch(Written):
    """How a text is compared; exactly one of the three."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(
                    exactly_one(*_KINDS_OF_MATCH),
                    f"set exactly one of {', '.join(_KINDS_OF_MATCH)}",
                ),
            ]
        }
    )

    exact: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    prefix: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    regex: Annotated[str, Field(min_length=1, max_length=4096)] | None = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if sum(part is not None for part in (self.exact, self.prefix, self.regex)) != 1:
            raise ValueError(f"set exactly one of {', '.join(_KINDS_OF_MATCH)}")
        return self


class HeaderMatch(Written):
    """One header that a request must have."""

    header_name: HeaderName
    header_value: StringMatch


class SetHeaderRoute(Written):
    """Send every request with these headers to the canary; without `match`, no longer."""

    name: RouteName
    """What to call it; a later step with this name changes or ends it."""
    match: Annotated[list[HeaderMatch], Field(max_length=16)] = Field(default_factory=list)
    """All of them have to match."""


class RequestMatch(Written):
    """What a request must be like to be mirrored; all that is given has to match."""

    method: StringMatch | None = None
    path: StringMatch | None = None
    headers: Annotated[dict[str, StringMatch], Field(max_length=16)] = Field(default_factory=dict)


class SetMirrorRoute(Written):
    """
    Send a copy of requests to the canary, and throw its answers away.

    With neither `percentage` nor `match`, no longer.
    """

    name: RouteName
    """What to call it; a later step with this name changes or ends it."""
    percentage: Weight | None = None
    """How many of the requests are copied; all of them by default."""
    match: Annotated[list[RequestMatch], Field(max_length=8)] = Field(default_factory=list)
    """A request that is like one of these is copied; by default every request."""


class NginxRouting(Written):
    """Weights in canary annotations of ingress-nginx (also Traefik from 3.7, and Higress)."""

    stable_ingresses: Annotated[list[Name], Field(min_length=1, max_length=32)]
    """The Ingresses that route to stableService today; all move together."""
    annotation_prefix: Annotated[str, Field(min_length=1, max_length=253)] = (
        "nginx.ingress.kubernetes.io"
    )
    canary_ingress_annotations: dict[str, str] = Field(default_factory=dict)
    """More annotations for the canary Ingress; a key without a slash gets the prefix."""

    @property
    def extra(self) -> dict[str, str]:
        """Those annotations with their prefix."""
        return {
            key if "/" in key else f"{self.annotation_prefix}/{key}": value
            for key, value in self.canary_ingress_annotations.items()
        }


class SMIRouting(Written):
    """Weights in an SMI TrafficSplit, which we own."""

    root_service: ServiceName | None = None
    """The Service that clients call; default stableService."""
    traffic_split_name: Name | None = None
    """Default: the Rollout's name."""


class GatewayRouting(Written):
    """Weights in HTTPRoutes and GRPCRoutes of the Gateway API, in the rules that name stableService."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    http_routes: Annotated[list[Name], Field(max_length=32)] = Field(default_factory=list)
    grpc_routes: Annotated[list[Name], Field(max_length=32)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _names_a_route(self) -> Self:
        if not self.http_routes and not self.grpc_routes:
            raise ValueError("name at least one route in httpRoutes or grpcRoutes")
        return self


class TrafficRouting(Written):
    """Which routers move the traffic; several move together."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    nginx: NginxRouting | None = None
    smi: SMIRouting | None = None
    gateway_api: Annotated[GatewayRouting | None, Field(alias="gatewayAPI")] = None

    @model_validator(mode="after")
    def _has_a_router(self) -> Self:
        if self.nginx is None and self.smi is None and self.gateway_api is None:
            raise ValueError(
                "names no router; give nginx, smi or gatewayAPI, or leave trafficRouting out for a"
                " canary whose weight is its share of the pods"
            )
        return self
