"""A Rollout gets another selector, as docs/another-selector.md says: no request is lost."""

import pytest

from rollouts.model.kinds import REPLICA_SET, ROLLOUT, SERVICE
from tests.sandbox.releases import manifests
from tests.sandbox.releases.release import Release
from tests.sandbox.releases.scenarios import Running, Scenario, name_of

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

WANTED = {"tier": "front"}


def labelled(release: Release, version: str, **labels: str | None) -> None:
    """Release a version whose template has these labels, and not those that are None."""
    template = manifests.template(version)
    template["metadata"] = {"labels": labels}
    release.edits(ROLLOUT, manifests.NAME, {"spec": {"template": template}})


def names(release: Release) -> set[str]:
    return {str(pod["metadata"]["name"]) for pod in release.pods()}


async def a_rollout_gets_another_selector_under_traffic(release: Release) -> None:
    await release.deploys()
    async with release.traffic(50) as load:
        labelled(release, "2", **manifests.LABELS, **WANTED)
        await release.is_promoted()
        pods, template = names(release), release.rollout["spec"]["template"]

        left = await release.kubectl("delete", "rollout", manifests.NAME, "--cascade=orphan")
        assert left.code == 0, left.err
        await release.until(
            lambda: release.get(ROLLOUT, manifests.NAME) is None, "the old Rollout gone"
        )
        release.removes(SERVICE, manifests.CANARY)
        again = release.rollout_body(selector={"matchLabels": WANTED}, template=template)
        applied = await release.kubectl("apply", "-f", "-", given=again)
        assert applied.code == 0, applied.err
        await release.is_healthy()
        await release.serves(load, 50)
        assert names(release) == pods, "no pod is replaced"
        assert release.status["stableRevision"]["number"] == 2

        release.edits(SERVICE, manifests.STABLE, {"spec": {"selector": {"app": None, **WANTED}}})
        await release.serves(load, 50)
        labelled(release, "3", app=None, **WANTED)
        await release.is_promoted(3)
        await release.serves(load, 50)
    assert load.report().lost_reasons == {}
    assert load.report().failed == 0
    (serving,) = [each for each in release.replica_sets() if each["spec"]["replicas"]]
    assert "app" not in serving["spec"]["selector"]["matchLabels"]
    for each in release.replica_sets():
        if not each["metadata"].get("ownerReferences"):
            release.removes(REPLICA_SET, each["metadata"]["name"])


@pytest.mark.parametrize("scenario", [a_rollout_gets_another_selector_under_traffic], ids=name_of)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
