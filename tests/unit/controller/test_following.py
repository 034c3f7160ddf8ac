"""The Service that was made for a new revision is as its stable Service is, before a request is sent to it."""

from contextlib import suppress

import pytest

from rollouts.errors import Forbidden
from rollouts.model.kinds import JSON, SERVICE, Ref
from rollouts.ports import Patch
from tests.fakes.kubernetes import canary_weight
from tests.fakes.shop import KEY, Shop
from tests.unit.controller.test_edited_strategy import BLUE_GREEN, CANARY, goes_by

STABLE = Ref(SERVICE, "shop", "checkout")
SECOND = Ref(SERVICE, "shop", "checkout-canary")
PREVIEWED: JSON = {**BLUE_GREEN, "previewService": "checkout-canary"}
NEW_PORTS = [{"name": "web", "port": 80, "targetPort": 9090, "nodePort": 30080}]
H2C = {"traefik.ingress.kubernetes.io/service.serversscheme": "h2c"}


def ports(shop: Shop) -> list[JSON]:
    found = shop.cluster.get(SECOND)
    assert found is not None
    return list(found["spec"]["ports"])


def changed(shop: Shop) -> None:
    """Change the stable Service as somebody else."""
    shop.cluster.edit(STABLE, {"metadata": {"annotations": H2C}, "spec": {"ports": NEW_PORTS}})


async def released_once(shop: Shop, way: JSON) -> None:
    await shop.deployed(strategy=goes_by(way)["spec"]["strategy"])
    shop.release("shop:2")
    await shop.until(lambda: (shop.status.get("pause") or {}).get("reason") == "PauseStep")
    shop.command('{"id": "full", "verb": "promote-full"}')
    await shop.until(lambda: "Promoted" in shop.reasons())
    await shop.run(70)
    assert shop.status["phase"] == "Healthy"


@pytest.mark.parametrize("way", [CANARY, PREVIEWED], ids=["canary", "preview"])
async def test_at_rest_it_follows_with_one_write(shop: Shop, way: JSON) -> None:
    await released_once(shop, way)
    shop.cluster.writes.clear()
    changed(shop)
    await shop.run(10)
    assert ports(shop) == [{"name": "web", "port": 80, "targetPort": 9090}]
    found = shop.cluster.get(SECOND)
    assert found is not None
    assert H2C.items() <= found["metadata"]["annotations"].items()
    about = [each for each in shop.cluster.writes if isinstance(each, Patch) and each.ref == SECOND]
    assert len(about) == 1
    assert shop.reasons()[-1] == "ServiceFollowed"
    shop.cluster.writes.clear()
    await shop.run(60)
    assert shop.cluster.writes == []


async def test_it_has_the_new_ports_before_any_request_is_sent_to_it(shop: Shop) -> None:
    """The Service and the image are changed by one commit."""
    await released_once(shop, CANARY)
    changed(shop)
    shop.release("shop:3")
    for _ in range(60):
        shop.kubernetes.settle()
        await shop.reconciler.reconcile(KEY)
        if canary_weight(shop.cluster):
            break
        shop.clock.move(0.5)
    assert canary_weight(shop.cluster) == 25
    assert ports(shop)[0]["targetPort"] == 9090


async def test_a_release_waits_for_it_as_long_as_that_write_is_refused(shop: Shop) -> None:
    await released_once(shop, CANARY)
    changed(shop)
    shop.cluster.refuses = lambda write: (
        Forbidden("no") if isinstance(write, Patch) and "ports" in str(write.body) else None
    )
    shop.release("shop:3")
    for _ in range(60):
        shop.kubernetes.settle()
        with suppress(Forbidden):
            await shop.reconciler.reconcile(KEY)
        assert not canary_weight(shop.cluster), "nobody listens on the ports of before"
        shop.clock.move(1)
    assert "ServiceFollowed" not in shop.reasons()
    shop.cluster.refuses = lambda _: None
    await shop.until(lambda: canary_weight(shop.cluster) == 25)
    assert shop.reasons().count("ServiceFollowed") == 1


async def test_in_the_middle_of_a_release_it_follows_at_once(shop: Shop) -> None:
    await shop.deployed(strategy=goes_by(CANARY)["spec"]["strategy"])
    shop.release("shop:2")
    await shop.until(lambda: (shop.status.get("pause") or {}).get("reason") == "PauseStep")
    changed(shop)
    await shop.round()
    assert ports(shop)[0]["targetPort"] == 9090
    assert canary_weight(shop.cluster) == 25


async def test_it_follows_another_stable_service(shop: Shop) -> None:
    """Another Service is the stable one by now, and the canary's keeps its name."""
    named: JSON = {**CANARY, "canaryService": "checkout-canary"}
    await released_once(shop, named)
    stable = shop.cluster.get(STABLE)
    assert stable is not None
    metadata = {"namespace": "shop", "name": "other"}
    shop.cluster.put(
        SERVICE, {"metadata": metadata, "spec": {**stable["spec"], "ports": NEW_PORTS}}
    )
    shop.edit(goes_by({**named, "stableService": "other"}))
    await shop.run(10)
    assert ports(shop)[0]["targetPort"] == 9090


async def test_a_users_own_canary_service_is_left_as_it_is(shop: Shop) -> None:
    await released_once(shop, CANARY)
    shop.cluster.edit(SECOND, {"metadata": {"ownerReferences": None, "labels": None}})
    before = ports(shop)
    changed(shop)
    await shop.run(10)
    assert ports(shop) == before
    by_name = {each["type"]: each for each in shop.status["conditions"]}
    assert "port 80 leads to 8080" in by_name["Preflight"]["message"]


async def test_what_somebody_changes_about_it_is_put_right_but_not_in_a_war(shop: Shop) -> None:
    await released_once(shop, CANARY)
    for _ in range(10):
        shop.cluster.edit(SECOND, {"spec": {"ports": NEW_PORTS}})
        shop.kubernetes.settle()
        await shop.reconciler.reconcile(KEY)
    assert shop.reasons().count("ServiceFollowed") == 3
    await shop.run(20)
    assert ports(shop)[0]["targetPort"] == 8080
