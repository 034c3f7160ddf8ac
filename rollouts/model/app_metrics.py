"""What the app calls its own metrics, once for all criteria of a Rollout."""

import re
from typing import Annotated, Self

from pydantic import Field, model_validator

from rollouts.model.base import SpecModel

MetricName = Annotated[
    str, Field(min_length=1, max_length=200, pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")
]
LabelName = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")]
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)


class AppMetrics(SpecModel):
    """The app's own metrics, as its pods export them."""

    requests: MetricName = "http_requests_total"
    """The counter of requests that were answered, or the `_count` of a histogram."""
    code_label: LabelName = "code"
    """Its label with the status code; what begins with 5 is a failure."""
    durations: MetricName = "http_request_duration_seconds"
    """The histogram of how long requests took, in seconds; without `_bucket`."""
    namespace_label: LabelName = "namespace"
    """The label with the pod's namespace, as Prometheus sets it."""
    pod_label: LabelName = "pod"
    """The label with the pod's name, as Prometheus sets it."""
    exclude: Annotated[
        dict[str, Annotated[list[Annotated[str, Field(max_length=256)]], Field(max_length=32)]],
        Field(max_length=8),
    ] = Field(default_factory=dict)
    """What is no user's request, by label and its values, such as {path: [/healthz, /ready]}."""

    @model_validator(mode="after")
    def _excludes_by_labels(self) -> Self:
        for label in self.exclude:
            if not _LABEL.fullmatch(label):
                raise ValueError(
                    f"exclude: {label!r} can't be the name of a label, which has letters, digits and _"
                )
        return self
