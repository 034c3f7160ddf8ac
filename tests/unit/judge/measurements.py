"""Criteria and measurements of them, in the few words that a test of a judge needs."""

from datetime import UTC, datetime, timedelta
from typing import Any

from rollouts.judge import judge
from rollouts.model.criteria import Criterion
from rollouts.model.evidence import Counts, Measurement
from rollouts.model.status import CriterionStatus

START = datetime(2030, 1, 1, tzinfo=UTC)


def error_rate(most: str | float = "1%", **settings: Any) -> Criterion:
    return Criterion.model_validate({"name": "errors", "errorRate": {"max": most}, **settings})


def latency(quantile: float = 0.99, most: str = "500ms", **settings: Any) -> Criterion:
    limit = {"quantile": quantile, "max": most}
    return Criterion.model_validate({"name": "p99", "latency": limit, **settings})


def query(**settings: Any) -> Criterion:
    limits = {key: settings.pop(key) for key in ("min", "max") if key in settings}
    return Criterion.model_validate({"name": "q", "query": {"promql": "up", **limits}, **settings})


def measured(requests: int = 0, failures: int = 0, second: float = 0, **facts: Any) -> Measurement:
    value = failures / requests if requests else None
    at = START + timedelta(seconds=second)
    return Measurement(**{"at": at, "canary": Counts(requests, failures), "value": value, **facts})


def verdicts(criterion: Criterion, *measurements: Measurement) -> list[str]:
    """Return the verdict after each measurement, each remembering the one before."""
    return [status.verdict for status in judged(criterion, *measurements)]


def judged(criterion: Criterion, *measurements: Measurement) -> list[CriterionStatus]:
    """Return what is remembered after each measurement."""
    found: list[CriterionStatus] = []
    for measurement in measurements:
        found.append(judge(criterion, measurement, found[-1] if found else None))
    return found
