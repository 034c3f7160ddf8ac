"""What Prometheus can't say is never a pass and never a fail, and what it forgets is not lost."""

import asyncio
from functools import partial

import pytest

from rollouts.model.kinds import JSON, ROLLOUT
from rollouts.sandbox.dataplane.nginx_plane import NginxPlane
from tests.sandbox.releases import manifests
from tests.sandbox.releases.prometheus_proxy import Fault, event, slow
from tests.sandbox.releases.release import Release
from tests.sandbox.releases.sandbox import ReleaseSandbox
from tests.sandbox.releases.scenarios import Running, Scenario, name_of

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

ANALYSED: list[JSON] = [{"setWeight": 50}, {"analysis": {"duration": "2s"}}]
OUTAGE_SECONDS = 30
# The pause is over by the clock in the outage, and not before it, however slow the machine is.
SLOWER: list[JSON] = [{"setWeight": 25}, {"pause": {"duration": "20s"}}, {"setWeight": 50}]


def query(promql: str, **fields: object) -> JSON:
    return {"name": "asked", "query": {"promql": promql, "min": 0.5}, **fields}


async def an_expression_that_is_wrong_holds_the_weight_until_it_is_corrected(
    release: Release,
) -> None:
    await release.deploys(manifests.FOUR_STEPS, successCriteria=[query("sum(", errorLimit=1)])
    async with release.traffic() as load:
        release.updates_to("2")
        await release.until(lambda: release.paused_for == "MetricsUnavailable")
        said = release.criterion("asked")
        assert said["verdict"] == "error"
        assert "refuses the query" in said["message"]
        assert said["message"] in release.message
        await release.until(lambda: release.events("MetricsUnavailable"), "the event")
        assert release.weight == 25
        assert "abort" not in release.status
        assert release.condition("Paused")["reason"] == "MetricsUnavailable"

        release.edits(ROLLOUT, manifests.NAME, {"spec": {"successCriteria": [query("vector(1)")]}})
        await release.is_promoted()
    assert load.report().lost_reasons == {}


async def nothing_and_nan_are_no_data(release: Release) -> None:
    empty = query('absent_metric{namespace="{{ namespace }}",revision="{{ canary.hash }}"}')
    nan = {**query("vector(0) / vector(0)"), "name": "nan"}
    await release.deploys(ANALYSED, successCriteria=[empty, nan])
    release.updates_to("2")
    await release.until(lambda: release.paused_for == "Inconclusive")
    for name in ("asked", "nan"):
        assert release.criterion(name)["verdict"] == "inconclusive"
        assert release.criterion(name)["message"].startswith("no data: the query ")
        assert release.criterion(name).get("value") is None
    await release.until(lambda: release.events("Inconclusive"), "the event")
    assert release.weight == 50
    assert "abort" not in release.status

    with_data = {**empty, "query": {"promql": "vector(1)", "min": 0.5}}
    patch = {"spec": {"successCriteria": [with_data, {**nan, "onInconclusive": "proceed"}]}}
    release.edits(ROLLOUT, manifests.NAME, patch)
    await release.is_promoted()


async def a_value_beyond_its_limit_fails_after_three_measurements(release: Release) -> None:
    await release.deploys(manifests.UNTIL_PROMOTED, successCriteria=[query("vector(0.4)")])
    release.updates_to("2")
    reason = await release.is_rolled_back()
    assert (
        reason == "asked: 0.4 is below 0.5; 3 failed measurements in a row, and failureLimit is 2"
    )


async def errors_that_stable_has_as_well_are_compared(release: Release) -> None:
    beside = {"name": "beside", "errorRate": {"maxRatioToStable": 2}}
    flawed = manifests.template("1", ERROR_RATE="5%")
    await release.deploys(manifests.UNTIL_PROMOTED, template=flawed, successCriteria=[beside])
    async with release.traffic(40) as load:
        release.updates_to("2", ERROR_RATE="70%")
        reason = await release.is_rolled_back()
    assert reason.startswith("beside: ")
    assert "2 times may (odds against it" in reason
    assert release.criterion("beside")["value"] > 2
    assert load.report().lost_reasons == {}


def forget_counters(release: Release) -> None:
    """Let the exporter count a release's requests from zero, as when ingress-nginx is restarted."""
    data_plane = release.sandbox.data_plane
    assert isinstance(data_plane, NginxPlane)
    metrics = data_plane.metrics
    for labels in [each for each in metrics._requests if release.namespace in each]:
        del metrics._requests[labels]
        for durations in metrics._durations.values():
            durations.pop(labels, None)


