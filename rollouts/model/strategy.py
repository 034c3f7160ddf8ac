"""Strategies: how a new revision gets its traffic."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from rollouts.model.base import ServiceName, SpecModel, Weight, exactly_one, one_of, rule
from rollouts.model.header_and_mirror_routes import SetHeaderRoute, SetMirrorRoute
from rollouts.model.role_settings import AntiAffinity, PodMetadata
from rollouts.model.traffic_routing import TrafficRouting
from rollouts.model.units import Duration, IntOrPercent

UNREADY_SECONDS = 60
"""
Six readiness probes by default, and what most containers take to start again. A pod that is not
ready gets no requests, so that patience with one of several costs nobody anything.
"""
STEP_KINDS = (
    "setWeight",
    "pause",
    "analysis",
    "setCanaryScale",
    "setHeaderRoute",
    "setMirrorRoute",
)


_NO_CLOCK = (
    "waitForEvidence: false ends a pause by the clock alone, and without a duration there is none:"
    " give a duration, or leave waitForEvidence out and it waits for promote"
)

_MORE_THAN_ALL = "type Percent goes up to 100; for a number of pods, use type Pod"


class Pause(SpecModel):
    """Hold: for `duration`, or until someone promotes."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(
                    "!has(self.waitForEvidence) || self.waitForEvidence || has(self.duration)",
                    _NO_CLOCK,
                ),
            ]
        }
    )

    duration: Duration | None = None
    wait_for_evidence: bool = True
    """
    With success criteria: go on until a scrape from after `duration` has been looked at.
    False ends it by the clock alone, and so needs a duration.
    """

    @model_validator(mode="after")
    def _has_a_clock_to_end_by(self) -> Self:
        if self.duration is None and not self.wait_for_evidence:
            raise ValueError(_NO_CLOCK)
        return self


class Analysis(SpecModel):
    """Hold until the success criteria have been met this long."""

    duration: Duration


class SetCanaryScale(SpecModel):
    """Size the canary apart from its weight; exactly one of the three."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(
                    exactly_one("replicas", "weight", "matchTrafficWeight"),
                    one_of("replicas", "weight", "matchTrafficWeight"),
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
            raise ValueError(one_of("replicas", "weight", "matchTrafficWeight"))
        return self


class Step(SpecModel):
    """One step of a canary: exactly one of these."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(exactly_one(*STEP_KINDS), one_of(*STEP_KINDS)),
            ]
        }
    )

    set_weight: Weight | None = None
    """Percent of the traffic for the canary."""
    pause: Pause | None = None
    analysis: Analysis | None = None
    set_canary_scale: SetCanaryScale | None = None
    set_header_route: SetHeaderRoute | None = None
    set_mirror_route: SetMirrorRoute | None = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        parts = (
            self.set_weight,
            self.pause,
            self.analysis,
            self.set_canary_scale,
            self.set_header_route,
            self.set_mirror_route,
        )
        if all(part is None for part in parts):
            raise ValueError(f"is empty; {one_of(*STEP_KINDS)}. `pause: {{}}` waits for a person")
        if sum(part is not None for part in parts) != 1:
            raise ValueError(f"{one_of(*STEP_KINDS)}; give each step an entry of its own")
        return self


class RoleSettings(SpecModel):
    """What pods of a release have besides their template, whatever the strategy."""

    canary_metadata: PodMetadata | None = None
    """For the pods of a revision that is on its way."""
    stable_metadata: PodMetadata | None = None
    """For the pods of the stable revision."""
    anti_affinity: AntiAffinity | None = None


