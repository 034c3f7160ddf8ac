"""Where pods run and what they are called, by the role of their revision."""

from typing import Annotated

from pydantic import Field

from rollouts.model.base import SpecModel

LabelValue = Annotated[str, Field(max_length=63)]


class PodMetadata(SpecModel):
    """Labels and annotations that pods have for as long as their revision has the role."""

    labels: Annotated[dict[str, LabelValue], Field(max_length=32)] = Field(default_factory=dict)
    annotations: Annotated[dict[str, str], Field(max_length=32)] = Field(default_factory=dict)


class RequiredAntiAffinity(SpecModel):
    """Pods of two revisions never share a node."""


class PreferredAntiAffinity(SpecModel):
    """Pods of two revisions rather do not share a node."""

    weight: Annotated[int, Field(ge=1, le=100)] = 100
    """How much the scheduler minds, 1 to 100."""


class AntiAffinity(SpecModel):
    """Keep a new revision's pods off the nodes of the others'."""

    required_during_scheduling_ignored_during_execution: RequiredAntiAffinity | None = None
    preferred_during_scheduling_ignored_during_execution: PreferredAntiAffinity | None = None
