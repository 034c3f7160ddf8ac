"""A round comes shortly after a scrape, and only then, however these lie to the exposure's beginning."""

from itertools import pairwise

import pytest

from rollouts.analysis.monitor import Monitor
from rollouts.model.kinds import JSON
from tests.unit.analysis.harness import ERRORS, KEY, QUERY, Harness, MonitorOnTheBeat, settle

STEP_SECONDS = 0.25
THRESHOLD: JSON = {**ERRORS, "judge": "threshold", "minRequests": 1, "failureLimit": 2}


class Phased(Harness):
    """Scrapes every so many seconds, in a phase of their own; a sample can be read `lag` seconds later."""

    kind = Monitor

    def __init__(self, *criteria: JSON, interval: float, phase: float, lag: float = 0.0) -> None:
        super().__init__(*(criteria or (ERRORS,)))
        self.interval, self.lag = interval, lag
        self.seconds = -phase
        self.looks: list[float] = []
        self.scrapes: list[float] = []
        self.waited: list[float] = []
        """How long each sample that could be read has waited for a round."""

    async def run(self, seconds: float, *, scraping: bool = True) -> None:
        for _ in range(round(seconds / STEP_SECONDS)):
            before = len(self.rounds)
            self.seconds += STEP_SECONDS
            scraped = self.seconds - self.lag  # what is visible now
            if scraping and scraped > 0 and scraped % self.interval == 0:
                self.serve("canary", 10)
                at = self.clock.after(STEP_SECONDS - self.lag)
                self.metrics.scrape(at)
                self.scrapes.append(self.seconds)
            self.clock.move(STEP_SECONDS)
            await settle()
            if len(self.rounds) > before:
                self.looks.append(self.seconds)
                self.waited += [self.seconds - each for each in self.scrapes]
                self.scrapes.clear()

    async def settled(self, seconds: float) -> None:
        """Let it find its pace, and forget what was seen until then."""
        await self.run(100)
        self.expose()
        await self.run(seconds)
        self.looks.clear()
        self.waited.clear()
        self.metrics.asked.clear()


class PhasedOnTheBeat(Phased):
    """Looks every 15 s, whatever is scraped."""

    kind = MonitorOnTheBeat


@pytest.mark.parametrize("interval", [5, 15, 30, 60])
@pytest.mark.parametrize("phase", [0.25, 4, 9.5])
async def test_no_sample_waits_and_no_round_sees_nothing_new(interval: float, phase: float) -> None:
    harness = Phased(interval=interval, phase=phase)
    await harness.settled(3 * interval)
    await harness.run(20 * interval)
    assert len(harness.waited) >= 19
    assert max(harness.waited) <= 0.5
    assert len(harness.looks) <= 21
    await harness.monitor.close()


async def test_the_first_round_comes_with_the_first_scrape_of_the_exposure() -> None:
    harness = Phased(interval=60, phase=2)
    await harness.run(130)
    harness.expose()
    await harness.run(60)
    assert harness.waited[-1] <= 0.5
    await harness.monitor.close()


async def test_at_scrapes_of_a_minute_a_quarter_is_asked_of_what_the_beat_asks() -> None:
    harness, on_the_beat = Phased(interval=60, phase=4), PhasedOnTheBeat(interval=60, phase=4)
    for each in (harness, on_the_beat):
        await each.settled(120)
        await each.run(1200)
        await each.monitor.close()
    assert len(harness.metrics.asked) <= 1.1 / 4 * len(on_the_beat.metrics.asked)
    assert max(harness.waited) <= 0.5 < max(on_the_beat.waited)


@pytest.mark.parametrize("lag", [0.5, 1.5, 6, 20])
async def test_how_late_samples_are_is_learnt(lag: float) -> None:
    """A Prometheus that is slow, or whose clock is behind ours."""
    harness = Phased(interval=15, phase=4, lag=lag)
    await harness.settled(600)
    await harness.run(600)
    assert len(harness.waited) >= 39
    assert sorted(harness.waited)[-2] <= 1
    assert len(harness.looks) <= 50
    await harness.monitor.close()


async def test_without_scrapes_it_is_measured_every_interval() -> None:
    harness = Phased(interval=15, phase=4)
    await harness.settled(60)
    await harness.run(60, scraping=False)
    assert len(harness.looks) <= 10  # with two tries more for the scrape that did not come
    harness.looks.clear()
    await harness.run(300, scraping=False)
    assert len(harness.looks) == 20
    assert max(b - a for a, b in pairwise(harness.looks)) <= 15 + STEP_SECONDS
    await harness.monitor.close()


@pytest.mark.parametrize("interval", [5, 30])
@pytest.mark.parametrize("shift", [-0.4, 0.1, 0.6])
async def test_a_phase_that_jumps_costs_no_more_than_a_scrape(
    interval: float, shift: float
) -> None:
    """Another Prometheus of a pair answers, or it was restarted."""
    harness = Phased(interval=interval, phase=4)
    await harness.settled(3 * interval)
    harness.seconds += round(shift * interval / STEP_SECONDS) * STEP_SECONDS
    await harness.run(4 * interval)
    assert max(harness.waited) <= max(15, interval)
    harness.waited.clear()
    await harness.run(10 * interval)
    assert max(harness.waited) <= 0.5
    await harness.monitor.close()


async def test_a_query_keeps_its_interval() -> None:
    harness = Phased(QUERY, interval=5, phase=3.25)
    harness.expose()
    await harness.run(301)
    assert 19 <= sum("sales" in asked for asked in harness.metrics.asked) <= 22
    await harness.monitor.close()


async def test_a_query_keeps_its_interval_beside_what_is_counted() -> None:
    harness = Phased(ERRORS, QUERY, interval=60, phase=3.25)
    await harness.settled(60)
    await harness.run(300)
    assert 19 <= sum("sales" in asked for asked in harness.metrics.asked) <= 22
    await harness.monitor.close()


async def test_nobody_asks_more_often_than_once_a_second() -> None:
    harness = Phased({**QUERY, "interval": "100ms"}, interval=5, phase=3.25)
    harness.expose()
    await harness.run(60)
    assert sum("sales" in asked for asked in harness.metrics.asked) <= 60
    await harness.monitor.close()


async def test_a_failed_scrape_is_one_failed_measurement_however_often_it_is_measured() -> None:
    harness = PhasedOnTheBeat(THRESHOLD, interval=60, phase=2)
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
