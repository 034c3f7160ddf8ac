"""
The controller dies after any one of its writes, and its successor carries on.

At every write: no weight on a revision without ready endpoints, and no Service that selects
nothing.
"""

from collections.abc import Awaitable, Callable, Iterator

import pytest

from rollouts.model.kinds import HASH_LABEL, POD, SERVICE, Ref
from rollouts.ports import Write
from tests.fakes.kubernetes import canary_weight
from tests.fakes.shop import Shop


class CrashError(Exception):
    """The process is gone."""


class FragileShop(Shop):
    """A shop whose controller dies right after its k-th write, and that checks every write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes_left: int | None = None
        self.guarded = False
        self._write = self.cluster.write
        self.cluster.write = self._fragile_write  # type: ignore[method-assign]

    async def _fragile_write(self, write: Write) -> None:
        before = len(self.cluster.writes)
        await self._write(write)
        if len(self.cluster.writes) == before:
            return
        if self.guarded:
            for complaint in complaints(self):
                raise AssertionError(f"{complaint} after {write}")
        if self.writes_left is not None:
            self.writes_left -= 1
            if self.writes_left == 0:
                raise CrashError

    async def round(self) -> float | None:
        try:
            return await super().round()
        except CrashError:
            self.eyes.targets.clear()
            self.eyes = type(self.eyes)(self.clock, self.eyes.requests, self.eyes.failures)
            self.reconciler = self.new_reconciler()
            return await super().round()


def complaints(shop: Shop) -> Iterator[str]:
    weight = canary_weight(shop.cluster)
    canary = shop.cluster.get(Ref(SERVICE, "shop", "checkout-canary"))
    if weight and (canary is None or not ready_pods(shop, canary["spec"]["selector"])):
        yield f"{weight} % of the traffic goes to nobody"
    for service in shop.cluster.select(SERVICE, "shop"):
        if not ready_pods(shop, service["spec"]["selector"]):
            yield f"Service {service['metadata']['name']} selects nothing"
    stable = shop.cluster.get(Ref(SERVICE, "shop", "checkout"))
    assert stable is not None
    if HASH_LABEL not in stable["spec"]["selector"]:
        yield "the stable Service selects every revision"


def ready_pods(shop: Shop, selector: dict[str, str]) -> int:
    return sum(
        condition["status"] == "True"
        for pod in shop.cluster.select(POD, "shop", selector)
        for condition in pod["status"]["conditions"]
    )


async def released(shop: FragileShop, image: str, crash_after: int | None) -> None:
    await shop.deployed()
    shop.guarded = True
    shop.cluster.writes.clear()
    shop.writes_left = crash_after
    shop.release(image)


def ended(shop: Shop) -> bool:
    settled = not shop.status["retiring"] and canary_weight(shop.cluster) is None
    return settled and shop.status["currentRevision"]["number"] == 2


async def good_release(crash_after: int | None) -> FragileShop:
    shop = FragileShop()
    await released(shop, "shop:2", crash_after)
    await shop.until(lambda: ended(shop) and "Promoted" in shop.reasons())
    await shop.run(10)
    assert shop.status["phase"] == "Healthy"
    return shop


async def bad_release(crash_after: int | None) -> FragileShop:
    shop = FragileShop()
    await released(shop, "shop:2", crash_after)
    await shop.until(lambda: canary_weight(shop.cluster) == 25)
    shop.eyes.failures = 80
    await shop.until(lambda: ended(shop) and "abort" in shop.status)
    await shop.run(10)
    assert shop.status["phase"] == "Degraded"
    return shop


@pytest.mark.parametrize("release", [good_release, bad_release])
async def test_a_crash_between_any_two_writes_changes_nothing_of_the_outcome(
    release: Callable[[int | None], Awaitable[FragileShop]],
) -> None:
    whole = await release(None)
    expected = (shop_end(whole), whole.status["stableRevision"]["number"])

    for crash_after in range(1, len(whole.cluster.writes) + 1):
        shop = await release(crash_after)

        assert (shop_end(shop), shop.status["stableRevision"]["number"]) == expected, crash_after


def shop_end(shop: Shop) -> dict[str, tuple[str, int]]:
    """Return what every Service selects, by image, and how many pods that is."""
    images = {}
    for service in shop.cluster.select(SERVICE, "shop"):
        pods = shop.cluster.select(POD, "shop", service["spec"]["selector"])
        (image,) = {pod["metadata"]["name"].rsplit("-", 1)[0] for pod in pods}
        images[service["metadata"]["name"]] = (image, len(pods))
    return images
