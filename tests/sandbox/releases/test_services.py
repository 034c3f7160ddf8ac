"""Services that are changed between two releases, with users: none of them notices."""

from typing import Any

import pytest

from rollouts.model.kinds import HASH_LABEL, JSON, ROLLOUT, SERVICE
from rollouts.model.routers.nginx import INGRESS
from tests.sandbox.releases import manifests
from tests.sandbox.releases.release import Release
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.sandbox.releases.switching import by_replicas, template

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

WEB: JSON = {"name": "web", "port": 81, "targetPort": "http"}


def ports(release: Release, service: str) -> list[str]:
    found = release.get(SERVICE, service) or {"spec": {"ports": []}}
    return [port["name"] for port in found["spec"]["ports"]]


async def another_port_of_the_stable_service_is_the_canarys_too(release: Release) -> None:
    await release.deploys(manifests.FOUR_STEPS)
    async with release.traffic(50) as load:
        release.updates_to("2")
        await release.is_promoted()
        both = [*manifests.service(release.namespace)["spec"]["ports"], WEB]
        release.edits(SERVICE, manifests.STABLE, {"spec": {"ports": both}})
        await release.until(
            lambda: ports(release, manifests.CANARY) == ["http", "web"], "both ports"
        )
        path = manifests.path()
        path["backend"]["service"]["port"] = {"name": "web"}
        rule: JSON = {"host": release.host, "http": {"paths": [path]}}
        release.edits(INGRESS, manifests.NAME, {"spec": {"rules": [rule]}})
        await release.serves(load, 100)
        release.edits(SERVICE, manifests.STABLE, {"spec": {"ports": [WEB]}})

        release.updates_to("3")
        await release.is_at(50)
        await release.answers(load, "3")
        await release.is_promoted(3)
    assert ports(release, manifests.CANARY) == ["web"]
    assert load.report().lost_reasons == {}
    assert load.report().failed == 0


async def the_router_is_taken_out_by_the_commit_that_releases(release: Release) -> None:
    await release.deploys(manifests.FOUR_STEPS, replicas=4, template=template("1"))
    assert HASH_LABEL in release.selects(manifests.STABLE)
    strategy: dict[str, Any] = by_replicas(25, 50)
    strategy["canary"] |= {"stableService": None, "trafficRouting": None}
    change = {"strategy": strategy, "template": template("2"), "successCriteria": None}
    async with release.traffic(50) as load:
        release.edits(ROLLOUT, manifests.NAME, {"spec": change})
        await release.until(lambda: release.status["weights"]["applied"] == 50, "half of the pods")
        await release.answers(load, "2")
        await release.is_promoted()
        await release.serves(load, 50)
    assert HASH_LABEL not in release.selects(manifests.STABLE)
    assert len(release.events("ServiceGivenBack")) == 1
    assert load.report().lost_reasons == {}
    assert load.report().failed == 0


@pytest.mark.parametrize(
    "scenario",
    [
        another_port_of_the_stable_service_is_the_canarys_too,
        the_router_is_taken_out_by_the_commit_that_releases,
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
