"""What a decision rests on, as measurements of real counters give it."""

from dataclasses import replace
from datetime import timedelta

from rollouts.analysis.evidence import weigh
from rollouts.analysis.monitor import Monitor
from rollouts.controller.metrics import ControllerMetrics
from rollouts.core.facts import sample_too_small
from rollouts.core.world import World
from rollouts.model.evidence import Evidence
from rollouts.model.status import RolloutStatus, Weights
from rollouts.model.validation import parse_rollout
from tests.fakes.kubernetes import rollout
from tests.unit.analysis.app_harness import AppHarness
from tests.unit.analysis.harness import ERRORS, Harness, settle
from tests.unit.core.worlds import under_way


def evidence(harness: AppHarness) -> Evidence:
    return weigh(
        harness.target.spec, RolloutStatus(exposed_at=harness.target.exposed_at), harness.latest
    )


def is_too_early(harness: AppHarness) -> bool:
    """Return whether the weight may not rise yet, by what was seen at the weight of the bench."""
    scene = under_way(25)
    applied_at = harness.target.applied_at
    weights = Weights(desired=25, applied=25, applied_at=applied_at)
    world = World(harness.target.spec, scene.observed, evidence(harness), harness.clock.now())
    return sample_too_small(world, scene.status.evolve(weights=weights)) is not None


async def scraped(harness: AppHarness, seconds: float) -> None:
    harness.clock.move(seconds)
    harness.metrics.scrape(harness.clock.now())
    await settle()


async def test_the_scrape_interval_of_stable_pods_is_that_of_a_canary_that_was_scraped_once() -> (
    None
):
    harness = AppHarness()
    harness.begin("stable")
    for _ in range(4):
        harness.serve("stable", 100)
        await scraped(harness, 30)
    harness.follow(exposed_at=harness.clock.now())
    await settle()
    harness.clock.move(29)
    harness.begin("canary")
    harness.follow(applied_at=harness.clock.now(), weight_percent=25)
    harness.serve("canary", 3)
    await scraped(harness, 1)  # a moment younger than the weight
    while (
        harness.monitor.latest(harness.target.key) is None
        or harness.latest.at < harness.clock.now()
    ):
        harness.clock.move(1)
        await settle()
    assert evidence(harness).scrape_interval_seconds == 30.0
    assert evidence(harness).exposure.scrape_interval_seconds == 30.0
    assert is_too_early(harness)
    for _ in range(2):
        harness.serve("canary", 90)
        await scraped(harness, 30)
    assert not is_too_early(harness)
    await harness.monitor.close()


async def test_where_nobody_knows_the_scrape_interval_a_measurement_is_whole_after_our_own() -> (
    None
):
    harness = AppHarness()
    harness.monitor = Monitor(
        harness.metrics.sources,
        harness.clock,
        ControllerMetrics(),
        lambda _: None,
        interval_seconds=15,
    )
    harness.follow(exposed_at=harness.clock.now())
    harness.begin("canary")
    harness.follow(applied_at=harness.clock.now() + timedelta(seconds=9), weight_percent=25)
    harness.serve("canary", 3)
    await scraped(harness, 10)
    harness.clock.move(5)
    await settle()
    assert evidence(harness).exposure.scrape_interval_seconds == 0.0
    assert evidence(harness).at is not None
    assert is_too_early(harness)
    await harness.monitor.close()


async def test_a_restart_without_a_new_scrape_is_no_further_failed_measurement() -> None:
    harness = Harness({"name": "errors", "judge": "threshold", "errorRate": {"max": "5%"}})
    await harness.wait(20)
    harness.expose()
    status = RolloutStatus(exposed_at=harness.target.exposed_at)

    def failed_measurements() -> int:
        nonlocal status
        judged = weigh(harness.target.spec, status, harness.latest).criteria
        status = RolloutStatus.model_validate(status.evolve(criteria=list(judged)).model_dump())
        return judged[0].failed_measurements

    harness.serve("canary", 187)
    harness.serve("canary", 13, "500")
    await harness.wait(15)
    before = failed_measurements()
    assert before >= 1
    for _ in range(3):
        await harness.monitor.close()
        harness.clock.move(1)
        harness.monitor = harness.new_monitor()
        harness.monitor.follow(harness.target)
        await settle()
        harness.clock.move(0.2)
        await settle()
        assert failed_measurements() == before
    await harness.wait(15)
    assert failed_measurements() == before + 1
    await harness.monitor.close()


async def test_a_criterion_that_is_edited_is_not_judged_by_what_was_seen_of_the_old_one() -> None:
    fast = {"name": "slo", "latency": {"quantile": 0.5, "max": "100ms"}, "interval": "5m"}
    harness = Harness(fast | {"judge": "threshold", "failureLimit": 9}, ERRORS)
    await harness.wait(20)
    harness.expose()
    for _ in range(9):
        harness.serve("canary", 20)
        harness.slow("canary", 14, 0.4)
        harness.slow("canary", 6, 0.05)
        await harness.wait(40)
    before = weigh(
        harness.target.spec, RolloutStatus(exposed_at=harness.target.exposed_at), harness.latest
    )
    assert before.criteria[0].failed_measurements == 1
    status = RolloutStatus(exposed_at=harness.target.exposed_at, criteria=list(before.criteria))
    for edited in (
        {"name": "slo", "latency": {"quantile": 0.5, "max": "1s"}, "judge": "threshold"},
        {"name": "slo", "errorRate": {"max": "1%"}},
    ):
        criteria = [{**edited, "interval": "5m"}, ERRORS]
        spec = parse_rollout(rollout([{"setWeight": 25}], successCriteria=criteria))
        found = weigh(spec, status, harness.latest)
        assert found.at == status.started_at  # not measured
        assert found.criteria[0].message == "it has not been measured yet"
        assert found.criteria[0].failed_measurements == 0

        harness.target = replace(harness.target, spec=spec)
        harness.monitor.follow(harness.target)
        await harness.wait(20)  # long before its interval is over
        after = weigh(spec, status.evolve(criteria=list(found.criteria)), harness.latest)
        assert after.at is not None
        assert after.criteria[0].requests > 0
        assert after.criteria[0].failed_measurements == 0
    await harness.monitor.close()


async def test_a_criterion_that_is_edited_in_what_it_tolerates_goes_on() -> None:
    harness = Harness(ERRORS)
    await harness.wait(20)
    harness.expose()
    harness.serve("canary", 50)
    await harness.wait(15)
    edited = {**ERRORS, "alpha": 0.001, "errorLimit": 9, "onInconclusive": "proceed"}
    spec = parse_rollout(rollout([{"setWeight": 25}], successCriteria=[edited]))
    found = weigh(spec, RolloutStatus(exposed_at=harness.target.exposed_at), harness.latest)
    assert found.at == harness.latest.seen_at
    assert found.criteria[0].requests == 50
    await harness.monitor.close()
