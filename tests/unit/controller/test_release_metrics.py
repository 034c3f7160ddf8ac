"""What `/metrics` says of single releases."""

from prometheus_client.parser import text_string_to_metric_families

from rollouts.ports import Delete
from tests.fakes.control_loop import KEY, ControlLoop


def series(loop: ControlLoop, family: str) -> dict[tuple[str, ...], float]:
    """Return the values of a family by its labels, in the order of their names, without whose they are."""
    page = loop.reconciler.metrics.render().decode()
    return {
        tuple(
            value
            for label, value in sorted(each.labels.items())
            if label not in ("rollout_namespace", "rollout")
        ): (each.value)
        for found in text_string_to_metric_families(page)
        for each in found.samples
        if each.name == family
    }


def shown(loop: ControlLoop) -> set[str]:
    """Return the names of the families that have series of a Rollout."""
    page = loop.reconciler.metrics.render().decode()
    return {
        each.name
        for found in text_string_to_metric_families(page)
        for each in found.samples
        if "rollout" in each.labels
    }


async def test_a_settled_and_healthy_rollout_costs_a_scrape_nothing(loop: ControlLoop) -> None:
    await loop.deployed()
    await loop.run(10)
    assert shown(loop) == set()
    assert series(loop, "rollouts_releases_total")[("Promoted",)] == 1


async def test_a_release_shows_its_weight_step_and_criteria(loop: ControlLoop) -> None:
    await loop.deployed()
    loop.release("shop:2")
    await loop.until(lambda: loop.status["weights"]["applied"] == 25)
    await loop.run(5)
    assert series(loop, "rollouts_release_phase") == {("Progressing",): 1}
    assert series(loop, "rollouts_release_weight_percent") == {("desired",): 25, ("applied",): 25}
    assert series(loop, "rollouts_release_step") == {(): loop.status["currentStepIndex"] + 1}
    assert 0 < series(loop, "rollouts_release_age_seconds")[()] < 60
    assert series(loop, "rollouts_release_canary_requests") == {("all",): 1000, ("failed",): 0}
    assert series(loop, "rollouts_release_criterion_verdict") == {("errors", "pass"): 1}
    assert series(loop, "rollouts_release_criterion_limit") == {("errors",): 0.01}
    counted = series(loop, "rollouts_release_criterion_requests")
    assert counted[("canary", "errors", "all")] == 1000
    assert 0 <= series(loop, "rollouts_release_evidence_age_seconds")[("errors",)] < 30


async def test_a_release_that_is_over_is_counted_once_by_how_it_ended(loop: ControlLoop) -> None:
    await loop.deployed()
    loop.release("shop:2")
    await loop.until(lambda: loop.status["weights"]["applied"] == 25)
    loop.monitor.failures = 300
    await loop.until(lambda: "abort" in loop.status)
    await loop.run(30)
    assert series(loop, "rollouts_release_phase") == {("Degraded",): 1}, "somebody has to see it"
    ended = series(loop, "rollouts_releases_total")
    assert (ended[("RolledBack",)], ended[("Promoted",)]) == (1, 1)
    assert series(loop, "rollouts_release_seconds_count")[("RolledBack",)] == 1
    loop.monitor.failures = 0
    loop.release("shop:3")
    await loop.until(lambda: "Promoted" in loop.reasons())
    await loop.run(60)
    assert series(loop, "rollouts_releases_total")[("Promoted",)] == 2
    assert shown(loop) == set()


async def test_a_rollout_that_is_gone_is_forgotten(loop: ControlLoop) -> None:
    await loop.deployed()
    loop.release("shop:2")
    await loop.run(5)
    assert shown(loop)
    await loop.cluster.write(Delete(KEY.ref, loop.rollout["metadata"]["uid"]))
    await loop.reconciler.reconcile(KEY)
    assert shown(loop) == set()
