"""The CRDs of the routers come late, change their versions, and go: no restart, and no lost request."""

import asyncio
from functools import partial

import pytest

from rollouts.model.kinds import CRD, HTTP_ROUTE, JSON, TRAFFIC_SPLIT, TRAFFIC_SPLIT_VERSIONS, Kind
from rollouts.sandbox.crds import definitions
from tests.sandbox.releases import goods
from tests.sandbox.releases.routed import (
    HTTP,
    SMI,
    customers,
    has,
    http_route,
    ingress,
    opens,
    refs,
    rollout,
    split,
)
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.sandbox.releases.shop import Shop
from tests.sandbox.releases.switching import releases
from tests.sandbox.releases.town import Town

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]


PAUSE: JSON = {"pause": {}}
FOUR_PAUSES = [step for weight in (20, 40, 60, 80) for step in ({"setWeight": weight}, PAUSE)]


def definition(kind: Kind, *served: str) -> JSON:
    """Return the CRD of a kind, which serves only these versions."""
    found = next(each for each in definitions() if each["metadata"]["name"] == kind.crd_name)
    for version in found["spec"]["versions"]:
        version["served"] = version["name"] in served
    return found


def serves(town: Town, kind: Kind, *versions: str) -> None:
    """Have the API server serve these versions of a kind from now on; none at all when none is given."""
    store, name = town.sandbox.store, kind.crd_name
    if not versions:
        store.delete(CRD, "", name)
    elif store.get(CRD, "", name) is None:
        store.create(CRD, definition(kind, *versions))
    else:
        listed = definition(kind, *versions)["spec"]["versions"]
        store.patch(CRD, "", name, {"spec": {"versions": listed}})


async def routers_work_as_soon_and_as_long_as_their_kinds_are_served(town: Town) -> None:
    serves(town, TRAFFIC_SPLIT)
    serves(town, HTTP_ROUTE)
    process = town.sandbox.describe().processes
    mesh, gateway = town.shop("mesh"), town.shop("gateway")
    await asyncio.gather(every_version(mesh), a_late_route(gateway))
    assert town.sandbox.describe().processes == process, "no restart"
    assert "Traceback" not in town.controller_log()


async def every_version(shop: Shop) -> None:
    """A release goes from each version to the next; in each its TrafficSplit is changed and made."""
    first, *others = reversed(TRAFFIC_SPLIT_VERSIONS)
    opening = asyncio.create_task(opens(shop, rollout(shop, SMI, FOUR_PAUSES), ingress(shop)))
    await is_said(shop, "TrafficSplitsNotServed", "the cluster serves no TrafficSplits")
    serves(shop.town, TRAFFIC_SPLIT, first)
    await opening
    async with customers(shop, 30):
        releases(shop, "2")
        await splits(shop, 20, first)
        for weight, version in zip((40, 60, 80), others, strict=True):
            serves(shop.town, TRAFFIC_SPLIT, version)
            shop.commands("promote")
            await splits(shop, weight, version)
            shop.removes(in_version(version), goods.NAME)
            await shop.until(partial(split, shop, version=version), f"made again in {version}")
            await splits(shop, weight, version)
            assert "abort" not in shop.status
        await goes_in_the_middle(shop)
        shop.commands("promote")
        await shop.is_promoted()
        assert split(shop) == []


async def splits(shop: Shop, weight: int, version: str) -> None:
    await has(shop, weight)
    assert split(shop, version=version) == [100 - weight, weight]


def in_version(version: str) -> Kind:
    return Kind(TRAFFIC_SPLIT.group, version, TRAFFIC_SPLIT.plural, TRAFFIC_SPLIT.name)


async def goes_in_the_middle(shop: Shop) -> None:
    begin = len(shop.town.audit)
    serves(shop.town, TRAFFIC_SPLIT)
    await shop.until(lambda: "serves no TrafficSplits" in shop.message, "words")
    assert shop.status["weights"]["applied"] == 0
    await shop.until(lambda: len(shop.events("Blocked")) == 2, "the second such event")
    assert len(shop.town.audit.writes(shop.namespace, begin)) < 5, "nothing is tried in vain"
    serves(shop.town, TRAFFIC_SPLIT, TRAFFIC_SPLIT.version)
    await splits(shop, 80, TRAFFIC_SPLIT.version)


async def a_late_route(shop: Shop) -> None:
    opening = asyncio.create_task(opens(shop, rollout(shop, HTTP, goods.UNTIL_PROMOTED)))
    await is_said(shop, "HTTPRoutesNotServed", "the cluster serves no HTTPRoutes")
    serves(shop.town, HTTP_ROUTE, "v1")
    await is_said(shop, "RouteNotFound", "HTTPRoute web does not exist")
    kind, body = http_route(shop)
    shop.create(kind, body)
    await opening
    async with customers(shop):
        releases(shop, "2")
        await has(shop, 50)
        assert refs(shop) == [{goods.STABLE: 50, goods.CANARY: 50}]
        shop.commands("promote")
        await shop.is_promoted()


async def is_said(shop: Shop, reason: str, words: str) -> None:
    await shop.until(lambda: shop.condition("Preflight").get("reason") == reason, reason)
    assert words in shop.condition("Preflight")["message"]
    await shop.until(lambda: shop.phase == "Degraded" and words in shop.message, words)


@pytest.mark.nightly
@pytest.mark.parametrize(
    "scenario", [routers_work_as_soon_and_as_long_as_their_kinds_are_served], ids=name_of
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
