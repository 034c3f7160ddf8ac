"""From a round of measurements to what a decision rests on."""

import structlog

from rollouts.analysis.measurement import bug_of
from rollouts.judge import judge
from rollouts.model.criteria import Criterion
from rollouts.model.evidence import DirectMeasurement, Evidence, Measurement, MeasurementRound
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import CriterionStatus, Exposure, RolloutStatus

log = structlog.get_logger(__name__)


def weigh(spec: RolloutSpec, status: RolloutStatus, latest: MeasurementRound | None) -> Evidence:
    """
    Return the verdicts of the success criteria, in the order of the spec.

    A round that belongs to another attempt is no evidence. `at` is the oldest of the
    measurements, and of the scrape that they rest on: what counts is since when all
    criteria have been measured. One that was edited since, though its name is the same, has not been,
    and nothing is remembered of what it was.
    """
    if latest is None or latest.exposed_at != status.exposed_at:
        return Evidence()
    known = {criterion.name: criterion for criterion in status.criteria}
    judged: list[CriterionStatus] = []
    moments = [latest.at, latest.seen_at or latest.at]
    complete = True
    for criterion in spec.success_criteria:
        measurement = latest.measurements.get(criterion.name)
        previous = known.get(criterion.name)
        seen = latest.criteria.get(criterion.name, criterion)
        if not seen.is_judged_as(criterion):
            measurement = previous = None
        direct = latest.direct_measurements.get(criterion.name)
        if measurement is None:  # new in the spec since the round
            complete = False
            judged.append(
                with_direct_measurement(previous or _unmeasured(criterion.name), criterion, direct)
            )
            continue
        judged.append(
            with_direct_measurement(_judged(criterion, measurement, previous), criterion, direct)
        )
        moments.append(measurement.at)
    return Evidence(
        at=min(moments) if complete else status.started_at,
        criteria=tuple(judged),
        exposure=_exposure(status, latest),
        served_percent=latest.served_percent,
        scrape_interval_seconds=latest.scrape_interval_seconds or latest.interval_seconds,
    )


def _exposure(status: RolloutStatus, latest: MeasurementRound) -> Exposure:
    readings = latest.readings if latest.readings.of_pods or latest.readings.message else None
    if not latest.is_scraped:
        known = round(latest.scrape_interval_seconds, 1) or status.exposure.scrape_interval_seconds
        return status.exposure.evolve(readings=readings, scrape_interval_seconds=known)
    return Exposure(
        canary_requests=latest.canary.requests,
        canary_failures=latest.canary.failures,
        scrape_interval_seconds=round(latest.scrape_interval_seconds, 1),
        readings=readings,
    )


def with_direct_measurement(
    scraped: CriterionStatus, criterion: Criterion, direct: DirectMeasurement | None
) -> CriterionStatus:
    """
    Return the verdict by what was scraped, or a worse one by what the pods show themselves since.

    They may prove a release bad, and lean against it. For it they say nothing.
    """
    if direct is None or scraped.verdict == "fail":
        return scraped
    if not direct.criterion.is_judged_as(criterion):
        return scraped
    read = _judged(criterion, direct.measurement, None)
    if read.verdict == "fail":
        return read
    if not read.leans or scraped.verdict == "error":
        return scraped
    return scraped.evolve(
        verdict="inconclusive", leans=True, needed=read.needed, message=read.message
    )


def _judged(
    criterion: Criterion, measurement: Measurement, previous: CriterionStatus | None
) -> CriterionStatus:
    """Return the verdict; that there can be none is an error of this criterion alone."""
    try:
        return judge(criterion, measurement, previous)
    except Exception as error:
        log.exception("criterion not judged", criterion=criterion.name)
        return judge(criterion, Measurement(at=measurement.at, error=bug_of(error)), previous)


def _unmeasured(name: str) -> CriterionStatus:
    return CriterionStatus(
        name=name, verdict="inconclusive", message="it has not been measured yet"
    )
