"""Success criteria: what a release has to be, in the user's words."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from rollouts.model.base import SpecModel, exactly_one, one_of, rule
from rollouts.model.units import Duration, ErrorLimit, LatencyLimit

Source = Literal["ingress", "app"]
_WINDOW_SECONDS = 60.0
_QUERY_HAS_NO_SOURCE = "a query names its metrics itself; leave source out"


class ErrorRate(SpecModel):
    """The fraction of requests that the server answered with 5xx; one limit of the two."""

    # No rule of the CRD says so: CEL has no fields whose type is open, such as an ErrorLimit's.
    max: ErrorLimit | None = None
    """The most that may fail, such as 1%."""
    max_ratio_to_stable: Annotated[float, Field(gt=0, le=1000)] | None = None
    """The most times worse than stable at the same time, such as 1.5; needs source ingress."""

    @model_validator(mode="after")
    def _has_one_limit(self) -> Self:
        if (self.max is None) == (self.max_ratio_to_stable is None):
            raise ValueError(
                "set exactly one of max (such as 1%) and maxRatioToStable (such as 1.5); make two"
                " criteria for both"
            )
        return self


class Latency(SpecModel):
    """How long requests take, as one quantile of them."""

    quantile: Annotated[float, Field(gt=0, lt=1)]
    """Which quantile, such as 0.99."""
    max: LatencyLimit
    """The longest that the quantile may be, with its unit, such as 500ms."""


class Query(SpecModel):
    """Any PromQL that yields one number; `{{ canary.hash }}` and the like are filled in."""

    promql: Annotated[str, Field(min_length=1, max_length=8192)]
    """
    The expression. Variables: rollout, namespace, canary.hash, canary.revision, canary.service,
    stable.hash, stable.revision, stable.service.
    """
    min: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """The least that is good."""
    max: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """The most that is good."""

    @model_validator(mode="after")
    def _has_a_limit(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("needs min, max or both: without a limit it judges nothing")
        return self


class Criterion(SpecModel):
    """One thing that must hold from the first canary request to the last step."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(
                    exactly_one("errorRate", "latency", "query"),
                    one_of("errorRate", "latency", "query"),
                ),
                rule(
                    "!has(self.query) || !has(self.source)",
                    _QUERY_HAS_NO_SOURCE,
                ),
            ]
        }
    )

    name: Annotated[str, Field(min_length=1, max_length=63)]
    """What to call it in status, events and the live view; unique in the list."""
    error_rate: ErrorRate | None = None
    latency: Latency | None = None
    query: Query | None = None
    source: Source | None = None
    """
    Whose counters: ingress, those of the router, where it counts the requests of both revisions;
    or app, those of the app's own pods (spec.appMetrics). By default ingress where such a router is
    the only one, else app.
    """
    interval: Duration | None = None
    """How often to measure a query, and at most what is counted; by default the controller's --interval, and after each scrape."""
    judge: Literal["sequential", "threshold"] | None = None
    """
    sequential (the default for errorRate and latency) may judge after every scrape and
    still stops a good release with probability alpha at most, over the whole rollout;
    threshold (the default for query) compares the value of each measurement with the limit.
    """
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """sequential: the probability of ever stopping a release that meets the criterion."""
    failure_limit: Annotated[int, Field(ge=0, le=1000)] = 2
    """threshold: how many failed measurements are tolerated; one more is a failure."""
    consecutive: bool = True
    """threshold: count failed measurements only in a row."""
    window: Duration | None = None
    """
    threshold on errorRate or latency: the value is of the requests in this last time (default
    1m), or of the last minRequests if these took longer.
    """
    min_requests: Annotated[int, Field(ge=1, le=1_000_000_000)] = 100
    """threshold on errorRate or latency: fewer canary requests can lean against a release, and no more."""
    error_limit: Annotated[int, Field(ge=0, le=1000)] = 4
    """How many measurements in a row may go without an answer before the release is paused."""
    on_inconclusive: Literal["proceed", "pause", "rollback"] = "pause"
    """What an analysis step does when its time is up and this criterion can't say yet."""

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if sum(part is not None for part in (self.error_rate, self.latency, self.query)) != 1:
            raise ValueError(one_of("errorRate", "latency", "query"))
        if self.query is not None and self.source is not None:
            raise ValueError(_QUERY_HAS_NO_SOURCE)
        if self.window is not None and (self.query is not None or self.judge != "threshold"):
            raise ValueError(
                "window is for judge: threshold on errorRate or latency; set that judge, or leave it out"
            )
        if self.window == 0:
            raise ValueError("window must be longer than 0s: the value is measured over it")
        if self.query is not None and self.judge == "sequential":
            raise ValueError(
                "a query has no request counts, so its judge is threshold; set that, or leave judge out"
            )
        if (
            self.judge == "threshold"
            and self.error_rate is not None
            and self.error_rate.max is None
        ):
            raise ValueError("maxRatioToStable is judged by sequential only; leave judge out")
        return self

    def is_judged_as(self, other: Self) -> bool:
        """Return whether it measures what `other` does, and has the same limit: what was seen is of both."""
        return all(
            getattr(self, name) == getattr(other, name)
            for name in ("error_rate", "latency", "query", "source", "judged_by", "window_seconds")
        )

    @property
    def judged_by(self) -> Literal["sequential", "threshold"]:
        """The judge that applies."""
        if self.judge is not None:
            return self.judge
        return "threshold" if self.query is not None else "sequential"

    @property
    def window_seconds(self) -> float | None:
        """Of which last time the value is; None: of all requests, or it is a query's matter."""
        if self.query is not None or self.judged_by != "threshold":
            return None
        return _WINDOW_SECONDS if self.window is None else self.window
