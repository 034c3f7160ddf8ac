"""A bad canary is superseded by its fix, while counters are scraped far more seldom than looked at."""

from collections.abc import AsyncIterator

import pytest

from rollouts.analysis.monitor import Monitor
from rollouts.controller.metrics import ControllerMetrics
from rollouts.controller.notifications import Notifications
from rollouts.controller.reconcile import Reconciler
from rollouts.controller.settings import ControllerSettings
from rollouts.errors import Unavailable
from rollouts.traffic.nginx.counters import REQUESTS
from tests.fakes.control_loop import ControlLoop
from tests.fakes.kubernetes import canary_weight
from tests.fakes.metrics import FakeMetrics
from tests.unit.analysis.harness import ARM, settle

SETTINGS = ControllerSettings(interval_seconds=15)
BAD = "shop:2"
FACTS = {
    "job": "nginx",
    "instance": "a",
    "ingress": "checkout",
    "namespace": "shop",
    "service": "checkout",
}


class ScrapedLoop:
    """A Rollout with traffic, whose counters are scraped every minute."""

    def __init__(self) -> None:
        self.loop = ControlLoop()
        self.metrics = FakeMetrics()
        self.metrics.count("up", job="nginx", instance="a")
        self.passed = 0
        self.image = "shop:1"
        self.restart()

    def restart(self) -> None:
        """Begin anew with another controller."""
        loop = self.loop
        self.monitor = Monitor(
            self.metrics.sources,
            loop.clock,
            ControllerMetrics(),
            lambda _: loop.measured(),
            interval_seconds=SETTINGS.interval_seconds,
        )
        loop.reconciler = Reconciler(
            loop.cluster,
            loop.clock,
            self.monitor,
            Notifications(loop.told),
            ControllerMetrics(),
            SETTINGS.quiet_seconds,
        )

    def serve(self, arm: str, status: str) -> None:
        self.metrics.count(REQUESTS, 5, canary=ARM[arm], status=status, **FACTS)

    async def pass_by(self, seconds: int) -> None:
        for _ in range(seconds):
            self.serve("stable", "200")
            if canary_weight(self.loop.cluster):
                self.serve("canary", "500" if self.image == BAD else "200")
            self.loop.clock.move(1)
            self.passed += 1
            if self.passed % 60 == 0:
                self.metrics.scrape(self.loop.clock.now())
            await settle()
            await self.loop.round_if_needed()

    async def until_weight(self) -> None:
        for _ in range(300):
            if canary_weight(self.loop.cluster):
                return
            await self.pass_by(1)
        raise AssertionError("the canary never had traffic")

    def release(self, image: str) -> None:
        self.image = image
        self.loop.release(image)


@pytest.fixture
async def scraped() -> AsyncIterator[ScrapedLoop]:
    made = ScrapedLoop()
    made.loop.apply()
    await made.pass_by(200)
    assert made.loop.status["phase"] == "Healthy"
    yield made
    await made.monitor.close()


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("after", [1, 5, 20, 50])
async def test_the_first_release_of_all_is_superseded_before_anybody_has_looked(
    scraped: ScrapedLoop, after: int, *, known: bool
) -> None:
    """Its first scrape may come when the fix is being judged."""
    if not known:
        scraped.metrics.failures = [Unavailable("not now")] * 6
    scraped.release(BAD)
    await scraped.until_weight()
    await scraped.pass_by(after)
    scraped.metrics.failures = []
    rolled_back = scraped.loop.reasons().count("RolledBack")  # the bad one, once it is scraped
    scraped.release("shop:3")
    while scraped.loop.status["stableRevision"]["images"] != ["shop:3"]:
        await scraped.pass_by(1)
        assert scraped.loop.reasons().count("RolledBack") == rolled_back
        assert scraped.passed < 2000


@pytest.mark.parametrize("restarts", [False, True])
async def test_the_fix_is_not_charged_with_the_failures_of_the_bad_one(
    scraped: ScrapedLoop, *, restarts: bool
) -> None:
    scraped.release("shop:1b")
    while "Promoted" not in scraped.loop.reasons():
        await scraped.pass_by(1)
        assert scraped.passed < 1000
    scraped.release(BAD)
    await scraped.until_weight()
    await scraped.pass_by(50)  # its failures are not scraped yet
    if restarts:
        await scraped.monitor.close()
        scraped.restart()
    scraped.release("shop:3")
    while scraped.loop.status["stableRevision"]["images"] != ["shop:3"]:
        await scraped.pass_by(1)
        assert "RolledBack" not in scraped.loop.reasons()
        assert scraped.passed < 2000
