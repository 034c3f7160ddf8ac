"""What a decision rests on, as measurements of real counters give it."""

from dataclasses import replace
from datetime import timedelta

from rollouts.analysis.evidence import weigh
from rollouts.analysis.monitor import Monitor
from rollouts.controller.metrics import ControllerMetrics
from rollouts.core.facts import too_early
from rollouts.core.world import World
from rollouts.model.evidence import Evidence
from rollouts.model.status import RolloutStatus, Weights
from rollouts.model.validation import parse_rollout
from tests.fakes.kubernetes import rollout
from tests.unit.analysis.app_bench import AppBench
from tests.unit.analysis.bench import ERRORS, Bench, settle
from tests.unit.core.worlds import under_way


def evidence(bench: AppBench) -> Evidence:
    return weigh(bench.target.spec, RolloutStatus(exposed_at=bench.target.exposed_at), bench.latest)


def is_too_early(bench: AppBench) -> bool:
    """Return whether the weight may not rise yet, by what was seen at the weight of the bench."""
    scene = under_way(25)
    applied_at = bench.target.applied_at
    weights = Weights(desired=25, applied=25, applied_at=applied_at)
    world = World(bench.target.spec, scene.observed, evidence(bench), bench.clock.now())
    return too_early(world, scene.status.evolve(weights=weights)) is not None


async def scraped(bench: AppBench, seconds: float) -> None:
    bench.clock.move(seconds)
    bench.metrics.scrape(bench.clock.now())
    await settle()


async def test_the_scrape_interval_of_stable_pods_is_that_of_a_canary_that_was_scraped_once() -> (
    None
):
    bench = AppBench()
    bench.begin("stable")
    for _ in range(4):
        bench.serve("stable", 100)
        await scraped(bench, 30)
    bench.follow(exposed_at=bench.clock.now())
    await settle()
    bench.clock.move(29)
    bench.begin("canary")
    bench.follow(applied_at=bench.clock.now(), weight_percent=25)
    bench.serve("canary", 3)
    await scraped(bench, 1)  # a moment younger than the weight
    while bench.monitor.latest(bench.target.key) is None or bench.latest.at < bench.clock.now():
        bench.clock.move(1)
        await settle()
    assert evidence(bench).scrape_interval_seconds == 30.0
    assert evidence(bench).exposure.scrape_interval_seconds == 30.0
    assert is_too_early(bench)
    for _ in range(2):
        bench.serve("canary", 90)
        await scraped(bench, 30)
    assert not is_too_early(bench)
    await bench.monitor.close()


async def test_where_nobody_knows_the_scrape_interval_a_measurement_is_whole_after_our_own() -> (
    None
):
    bench = AppBench()
    bench.monitor = Monitor(
        bench.metrics.sources, bench.clock, ControllerMetrics(), lambda _: None, interval_seconds=15
    )
    bench.follow(exposed_at=bench.clock.now())
    bench.begin("canary")
    bench.follow(applied_at=bench.clock.now() + timedelta(seconds=9), weight_percent=25)
    bench.serve("canary", 3)
    await scraped(bench, 10)
    bench.clock.move(5)
    await settle()
    assert evidence(bench).exposure.scrape_interval_seconds == 0.0
    assert evidence(bench).at is not None
    assert is_too_early(bench)
    await bench.monitor.close()


async def test_a_restart_without_a_new_scrape_is_no_further_failed_measurement() -> None:
    bench = Bench({"name": "errors", "judge": "threshold", "errorRate": {"max": "5%"}})
    await bench.wait(20)
    bench.expose()
    status = RolloutStatus(exposed_at=bench.target.exposed_at)

    def failed_measurements() -> int:
        nonlocal status
        judged = weigh(bench.target.spec, status, bench.latest).criteria
        status = RolloutStatus.model_validate(status.evolve(criteria=list(judged)).model_dump())
        return judged[0].failed_measurements

    bench.serve("canary", 187)
    bench.serve("canary", 13, "500")
    await bench.wait(15)
    before = failed_measurements()
    assert before >= 1
    for _ in range(3):
        await bench.monitor.close()
        bench.clock.move(1)
        bench.monitor = bench.new_monitor()
        bench.monitor.follow(bench.target)
        await settle()
        bench.clock.move(0.2)
        await settle()
        assert failed_measurements() == before
    await bench.wait(15)
    assert failed_measurements() == before + 1
    await bench.monitor.close()


async def test_a_criterion_that_is_edited_is_not_judged_by_what_was_seen_of_the_old_one() -> None:
    fast = {"name": "slo", "latency": {"quantile": 0.5, "max": "100ms"}, "interval": "5m"}
    bench = Bench(fast | {"judge": "threshold", "failureLimit": 9}, ERRORS)
    await bench.wait(20)
    bench.expose()
    for _ in range(9):
        bench.serve("canary", 20)
        bench.slow("canary", 14, 0.4)
        bench.slow("canary", 6, 0.05)
        await bench.wait(40)
    before = weigh(
        bench.target.spec, RolloutStatus(exposed_at=bench.target.exposed_at), bench.latest
    )
    assert before.criteria[0].failed_measurements == 1
    status = RolloutStatus(exposed_at=bench.target.exposed_at, criteria=list(before.criteria))
    for edited in (
        {"name": "slo", "latency": {"quantile": 0.5, "max": "1s"}, "judge": "threshold"},
        {"name": "slo", "errorRate": {"max": "1%"}},
    ):
        criteria = [{**edited, "interval": "5m"}, ERRORS]
        spec = parse_rollout(rollout([{"setWeight": 25}], successCriteria=criteria))
        found = weigh(spec, status, bench.latest)
        assert found.at == status.started_at  # not measured
        assert found.criteria[0].message == "not measured yet"
        assert found.criteria[0].failed_measurements == 0

        bench.target = replace(bench.target, spec=spec)
        bench.monitor.follow(bench.target)
        await bench.wait(20)  # long before its interval is over
        after = weigh(spec, status.evolve(criteria=list(found.criteria)), bench.latest)
        assert after.at is not None
        assert after.criteria[0].requests > 0
        assert after.criteria[0].failed_measurements == 0
    await bench.monitor.close()


async def test_a_criterion_that_is_edited_in_what_it_tolerates_goes_on() -> None:
    bench = Bench(ERRORS)
    await bench.wait(20)
    bench.expose()
    bench.serve("canary", 50)
    await bench.wait(15)
    edited = {**ERRORS, "alpha": 0.001, "errorLimit": 9, "onInconclusive": "proceed"}
    spec = parse_rollout(rollout([{"setWeight": 25}], successCriteria=[edited]))
    found = weigh(spec, RolloutStatus(exposed_at=bench.target.exposed_at), bench.latest)
    assert found.at == bench.latest.seen_at
    assert found.criteria[0].requests == 50
    await bench.monitor.close()