class ReplicaProgressThreshold(SpecModel):
    """How many of the canary's pods are enough to go on: a percentage of them, or a number."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                rule("self.type != 'Percent' || self.value <= 100", _MORE_THAN_ALL),
            ]
        }
    )

    type: Literal["Percent", "Pod"]
    value: Annotated[int, Field(ge=1, le=100_000)]

    @model_validator(mode="after")
    def _is_a_part(self) -> Self:
        if self.type == "Percent" and self.value > 100:
            raise ValueError(_MORE_THAN_ALL)
        return self


class CanaryStrategy(RoleSettings):
    """The new revision gets its share of the traffic step by step."""

    path: ClassVar[str] = "spec.strategy.canary"
    """Where a strategy of this kind stands in a Rollout."""
    stable_service_field: ClassVar[str] = "stableService"
    """What it calls the Service that users' requests reach."""
    canary_service_field: ClassVar[str] = "canaryService"
    """What it calls the Service of the new revision alone."""

    stable_service: ServiceName | None = None
    """The Service that users' requests reach today."""
    canary_service: ServiceName | None = None
    """Made from stableService, and owned by us, when it does not exist; default <stableService>-canary."""
    traffic_routing: TrafficRouting | None = None
    """Without it, the canary's share of the pods is its weight."""
    steps: Annotated[list[Step], Field(max_length=100)] = Field(default_factory=list)
    max_surge: IntOrPercent = "25%"
    """Without trafficRouting: how many pods there may be beyond spec.replicas; rounded up."""
    max_unavailable: IntOrPercent = "25%"
    """
    Without trafficRouting: how many of spec.replicas may be missing; rounded down. And with every
    router: how many of the canary's pods may stop being ready before it is rolled back at once.
    """
    unready_seconds: Duration = UNREADY_SECONDS
    """How long a canary pod that has traffic may be not ready, while others are, before it is rolled back."""
    replica_progress_threshold: ReplicaProgressThreshold | None = None
    """
    How many of the canary's pods are enough to go on. Default: all, less 5 percent, rounded down, that
    are only starting.
    """
    dynamic_stable_scale: bool = False
    """Make stable smaller as the canary takes over its traffic, and larger again before it goes back."""
    route_removal_delay_seconds: Duration = 0
    """
    How long the canary's route stays after a promotion, once the stable Service has all the new
    pods: for load balancers that register them slowly.
    """
    scale_down_delay_seconds: Duration = 30
    """How long the old revision stays after a promotion, so that nothing in flight is lost."""
    abort_scale_down_delay_seconds: Duration = 30
    """How long the canary stays after a rollback, for the same reason."""


class BlueGreenStrategy(RoleSettings):
    """The Service switches from the old revision to the new at once."""

    path: ClassVar[str] = "spec.strategy.blueGreen"
    stable_service_field: ClassVar[str] = "activeService"
    canary_service_field: ClassVar[str] = "previewService"
    # What only a canary can set, so that who asks the active strategy need not know which it is. How many pods may be
    # missing is as a Deployment has it by default.
    max_surge: ClassVar[IntOrPercent] = 0
    max_unavailable: ClassVar[IntOrPercent] = "25%"
    replica_progress_threshold: ClassVar[ReplicaProgressThreshold | None] = None
    dynamic_stable_scale: ClassVar[bool] = False
    route_removal_delay_seconds: ClassVar[int] = 0

    active_service: ServiceName
    """The Service that users' requests reach."""
    preview_service: ServiceName | None = None
    """A Service for a look at the new revision before it is active."""
    preview_replica_count: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """How many pods the new revision has before it is switched to; default: all."""
    auto_promotion_enabled: bool = True
    """False: wait for promote before the switch."""
    auto_promotion_seconds: Duration = 0
    """Wait this long before the switch, unless someone promotes earlier."""
    pre_promotion_analysis: Analysis | None = None
    """Hold before the switch until the success criteria have been met this long."""
    post_promotion_analysis: Analysis | None = None
    """Bake: hold after the switch; the old revision stays as it was."""
    scale_down_delay_seconds: Duration = 30
    """How long the old revision stays after that; the success criteria are still watched."""
    abort_scale_down_delay_seconds: Duration = 30
    """How long the new revision stays after a rollback."""
    unready_seconds: Duration = UNREADY_SECONDS
    """How long an active pod may be not ready, while others are, before it is switched back."""

    @property
    def steps(self) -> list[Step]:
        """The same as the steps of a canary, whose only weights are none and all."""
        count = self.preview_replica_count
        size = SetCanaryScale(weight=100) if count is None else SetCanaryScale(replicas=count)
        steps = [Step(set_canary_scale=size)]
        if self.pre_promotion_analysis is not None:
            steps.append(Step(analysis=self.pre_promotion_analysis))
        if self.auto_promotion_seconds > 0:
            steps.append(Step(pause=Pause(duration=self.auto_promotion_seconds)))
        elif not self.auto_promotion_enabled:
            steps.append(Step(pause=Pause()))
        steps.append(Step(set_weight=100))
        if self.post_promotion_analysis is not None:
            steps.append(Step(analysis=self.post_promotion_analysis))
        return steps


class Strategy(SpecModel):
    """Exactly one strategy."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(exactly_one("canary", "blueGreen"), one_of("canary", "blueGreen")),
            ]
        }
    )

    canary: CanaryStrategy | None = None
    blue_green: BlueGreenStrategy | None = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if (self.canary is None) == (self.blue_green is None):
            raise ValueError(one_of("canary", "blueGreen"))
        return self
