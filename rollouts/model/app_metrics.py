"""What the app calls its own metrics, once for all criteria of a Rollout."""

import re
from typing import Annotated, Self

from pydantic import Field, model_validator

from rollouts.model.base import SpecModel

_NAME = r'^[^\x00-\x20\x7f"\\]+$'
"""
What Prometheus 3 takes for a name of a metric or a label, such as http.server.request.duration, but for
spaces and what would have to be escaped. An older one takes letters, digits, _ and : only, and says so.
"""
MetricName = Annotated[str, Field(min_length=1, max_length=200, pattern=_NAME)]
LabelName = Annotated[str, Field(min_length=1, max_length=100, pattern=_NAME)]


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
            if not re.fullmatch(_NAME, label):
                raise ValueError(
                    f"exclude: {label!r} can't be the name of a label, which has no spaces, quotes and backslashes"
                )
        return self
