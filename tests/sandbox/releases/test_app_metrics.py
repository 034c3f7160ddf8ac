"""A release judged by what its own pods count, on a real Prometheus."""

import pytest

from rollouts.model.kinds import JSON, ROLLOUT
from tests.sandbox.releases import manifests
from tests.sandbox.releases.release import Release
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.waiting import known_to

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

CRITERIA: list[JSON] = [
    {**manifests.ERRORS, "source": "app"},
    {"name": "p90", "latency": {"quantile": 0.9, "max": "1s"}, "source": "app"},
]


def template(version: str, *, scraped: bool = True, **environment: str) -> JSON:
    made = manifests.template(version, **environment)
    annotations = {"prometheus.io/scrape": str(scraped).lower()}
    made["metadata"] = {**made["metadata"], "annotations": annotations}
    return made


async def failures_that_only_the_pods_count_are_the_canarys(release: Release) -> None:
    await release.deploys(
        manifests.UNTIL_PROMOTED, template=template("1"), successCriteria=CRITERIA
    )
    async with release.traffic() as load:
        # Only what was scraped before the release is known to have counted nothing then.
        scraped = f'http_requests_total{{namespace="{release.namespace}"}} > 0'
        await known_to(release.sandbox.prometheus_url, scraped)
        release.edits(
            ROLLOUT, manifests.NAME, {"spec": {"template": template("2", ERROR_RATE="20%")}}
        )
        reason = await release.is_rolled_back()
    assert reason.startswith("errors: ")
    counted, seen = release.criterion("errors"), load.report().versions
    assert counted["failures"] > 0
    assert counted["requests"] <= seen["2"].responses
    assert 0 < counted["stableRequests"] <= seen["1"].responses
    assert counted.get("stableFailures", 0) == 0
    assert release.criterion("p90")["requests"] > 0
    assert load.report().lost_reasons == {}


async def what_nobody_scrapes_is_said_and_waits(release: Release) -> None:
    steps: list[JSON] = [{"setWeight": 50}, {"analysis": {"duration": "2s"}}]
    await release.deploys(steps, template=template("1"), successCriteria=CRITERIA[:1])
    async with release.traffic() as load:
        release.edits(ROLLOUT, manifests.NAME, {"spec": {"template": template("2", scraped=False)}})
        await release.until(lambda: release.paused_for == "Inconclusive")
        said = release.criterion("errors")
        assert said["verdict"] == "inconclusive"
        assert "revision 2's pods have not been scraped by Prometheus" in said["message"]
        assert "abort" not in release.status
        release.commands("promote")
        await release.is_promoted()
    assert load.report().lost_reasons == {}


@pytest.mark.parametrize(
    "scenario",
    [
        failures_that_only_the_pods_count_are_the_canarys,
        what_nobody_scrapes_is_said_and_waits,
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
