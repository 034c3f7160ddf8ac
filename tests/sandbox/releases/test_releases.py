"""Releases as they should go: promoted when good, rolled back when bad, and never a lost request."""

import pytest

from rollouts.model.kinds import JSON
from rollouts.sandbox.load import LoadReport
from tests.sandbox.releases import manifests
from tests.sandbox.releases.release import Release
from tests.sandbox.releases.scenarios import Running, Scenario, name_of

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

TWO_WEIGHTS: list[JSON] = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {}}]


def share_of(version: str, before: LoadReport, after: LoadReport) -> float:
    """Return the percentage of the answers between two reports that a version gave."""
    counts = {
        name: count.responses - (before.versions[name].responses if name in before.versions else 0)
        for name, count in after.versions.items()
    }
    return 100 * counts.get(version, 0) / sum(counts.values())


async def is_measured(release: Release, weight: int) -> None:
    """Wait until status says that the canary is served this share, nearly."""
    near = pytest.approx(weight, abs=15)
    await release.until(lambda: release.status["weights"].get("served", -1) == near, "as served")


async def a_good_release_gets_the_traffic_that_is_configured_and_is_promoted(
    release: Release,
) -> None:
    await release.deploys(TWO_WEIGHTS)
    async with release.traffic(50) as load:
        release.updates_to("2")
        for weight in (20, 60):
            await release.is_at(weight)
            before = load.report()
            await release.serves(load, 260)
            assert share_of("2", before, load.report()) == pytest.approx(weight, abs=12)
            await is_measured(release, weight)
            release.commands("promote")
        await release.is_promoted()
    assert load.report().lost_reasons == {}
    assert load.report().failed == 0
    await release.until(lambda: release.events("Promoted"), "the event")
    assert release.criterion("errors")["failures"] == 0


async def a_bad_release_is_rolled_back(release: Release) -> None:
    await release.deploys([{"setWeight": 25}, {"pause": {"duration": "60s"}}])
    async with release.traffic(50) as load:
        release.updates_to("2", ERROR_RATE="8%")
        reason = await release.is_rolled_back()
    report = load.report()
    assert reason.startswith("errors: ")
    assert release.status["abort"]["by"] == "rollouts"
    await release.until(lambda: release.events("RolledBack"), "the event")
    assert release.phase == "Degraded"
    assert release.stable == 1
    assert report.lost_reasons == {}
    assert report.versions["1"].failed == 0


async def a_newer_template_takes_over_in_the_middle(release: Release) -> None:
    await release.deploys(manifests.UNTIL_PROMOTED)
    async with release.traffic() as load:
        release.updates_to("2")
        await release.answers(load, "2")
        superseded = release.status["currentRevision"]["hash"]
        release.has_steps(manifests.FOUR_STEPS)
        release.updates_to("3")
        await release.is_promoted(3)
    assert load.report().lost_reasons == {}
    assert not any(superseded in pod["metadata"]["name"] for pod in release.pods())
    assert set(load.report().versions) == {"1", "2", "3"}
    assert load.report().versions["2"].last_sent_at < load.report().versions["3"].first_at


async def the_stable_template_again_ends_a_release_without_steps(release: Release) -> None:
    await release.deploys(manifests.UNTIL_PROMOTED)
    async with release.traffic() as load:
        release.updates_to("2")
        await release.is_at(50)
        release.updates_to("1")
        await release.until(lambda: release.events("BackToStable"))
        await release.is_over()
        await release.is_healthy()
    assert release.weight == 0
    assert release.stable == 1
    assert release.status["currentRevision"]["number"] == 1
    assert load.report().lost_reasons == {}


async def a_rollback_cuts_off_testers_with_a_header(release: Release) -> None:
    header = {"canaryIngressAnnotations": {"canary-by-header": "X-Canary"}}
    await release.deploys([{"setWeight": 1}, {"pause": {}}], nginx=header)
    async with release.traffic(20, {"X-Canary": "always"}) as load:
        release.updates_to("2")
        await release.answers(load, "2")
        first = load.report().versions["1"].last_at
        release.commands("abort")
        assert "aborted" in await release.is_rolled_back()
        ended = load.report()
        await release.serves(load, 20)
        assert load.report().versions["2"].last_at == ended.versions["2"].last_at
        assert load.report().versions["1"].last_at > first
    assert load.report().lost_reasons == {}


@pytest.mark.parametrize(
    "scenario",
    [
        a_good_release_gets_the_traffic_that_is_configured_and_is_promoted,
        a_bad_release_is_rolled_back,
        a_newer_template_takes_over_in_the_middle,
        the_stable_template_again_ends_a_release_without_steps,
        a_rollback_cuts_off_testers_with_a_header,
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
