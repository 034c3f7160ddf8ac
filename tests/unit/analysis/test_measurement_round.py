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
from tests.unit.analysis.bench import ERRORS, P90, QUERY, Bench


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench(ERRORS, P90)
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
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measurement, "_latency", broken)
    await bench.wait(15)
    assert bench.measured("errors").canary == Counts(10, 0)
    assert bench.measured("p90").error == WHY

    monkeypatch.undo()
    await bench.wait(15)
    assert bench.measured("p90").canary == Counts(10, 0)


async def test_a_fault_in_reading_is_an_error_of_what_is_read(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = ExposureCounters.problem

    def of_buckets(self: ExposureCounters, at: Any) -> str:
        if self.metric.question.name.endswith("_bucket"):
            raise ZeroDivisionError("nobody thought of it")
        return problem(self, at)

    monkeypatch.setattr(ExposureCounters, "problem", of_buckets)
    await bench.wait(15)
    assert bench.measured("errors").error == ""
    assert bench.measured("p90").error == WHY


async def test_a_fault_of_the_round_is_said_of_every_criterion(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the release waits for a first measurement, and nobody knows why it does not come."""
    monkeypatch.setattr(measurement_round, "requests_of", broken)
    await bench.wait(15)
    assert {found.error for found in bench.latest.measurements.values()} == {WHY}
    assert bench.rounds
    monkeypatch.undo()
    await bench.wait(15)
    assert bench.measured().canary == Counts(10, 0)


async def test_faults_are_counted(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurement, "_latency", broken)
    await bench.wait(30)
    assert bench.telemetry.registry.get_sample_value("rollouts_measurement_errors_total") == 2


async def test_a_fault_in_judging_is_an_error_of_one_criterion(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.wait(15)

    def judged(criterion: Any, found: Measurement, previous: Any) -> CriterionStatus:
        if criterion.name == "p90" and not found.error:
            raise ZeroDivisionError("nobody thought of it")
        return judge(criterion, found, previous)

    monkeypatch.setattr(evidence, "judge", judged)
    found = weigh(
        bench.target.spec, RolloutStatus(exposed_at=bench.latest.exposed_at), bench.latest
    )
    assert [each.verdict for each in found.criteria] == ["inconclusive", "error"]
    assert found.criteria[1].message == WHY


async def test_what_a_provider_says_of_an_empty_answer_is_in_the_message() -> None:
    bench, warning = Bench(QUERY), "PromQL info: ignored histogram in sum aggregation (1:1)"
    bench.metrics.answers['sales{hash="canaryhash",n="shop"}'] = Value(None, (warning,))
    bench.expose()
    await bench.wait(15)
    status = RolloutStatus(exposed_at=bench.latest.exposed_at)
    (found,) = weigh(bench.target.spec, status, bench.latest).criteria
    assert (found.verdict, found.message) == ("inconclusive", f"no data; {warning}")
    await bench.monitor.close()


async def test_a_provider_that_only_answers_queries_measures_queries() -> None:
    """What is counted says what it lacks, and the way out; the query goes on."""
    bench = Bench(ERRORS, P90, QUERY)
    bench.metrics.answers['sales{hash="canaryhash",n="shop"}'] = 7.0
    sources = MetricSources(counters=NoCounterSource(), queries=bench.metrics)
    bench.monitor = Monitor(
        sources, bench.clock, bench.telemetry, bench.rounds.append, interval_seconds=15
    )
    bench.expose()
    await bench.wait(15)
    assert bench.measured("sales").value == 7.0
    for name in ("errors", "p90"):
        assert bench.measured(name).error == NO_COUNTERS
    status = RolloutStatus(exposed_at=bench.latest.exposed_at)
    found = weigh(bench.target.spec, status, bench.latest)
    assert [each.verdict for each in found.criteria] == ["error", "error", "pass"]
    assert "start the controller with --prometheus URL" in found.criteria[0].message
    assert found.at == bench.latest.at, "it is a round like others"
    assert bench.telemetry.registry.get_sample_value("rollouts_measurement_errors_total") == 2
    await bench.monitor.close()
