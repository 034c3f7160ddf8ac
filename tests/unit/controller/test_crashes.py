"""
The controller dies after any one of its writes, and its successor carries on.

At every write: no weight on a revision without ready endpoints, and no Service that selects
nothing.
"""

from collections.abc import Awaitable, Callable, Iterator

import pytest

from rollouts.model.kinds import HASH_LABEL, POD, SERVICE, Ref
from rollouts.ports import Write
from tests.fakes.control_loop import ControlLoop
from tests.fakes.kubernetes import canary_weight


class CrashError(Exception):
    """The process is gone."""


class CrashingLoop(ControlLoop):
    """A loop whose controller dies right after its k-th write, and that checks every write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes_left: int | None = None
        self.guarded = False
        self._write = self.cluster.write
        self.cluster.write = self._crashing_write  # type: ignore[method-assign]

    async def _crashing_write(self, write: Write) -> None:
        before = len(self.cluster.writes)
        await self._write(write)
        if len(self.cluster.writes) == before:
            return
        if self.guarded:
            for violation in violations(self):
                raise AssertionError(f"{violation} after {write}")
        if self.writes_left is not None:
            self.writes_left -= 1
            if self.writes_left == 0:
                raise CrashError

    async def round(self) -> float | None:
        try:
            return await super().round()
        except CrashError:
            self.monitor.targets.clear()
            self.monitor = type(self.monitor)(
                self.clock, self.monitor.requests, self.monitor.failures
            )
            self.reconciler = self.new_reconciler()
            return await super().round()


def violations(loop: ControlLoop) -> Iterator[str]:
    weight = canary_weight(loop.cluster)
    canary = loop.cluster.get(Ref(SERVICE, "shop", "checkout-canary"))
    if weight and (canary is None or not ready_pods(loop, canary["spec"]["selector"])):
        yield f"{weight} % of the traffic goes to nobody"
    for service in loop.cluster.select(SERVICE, "shop"):
        if not ready_pods(loop, service["spec"]["selector"]):
            yield f"Service {service['metadata']['name']} selects nothing"
    stable = loop.cluster.get(Ref(SERVICE, "shop", "checkout"))
    assert stable is not None
    if HASH_LABEL not in stable["spec"]["selector"]:
        yield "the stable Service selects every revision"


def ready_pods(loop: ControlLoop, selector: dict[str, str]) -> int:
    return sum(
        condition["status"] == "True"
        for pod in loop.cluster.select(POD, "shop", selector)
        for condition in pod["status"]["conditions"]
    )


async def released(loop: CrashingLoop, image: str, crash_after: int | None) -> None:
    await loop.deployed()
    loop.guarded = True
    loop.cluster.writes.clear()
    loop.writes_left = crash_after
    loop.release(image)


def ended(loop: ControlLoop) -> bool:
    settled = not loop.status["retiring"] and canary_weight(loop.cluster) is None
    return settled and loop.status["currentRevision"]["number"] == 2


async def good_release(crash_after: int | None) -> CrashingLoop:
    loop = CrashingLoop()
    await released(loop, "shop:2", crash_after)
    await loop.until(lambda: ended(loop) and "Promoted" in loop.reasons())
    await loop.run(10)
    assert loop.status["phase"] == "Healthy"
    return loop


async def bad_release(crash_after: int | None) -> CrashingLoop:
    loop = CrashingLoop()
    await released(loop, "shop:2", crash_after)
    await loop.until(lambda: canary_weight(loop.cluster) == 25)
    loop.monitor.failures = 80
    await loop.until(lambda: ended(loop) and "abort" in loop.status)
    await loop.run(10)
    assert loop.status["phase"] == "Degraded"
    return loop


@pytest.mark.parametrize("release", [good_release, bad_release])
async def test_a_crash_between_any_two_writes_changes_nothing_of_the_outcome(
    release: Callable[[int | None], Awaitable[CrashingLoop]],
) -> None:
    whole = await release(None)
    expected = (service_sizes(whole), whole.status["stableRevision"]["number"])

    for crash_after in range(1, len(whole.cluster.writes) + 1):
        loop = await release(crash_after)

        assert (service_sizes(loop), loop.status["stableRevision"]["number"]) == expected, (
            crash_after
        )


def service_sizes(loop: ControlLoop) -> dict[str, tuple[str, int]]:
    """Return what every Service selects, by image, and how many pods that is."""
    images = {}
    for service in loop.cluster.select(SERVICE, "shop"):
        pods = loop.cluster.select(POD, "shop", service["spec"]["selector"])
        (image,) = {pod["metadata"]["name"].rsplit("-", 1)[0] for pod in pods}
        images[service["metadata"]["name"]] = (image, len(pods))
    return images
