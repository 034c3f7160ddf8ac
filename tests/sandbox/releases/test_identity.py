"""Pods that say which revision they are, and are restarted under load, as the example has it."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from rollouts.model.kinds import DISRUPTION_BUDGET
from tests.sandbox.releases import goods
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.sandbox.releases.shop import Shop

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

EXAMPLE = Path(__file__).parents[3] / "examples" / "placement.yaml"


async def opens_as_in_the_example(shop: Shop) -> None:
    """Apply the example, under the shop's own names."""
    text = EXAMPLE.read_text().replace("catalog.example", shop.host).replace("catalog", goods.NAME)
    ended = await shop.town.kubectl("-n", shop.namespace, "apply", "-f", "-", given=text)
    assert ended.code == 0, ended.err
    await shop.is_healthy()


def budget(shop: Shop, **spec: Any) -> None:
    body = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": goods.metadata(shop.namespace),
        "spec": {"selector": {"matchLabels": goods.LABELS}, **spec},
    }
    shop.create(DISRUPTION_BUDGET, body)


def names(shop: Shop) -> set[str]:
    return {pod["metadata"]["name"] for pod in shop.pods()}


async def by_role(shop: Shop) -> Counter[str]:
    """Return what kubectl sees of the pods: version, role, and whether alerts are muted."""
    ended = await shop.kubectl("get", "pods", "-o", "yaml")
    assert ended.code == 0, ended.err
    found: Counter[str] = Counter()
    for pod in yaml.safe_load(ended.out)["items"]:
        metadata = pod["metadata"]
        version = pod["spec"]["containers"][0]["image"].rpartition(":")[2]
        muted = " muted" if "example.com/alerts" in metadata.get("annotations", {}) else ""
        found[f"{version} {metadata['labels']['role']}{muted}"] += 1
    return found


async def pods_follow_the_role_of_their_revision_and_survive_it(shop: Shop) -> None:
    await opens_as_in_the_example(shop)
    assert await by_role(shop) == {"1.0 stable": 6}
    async with shop.customers() as load:
        shop.releases("2")
        await shop.is_at(50)
        assert await by_role(shop) == {"1.0 stable": 6, "2 canary muted": 3}
        canaries = {name for name in names(shop) if shop.status["currentRevision"]["hash"] in name}
        shop.commands("promote")
        await shop.is_promoted()
        await shop.is_healthy()
        assert await by_role(shop) == {"2 stable": 6}
        assert canaries <= names(shop), "no pod was restarted"
        (kept,) = [each for each in shop.replica_sets() if each["spec"]["replicas"]]
        affinity = kept["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"]
        assert list(affinity) == ["preferredDuringSchedulingIgnoredDuringExecution"]
        written = len(shop.town.audit.writes(shop.namespace))
        await shop.serves(load, 40)
        assert len(shop.town.audit.writes(shop.namespace)) == written, "settled is silent"
    assert load.report().lost_reasons == {}


async def a_restart_under_load_loses_nothing_and_respects_the_budget(shop: Shop) -> None:
    await shop.opens(replicas=4)
    budget(shop, minAvailable=4)
    before = names(shop)
    async with shop.customers(50) as load:
        ended = await shop.rollouts("restart")
        assert ended.code == 0, ended.err
        await shop.until(lambda: "disruption budget web needs 4" in shop.message, "its words")
        assert shop.phase == "Progressing"
        assert names(shop) == before
        shop.edits(DISRUPTION_BUDGET, goods.NAME, {"spec": {"minAvailable": 3}})
        await shop.until(lambda: shop.events("Restarted"), "the end of the restart")
        await shop.until(lambda: shop.phase == "Healthy" and len(names(shop)) == 4)
        await shop.serves(load, 50)
    assert not names(shop) & before
    assert load.report().lost_reasons == {}


async def a_single_pod_is_restarted_behind_a_second_one(shop: Shop) -> None:
    await shop.opens(replicas=1)
    budget(shop, minAvailable=1)
    before = names(shop)
    async with shop.customers(50) as load:
        shop.commands("restart")
        await shop.until(lambda: shop.events("Restarted"), "the end of the restart")
        await shop.until(lambda: len(names(shop)) == 1 and shop.phase == "Healthy")
        await shop.serves(load, 50)
    assert not names(shop) & before
    assert load.report().lost_reasons == {}


@pytest.mark.parametrize(
    "scenario",
    [
        pods_follow_the_role_of_their_revision_and_survive_it,
        a_restart_under_load_loses_nothing_and_respects_the_budget,
        a_single_pod_is_restarted_behind_a_second_one,
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
