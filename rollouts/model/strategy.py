"""Strategies: how a new revision gets its traffic."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from rollouts.model.base import Name, ServiceName, Weight, Written, exactly_one, rule
from rollouts.model.units import Duration

STEP_KINDS = ("setWeight", "pause", "analysis", "setCanaryScale")


class Pause(Written):
    """Hold: for `duration`, or until someone promotes."""

    duration: Duration | None = None


class Analysis(Written):
    """Hold until the success criteria have been met this long."""

    duration: Duration


class SetCanaryScale(Written):
    """Size the canary apart from its weight; exactly one of the three."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(
                    exactly_one("replicas", "weight", "matchTrafficWeight"),
                    "set exactly one of replicas, weight and matchTrafficWeight",
                ),
            ]
        }
    )

    replicas: Annotated[int, Field(ge=0, le=100_000)] | None = None
    """This many pods."""
    weight: Weight | None = None
    """This percentage of spec.replicas, rounded up."""
    match_traffic_weight: Literal[True] | None = None
    """Back to the default: as many as the traffic weight needs."""

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if (
            sum(
                part is not None for part in (self.replicas, self.weight, self.match_traffic_weight)
            )
            != 1
        ):
            raise ValueError("set exactly one of replicas, weight and matchTrafficWeight")
        return self


class Step(Written):
    """One step of a canary: exactly one of these."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(exactly_one(*STEP_KINDS), f"set exactly one of {', '.join(STEP_KINDS)}"),
            ]
        }
    )

    set_weight: Weight | None = None
    """Percent of the traffic for the canary."""
    pause: Pause | None = None
    analysis: Analysis | None = None
    set_canary_scale: SetCanaryScale | None = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        parts = (self.set_weight, self.pause, self.analysis, self.set_canary_scale)
        if sum(part is not None for part in parts) != 1:
            raise ValueError(f"set exactly one of {', '.join(STEP_KINDS)}")
        return self


class NginxRouting(Written):
    """Weights in canary annotations of ingress-nginx (also Traefik from 3.7, and Higress)."""

    stable_ingresses: Annotated[list[Name], Field(min_length=1, max_length=32)]
    """The Ingresses that route to stableService today; all move together."""
    annotation_prefix: Annotated[str, Field(min_length=1, max_length=253)] = (
        "nginx.ingress.kubernetes.io"
    )
    canary_ingress_annotations: dict[str, str] = Field(default_factory=dict)
    """More annotations for the canary Ingress; a key without a slash gets the prefix."""


class SMIRouting(Written):
    """Weights in an SMI TrafficSplit. Not carried out by this version."""

    root_service: ServiceName | None = None
    traffic_split_name: Name | None = None


class GatewayRouting(Written):
    """Weights in HTTPRoutes and GRPCRoutes. Not carried out by this version."""

    http_routes: Annotated[list[Name], Field(max_length=32)] = Field(default_factory=list)
    grpc_routes: Annotated[list[Name], Field(max_length=32)] = Field(default_factory=list)


class TrafficRouting(Written):
    """Which router moves the traffic."""

    nginx: NginxRouting | None = None
    smi: SMIRouting | None = None
    gateway_api: Annotated[GatewayRouting | None, Field(alias="gatewayAPI")] = None


class CanaryStrategy(Written):
    """The new revision gets its share of the traffic step by step."""

    stable_service: ServiceName | None = None
    """The Service that users' requests reach today."""
    canary_service: ServiceName | None = None
    """Made from stableService, and owned by us, when it does not exist; default <stableService>-canary."""
    traffic_routing: TrafficRouting | None = None
    steps: Annotated[list[Step], Field(max_length=100)] = Field(default_factory=list)
    scale_down_delay_seconds: Duration = 30
    """How long the old revision stays after a promotion, so that nothing in flight is lost."""
    abort_scale_down_delay_seconds: Duration = 30
    """How long the canary stays after a rollback, for the same reason."""


class BlueGreenStrategy(Written):
    """The Service switches from the old revision to the new at once. Not carried out by this version."""

    active_service: ServiceName
    preview_service: ServiceName | None = None
    preview_replica_count: Annotated[int, Field(ge=0, le=100_000)] | None = None
    auto_promotion_enabled: bool = True
    auto_promotion_seconds: Duration = 0
    pre_promotion_analysis: Analysis | None = None
    post_promotion_analysis: Analysis | None = None
    scale_down_delay_seconds: Duration = 30
    abort_scale_down_delay_seconds: Duration = 30


class Strategy(Written):
    """Exactly one strategy."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(exactly_one("canary", "blueGreen"), "set exactly one of canary and blueGreen"),
            ]
        }
    )

    canary: CanaryStrategy | None = None
    blue_green: BlueGreenStrategy | None = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if (self.canary is None) == (self.blue_green is None):
            raise ValueError("set exactly one of canary and blueGreen")
        return self
