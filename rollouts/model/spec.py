"""The spec of a Rollout: what an app team declares, and forgets about."""

from typing import Annotated, Any, Literal, Self, TypeVar, cast

from pydantic import ConfigDict, Field, model_validator

from rollouts.model.app_metrics import AppMetrics
from rollouts.model.base import Name, SpecModel, exactly_one, one_of, rule
from rollouts.model.criteria import Criterion
from rollouts.model.kinds import STABLE, STABLE_LABEL, Kind
from rollouts.model.routers.spec import RouterSpec
from rollouts.model.strategy import BlueGreenStrategy, CanaryStrategy, Step, Strategy
from rollouts.model.traffic_routing import TrafficRouting
from rollouts.model.units import Duration

MOST_REPLICAS = 100_000
R = TypeVar("R", bound=RouterSpec)
_TEMPLATE_AND_SELECTOR = "template and selector go together: a selector names the template's pods"


class Requirement(SpecModel):
    """One requirement of a label selector."""

    key: Annotated[str, Field(max_length=316)]
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: Annotated[list[Annotated[str, Field(max_length=63)]], Field(max_length=100)] = Field(
        default_factory=list
    )


class LabelSelector(SpecModel):
    """Which pods are this Rollout's."""

    match_labels: Annotated[
        dict[str, Annotated[str, Field(max_length=63)]], Field(max_length=64)
    ] = Field(default_factory=dict)
    match_expressions: Annotated[list[Requirement], Field(max_length=100)] = Field(
        default_factory=list
    )


class WorkloadRef(SpecModel):
    """A Deployment that keeps the template, and whose pods are replaced by ours."""

    api_version: Literal["apps/v1"] = "apps/v1"
    kind: Literal["Deployment"] = "Deployment"
    name: Name
    scale_down: Literal["onSuccess", "progressively", "never"] = "onSuccess"
    """
    When its own pods go: once ours have all the traffic, one by one as ours become available,
    or never.
    """


class RollbackWindow(SpecModel):
    """How far back a revision counts as known to be good."""

    revisions: Annotated[int, Field(ge=1, le=1000)]
    """Going back to one of so many revisions before the stable one skips all steps."""


class RolloutSpec(SpecModel):
    """What to run, and how to release it."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(
                    exactly_one("template", "workloadRef"),
                    one_of("template", "workloadRef"),
                ),
                rule(
                    "has(self.template) == has(self.selector)",
                    _TEMPLATE_AND_SELECTOR,
                ),
                rule(
                    "has(self.selector) == has(oldSelf.selector) && "
                    "(!has(self.selector) || self.selector == oldSelf.selector)",
                    "selector is immutable: pods that it no longer matches would be lost; make a new Rollout instead",
                ),
            ]
        }
    )

    replicas: Annotated[int, Field(ge=0, le=MOST_REPLICAS)] = 1
    """How many pods the stable revision has."""
    selector: LabelSelector | None = None
    template: Annotated[
        dict[str, Any] | None,
        Field(json_schema_extra={"type": "object", "x-kubernetes-preserve-unknown-fields": True}),
    ] = None
    """The PodTemplateSpec; a change of it is a new revision."""
    workload_ref: WorkloadRef | None = None
    min_ready_seconds: Annotated[int, Field(ge=0, le=86_400)] = 0
    """How long a pod must have been ready to count as available."""
    revision_history_limit: Annotated[int, Field(ge=0, le=1000)] = 10
    """How many old ReplicaSets are kept, and how many records of releases that are over."""
    progress_deadline_seconds: Duration = 600
    """How long a step may wait for its pods."""
    progress_deadline_abort: bool = True
    """Roll back when the deadline has passed."""
    inconclusive_wait_seconds: Duration = 600
    """How long evidence that leans against a release, unproven, may hold it before a person is asked."""
    paused: bool = False
    """Freezes the steps; never blocks a rollback."""
    rollback_window: RollbackWindow | None = None
    revert_on_deletion: bool = False
    """With workloadRef: give everything back to the Deployment before the Rollout goes."""
    strategy: Strategy
    success_criteria: Annotated[list[Criterion], Field(max_length=32)] = Field(default_factory=list)
    app_metrics: AppMetrics = Field(default_factory=AppMetrics)
    """What the app calls its own metrics, for criteria whose source is app."""

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if (self.template is None) == (self.workload_ref is None):
            raise ValueError(one_of("template", "workloadRef"))
        if (self.template is None) != (self.selector is None):
            raise ValueError(_TEMPLATE_AND_SELECTOR)
        names = [criterion.name for criterion in self.success_criteria]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(
                    f"successCriteria has two criteria named {name!r}; give each a name of its own"
                )
        return self

    @property
    def routing(self) -> TrafficRouting | None:
        """The routers, or None for blue-green and for a canary whose pods are its weight."""
        return self.strategy.canary.traffic_routing if self.strategy.canary is not None else None

    @property
    def routers(self) -> tuple[RouterSpec, ...]:
        """What is said to each router that is named; none where none moves the traffic."""
        return self.routing.routers if self.routing is not None else ()

    def router(self, kind: type[R]) -> R | None:
        """Return what is said to one router; None when it is not named."""
        found = self.routing.by_class.get(kind) if self.routing is not None else None
        return cast("R | None", found)

    @property
    def latency_limits(self) -> tuple[float, ...]:
        """The durations, in seconds, that criteria allow at most; each once, in order."""
        limits = {each.latency.max for each in self.success_criteria if each.latency is not None}
        return tuple(sorted(limits))

    def users_objects(self, kind: Kind) -> list[str]:
        """Return the names of the user's own routing objects of a kind."""
        named = (each for router in self.routers for each in router.named())
        return [name for known, name in named if known == kind]

    @property
    def fails_without_stable(self) -> str:
        """The data plane that is all that leads to the canary, and fails all requests while stable has no ready pod."""
        return self.routers[0].fails_without_stable if len(self.routers) == 1 else ""

    @property
    def blue_green(self) -> BlueGreenStrategy | None:
        return self.strategy.blue_green

    @property
    def by_replicas(self) -> bool:
        """Whether a revision's share of the pods is its weight."""
        return self.strategy.canary is not None and self.routing is None

    @property
    def active_strategy(self) -> CanaryStrategy | BlueGreenStrategy:
        """The strategy, whichever it is."""
        found = self.strategy.canary or self.strategy.blue_green
        assert found is not None
        return found

    @property
    def labels_stable_early(self) -> bool:
        """Whether the pods of stable are to have its label before a Service asks for it."""
        metadata = self.active_strategy.stable_metadata
        return metadata is not None and metadata.labels.get(STABLE_LABEL) == STABLE

    @property
    def steps(self) -> list[Step]:
        """The steps on the way to promotion."""
        return self.active_strategy.steps

    @property
    def stable_service(self) -> str | None:
        """The Service that users' requests reach; None where the pods' share is the weight."""
        canary, blue_green = self.strategy.canary, self.strategy.blue_green
        if blue_green is not None:
            return blue_green.active_service
        if canary is None or canary.traffic_routing is None:
            return None
        return canary.stable_service

    @property
    def canary_service(self) -> str | None:
        """The Service of the new revision alone; None where there is none."""
        canary, blue_green = self.strategy.canary, self.strategy.blue_green
        if blue_green is not None:
            return blue_green.preview_service
        if canary is None or canary.traffic_routing is None:
            return None
        return canary.canary_service or f"{canary.stable_service}-canary"
