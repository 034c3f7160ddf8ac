"""A round comes shortly after a scrape, however these lie to the exposure's beginning."""

from datetime import timedelta
from itertools import pairwise

import pytest

from rollouts.model.kinds import JSON
from tests.unit.analysis.harness import ERRORS, KEY, QUERY, Harness, settle

STEP_SECONDS = 0.25
THRESHOLD: JSON = {**ERRORS, "judge": "threshold", "minRequests": 1, "failureLimit": 2}


class Phased(Harness):
    """Scrapes every so many seconds, in a phase of their own."""

    def __init__(self, *criteria: JSON, interval: float, phase: float, lag: float = 0.0) -> None:
        super().__init__(*(criteria or (ERRORS,)))
        self.interval, self.lag = interval, lag
        self.seconds = -phase
        self.scrapes: list[float] = []
        self.seen: list[tuple[float, float]] = []
        """When it was measured, and how old the newest sample was."""

    async def run(self, seconds: float, *, scraping: bool = True) -> None:
        for _ in range(round(seconds / STEP_SECONDS)):
            before = len(self.rounds)
            self.clock.move(STEP_SECONDS)
            self.seconds += STEP_SECONDS
            scraped = self.seconds - self.lag  # what is visible now
            if scraping and scraped > 0 and scraped % self.interval == 0:
                self.serve("canary", 10)
                self.metrics.scrape(self.clock.now() - timedelta(seconds=self.lag))
                self.scrapes.append(scraped)
            await settle()
            if len(self.rounds) > before:
                last = self.scrapes[-1] if self.scrapes else 0.0
                self.seen.append((self.seconds, self.seconds - last))


@pytest.mark.parametrize("interval", [5, 15, 30])
@pytest.mark.parametrize("phase", [0.25, 4, 9.5])
async def test_a_round_sees_a_sample_that_is_a_moment_old(interval: float, phase: float) -> None:
    harness = Phased(interval=interval, phase=phase)
    await harness.run(100)
    harness.expose()
    await harness.run(100)
    settled = len(harness.seen)
    await harness.run(300)
    rounds = harness.seen[settled:]
    assert all(age <= max(15, interval) for _, age in rounds)
    fresh = [age for _, age in rounds if age <= 1.25]
    assert len(fresh) >= 300 / max(interval, 15) - 1  # one for every scrape, or every interval
    if interval <= 15:
        assert len(fresh) == len(rounds)
    assert max(b - a for (a, _), (b, _) in pairwise(rounds)) <= 15 + STEP_SECONDS
    await harness.monitor.close()


@pytest.mark.parametrize("lag", [1.5, 6])
async def test_a_scrape_that_is_late_is_asked_for_once_more_and_then_with_the_next(
    lag: float,
) -> None:
    """A Prometheus that is slow, or whose clock is behind ours."""
    harness = Phased(interval=15, phase=4, lag=lag)
    await harness.run(100)
    harness.expose()
    await harness.run(100)
    settled = len(harness.seen)
    await harness.run(300)
    rounds = harness.seen[settled:]
    assert 20 <= len(rounds) <= 45
    fresh = [age for _, age in rounds if age <= 3]
    assert len(fresh) >= 19 if lag < 3 else not fresh
    assert max(b - a for (a, _), (b, _) in pairwise(rounds)) <= 15 + STEP_SECONDS
    await harness.monitor.close()


async def test_without_scrapes_it_is_measured_every_interval() -> None:
    harness = Phased(interval=15, phase=4)
    await harness.run(60)
    harness.expose()
    await harness.run(60)
    harness.rounds.clear()
    await harness.run(300, scraping=False)
    assert 20 <= len(harness.rounds) <= 22  # with one try more for the scrape that did not come
    await harness.monitor.close()


async def test_a_query_keeps_its_interval() -> None:
    harness = Phased(QUERY, interval=5, phase=3.25)
    harness.expose()
    await harness.run(301)
    assert 19 <= sum("sales" in asked for asked in harness.metrics.asked) <= 22
    await harness.monitor.close()


async def test_a_failed_scrape_is_one_failed_measurement_however_often_it_is_measured() -> None:
    harness = Phased(THRESHOLD, interval=60, phase=2)
    await harness.run(130)
    harness.expose()
    await harness.run(130)
    moments = set()
    for _ in range(240):
        await harness.run(1)
        latest = harness.monitor.latest(KEY)
        assert latest is not None
        moments.add(latest.measurements["errors"].at)
    assert len(moments) in (4, 5)
    assert len(harness.rounds) > 16
    await harness.monitor.close()