async def counters_that_begin_anew_lose_nothing_and_count_nothing_twice(release: Release) -> None:
    await release.deploys(manifests.UNTIL_PROMOTED)
    async with release.traffic() as load:
        release.updates_to("2")
        await release.until(lambda: release.criterion("errors").get("requests", 0) >= 20)
        forget_counters(release)
        await release.serves(load, 120)
        release.commands("promote")
        await release.until(lambda: release.weight == 100)
        before = load.report().versions["2"].responses
        await release.is_promoted()
    counted = release.status["exposure"]
    assert counted["canaryFailures"] == 0
    # What came between the last scrape and the reset is nobody's to know.
    assert before - 80 < counted["canaryRequests"] <= load.report().versions["2"].responses
    assert load.report().lost_reasons == {}


async def failures_after_a_reset_are_found(release: Release) -> None:
    await release.deploys(manifests.UNTIL_PROMOTED)
    async with release.traffic(10) as load:
        release.updates_to("2", ERROR_RATE="30%")
        await release.answers(load, "2")
        forget_counters(release)
        assert (await release.is_rolled_back()).startswith("errors: ")
    assert load.report().lost_reasons == {}


async def a_slow_prometheus_is_waited_for(release: Release) -> None:
    await release.deploys(manifests.FOUR_STEPS)
    async with release.traffic() as load:
        release.sandbox.prometheus_proxy.fault(release.namespace, slow(1.5))
        release.updates_to("2")
        await release.is_promoted()
    assert load.report().lost_reasons == {}
    assert release.events("MetricsUnavailable") == []


async def one_that_is_too_slow_is_an_error(release: Release) -> None:
    await is_held_by(release, slow(20), "no answer within 5s")


async def one_that_talks_nonsense_is_an_error(release: Release) -> None:
    await is_held_by(release, event("<html>maintenance</html>"), "something that is not JSON")


async def is_held_by(release: Release, fault: Fault, words: str) -> None:
    """See that the weight is held for this reason while it lasts, and goes on after."""
    criteria = [{**manifests.ERRORS, "errorLimit": 0}]
    await release.deploys(manifests.FOUR_STEPS, successCriteria=criteria)
    async with release.traffic() as load:
        release.sandbox.prometheus_proxy.fault(release.namespace, fault)
        release.updates_to("2")
        await release.is_at(25)
        await release.until(partial(is_said, release, words), words)
        assert release.criterion("errors")["verdict"] == "error"
        assert release.paused_for == "MetricsUnavailable"
        assert release.weight == 25
        release.sandbox.prometheus_proxy.fault(release.namespace, None)
        await release.is_promoted()
    assert load.report().lost_reasons == {}
    assert "abort" not in release.status


async def prometheus_stopped_for_half_a_minute(sandbox: ReleaseSandbox) -> None:
    """
    The good one is held and promoted after; the bad one failed meanwhile, and is caught after.

    Whether Prometheus has scraped either before it goes is left to chance: what it can't count is
    waited for.
    """
    good, bad = sandbox.release("good"), sandbox.release("bad")
    await asyncio.gather(good.deploys(SLOWER), bad.deploys(SLOWER))
    async with good.traffic() as load, bad.traffic() as bad_load:
        good.updates_to("2")
        await good.is_at(25)
        await sandbox.stop_prometheus()
        stopped_at = asyncio.get_running_loop().time()
        bad.updates_to("2", ERROR_RATE="15%")
        for release in (good, bad):
            await release.until(partial(is_said, release, "can't be reached"))
            assert release.paused_for == "MetricsUnavailable"
            assert release.criterion("errors")["verdict"] == "error"
            assert release.weight == 25
        over = stopped_at + OUTAGE_SECONDS
        while (left := over - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(min(left, 1))  # the outage has to last
            assert (good.weight, bad.weight) == (25, 25)
        await sandbox.start_prometheus()
        reason = await bad.is_rolled_back()
        await good.is_promoted()
    assert reason.startswith("errors: ")
    assert bad_load.report().versions["1"].failed == 0
    assert load.report().failed == 0
    assert load.report().lost_reasons == bad_load.report().lost_reasons == {}


def is_said(release: Release, words: str) -> bool:
    """Return whether the criterion can't be measured, for this reason, and the release waits for it."""
    return words in release.criterion("errors").get("message", "") and bool(release.paused_for)


@pytest.mark.parametrize(
    "scenario",
    [
        an_expression_that_is_wrong_holds_the_weight_until_it_is_corrected,
        nothing_and_nan_are_no_data,
        a_value_beyond_its_limit_fails_after_three_measurements,
        errors_that_stable_has_as_well_are_compared,
        counters_that_begin_anew_lose_nothing_and_count_nothing_twice,
        failures_after_a_reset_are_found,
        a_slow_prometheus_is_waited_for,
        one_that_is_too_slow_is_an_error,
        one_that_talks_nonsense_is_an_error,
        prometheus_stopped_for_half_a_minute,
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
