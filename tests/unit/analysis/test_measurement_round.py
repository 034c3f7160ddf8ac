"""A fault in one criterion is that criterion's: the others are measured, and the round goes on."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from rollouts.analysis import evidence, measurement, measurement_round
from rollouts.analysis.evidence import weigh
from rollouts.analysis.exposure_counters import ExposureCounters
from rollouts.analysis.monitor import Monitor
from rollouts.judge import judge
from rollouts.metrics.absent import NO_COUNTERS, NoCounterSource
from rollouts.model.evidence import Counts, Measurement
from rollouts.model.status import CriterionStatus, RolloutStatus
from rollouts.ports import MetricSources, Value
from tests.unit.analysis.harness import ERRORS, P90, QUERY, Harness


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    made = Harness(ERRORS, P90)
    made.slow("canary", 1, 0.01)
    await made.wait(20)
    made.expose()
    made.serve("canary", 10)
    made.slow("canary", 10, 0.05)
    yield made
    await made.monitor.close()


def broken(*_: Any, **__: Any) -> Measurement:
    raise ZeroDivisionError("nobody thought of it")


WHY = "this is a bug of the controller, whose log has the traceback: ZeroDivisionError: nobody thought of it"


async def test_a_fault_in_measuring_is_an_error_of_one_criterion(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measurement, "_latency", broken)
    await harness.wait(15)
    assert harness.measured("errors").canary == Counts(10, 0)
    assert harness.measured("p90").error == WHY

    monkeypatch.undo()
    await harness.wait(15)
    assert harness.measured("p90").canary == Counts(10, 0)


async def test_a_fault_in_reading_is_an_error_of_what_is_read(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = ExposureCounters.problem

    def of_buckets(self: ExposureCounters, at: Any) -> str:
        if self.metric.series.name.endswith("_bucket"):
            raise ZeroDivisionError("nobody thought of it")
        return problem(self, at)

    monkeypatch.setattr(ExposureCounters, "problem", of_buckets)
    await harness.wait(15)
    assert harness.measured("errors").error == ""
    assert harness.measured("p90").error == WHY


async def test_a_fault_of_the_round_is_said_of_every_criterion(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the release waits for a first measurement, and nobody knows why it does not come."""
    monkeypatch.setattr(measurement_round, "requests_of", broken)
    await harness.wait(15)
    assert {found.error for found in harness.latest.measurements.values()} == {WHY}
    assert harness.rounds
    monkeypatch.undo()
    await harness.wait(15)
    assert harness.measured().canary == Counts(10, 0)


async def test_faults_are_counted(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurement, "_latency", broken)
    await harness.wait(30)
    assert harness.telemetry.registry.get_sample_value("rollouts_measurement_errors_total") == 2


async def test_a_fault_in_judging_is_an_error_of_one_criterion(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await harness.wait(15)

    def judged(criterion: Any, found: Measurement, previous: Any) -> CriterionStatus:
        if criterion.name == "p90" and not found.error:
            raise ZeroDivisionError("nobody thought of it")
        return judge(criterion, found, previous)

    monkeypatch.setattr(evidence, "judge", judged)
    found = weigh(
        harness.target.spec, RolloutStatus(exposed_at=harness.latest.exposed_at), harness.latest
    )
    assert [each.verdict for each in found.criteria] == ["inconclusive", "error"]
    assert found.criteria[1].message == WHY


async def test_what_a_provider_says_of_an_empty_answer_is_in_the_message() -> None:
    harness, warning = Harness(QUERY), "PromQL info: ignored histogram in sum aggregation (1:1)"
    harness.metrics.answers['sales{hash="canaryhash",n="shop"}'] = Value(None, (warning,))
    harness.expose()
    await harness.wait(15)
    status = RolloutStatus(exposed_at=harness.latest.exposed_at)
    (found,) = weigh(harness.target.spec, status, harness.latest).criteria
    assert found.verdict == "inconclusive"
    assert found.message.startswith("no data: the query finds no series; add `or vector(0)`")
    assert found.message.endswith(f"; {warning}")
    await harness.monitor.close()


async def test_a_provider_that_only_answers_queries_measures_queries() -> None:
    """What is counted says what it lacks, and the way out; the query goes on."""
    harness = Harness(ERRORS, P90, QUERY)
    harness.metrics.answers['sales{hash="canaryhash",n="shop"}'] = 7.0
    sources = MetricSources(counters=NoCounterSource(), queries=harness.metrics)
    harness.monitor = Monitor(
        sources, harness.clock, harness.telemetry, harness.rounds.append, interval_seconds=15
    )
    harness.expose()
    await harness.wait(15)
    assert harness.measured("sales").value == 7.0
    for name in ("errors", "p90"):
        assert harness.measured(name).error == NO_COUNTERS
    status = RolloutStatus(exposed_at=harness.latest.exposed_at)
    found = weigh(harness.target.spec, status, harness.latest)
    assert [each.verdict for each in found.criteria] == ["error", "error", "pass"]
    assert "start the controller with --prometheus URL" in found.criteria[0].message
    assert found.at == harness.latest.at, "it is a round like others"
    assert harness.telemetry.registry.get_sample_value("rollouts_measurement_errors_total") == 2
    await harness.monitor.close()
