"""A Rollout gets another selector, as docs/another-selector.md says: no request is lost."""

import pytest

from rollouts.model.kinds import REPLICA_SET, ROLLOUT, SERVICE
from tests.sandbox.releases import goods
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.sandbox.releases.shop import Shop

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

WANTED = {"tier": "front"}


def labelled(shop: Shop, version: str, **labels: str | None) -> None:
    """Release a version whose template has these labels, and not those that are None."""
    template = goods.template(version)
    template["metadata"] = {"labels": labels}
    shop.edits(ROLLOUT, goods.NAME, {"spec": {"template": template}})


def names(shop: Shop) -> set[str]:
    return {str(pod["metadata"]["name"]) for pod in shop.pods()}


async def a_rollout_gets_another_selector_under_traffic(shop: Shop) -> None:
    await shop.opens()
    async with shop.customers(50) as load:
        labelled(shop, "2", **goods.LABELS, **WANTED)
        await shop.is_promoted()
        pods, template = names(shop), shop.rollout["spec"]["template"]

        left = await shop.kubectl("delete", "rollout", goods.NAME, "--cascade=orphan")
        assert left.code == 0, left.err
        await shop.until(lambda: shop.get(ROLLOUT, goods.NAME) is None, "the old Rollout gone")
        shop.removes(SERVICE, goods.CANARY)
        again = shop.rollout_body(selector={"matchLabels": WANTED}, template=template)
        applied = await shop.kubectl("apply", "-f", "-", given=again)
        assert applied.code == 0, applied.err
        await shop.is_healthy()
        await shop.serves(load, 50)
        assert names(shop) == pods, "no pod is replaced"
        assert shop.status["stableRevision"]["number"] == 2

        shop.edits(SERVICE, goods.STABLE, {"spec": {"selector": {"app": None, **WANTED}}})
        await shop.serves(load, 50)
        labelled(shop, "3", app=None, **WANTED)
        await shop.is_promoted(3)
        await shop.serves(load, 50)
    assert load.report().lost_reasons == {}
    assert load.report().failed == 0
    (serving,) = [each for each in shop.replica_sets() if each["spec"]["replicas"]]
    assert "app" not in serving["spec"]["selector"]["matchLabels"]
    for each in shop.replica_sets():
        if not each["metadata"].get("ownerReferences"):
            shop.removes(REPLICA_SET, each["metadata"]["name"])


@pytest.mark.parametrize("scenario", [a_rollout_gets_another_selector_under_traffic], ids=name_of)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
