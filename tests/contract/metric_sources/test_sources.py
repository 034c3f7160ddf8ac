"""
What a `CounterSource` and a `QuerySource` promise, on a real Prometheus that scrapes a real counter.

The fake of the first keeps the same promises; that of the second answers what a test tells it.
"""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web

from rollouts.errors import Permanent, Unavailable
from rollouts.metrics.prometheus import PrometheusSource
from rollouts.ports import CounterSource, QuerySource
from rollouts.sandbox.network import Network
from rollouts.sandbox.processes import Processes
from rollouts.sandbox.prometheus import Job, Prometheus
from rollouts.sandbox.prometheus_package import find_prometheus
from tests.fakes.metrics import FakeMetrics
from tests.waiting import answer


@pytest.fixture
def network() -> Iterator[Network]:
    network = Network.claim()
    yield network
    network.release()


@pytest.fixture
async def target(network: Network) -> AsyncIterator[str]:
    """Serve two series of a counter; the one of the canary grows with each scrape."""
    scrapes = 0

    async def metrics(_: web.Request) -> web.Response:
        nonlocal scrapes
        scrapes += 1
        return web.Response(text=f'hits{{arm="canary"}} {scrapes}\nhits{{arm=""}} 7\n')

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, network.control_plane, 9113).start()
    yield f"{network.control_plane}:9113"
    await runner.cleanup()


@pytest.fixture
async def prometheus(network: Network, target: str, tmp_path: Path) -> AsyncIterator[Prometheus]:
    processes = Processes(tmp_path / "logs")
    made = Prometheus(
        partial(find_prometheus, lambda _: None),
        processes,
        tmp_path / "prometheus",
        address=network.control_plane,
        scrape_seconds=0.2,
    )
    made.configure([Job("app", (target,))])
    await made.start()
    yield made
    await processes.stop_all()


async def scraped(source: QuerySource, times: int) -> datetime:
    """Return the present, when the canary's counter has been scraped so often."""

    async def present() -> datetime | None:
        now = datetime.now(UTC)
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)  # Prometheus knows no less
        hits = await source.value('max(hits{arm="canary"})', at=now) or 0
        return now if hits >= times else None

    return await answer(present, 20)


def scraped_by_hand(times: int) -> tuple[FakeMetrics, datetime]:
    """Return a fake in which the same has been scraped, and when that was over."""
    fake, now = FakeMetrics(), datetime(2030, 1, 1, tzinfo=UTC)
    fake.count("up", job="app")
    fake.count("hits", 7, arm="", job="app")
    for _ in range(times):
        fake.count("hits", arm="canary", job="app")
        fake.scrape(now)
        now += timedelta(seconds=0.2)
    return fake, now


async def keeps_the_contract_of_a_counter_source(source: CounterSource, now: datetime) -> None:
    (canary,) = await source.samples('hits{arm="canary"}', until=now, window_seconds=60)
    assert canary.labels["job"] == "app"
    values = [value for _, value in canary.samples]
    assert values == [float(n) for n in range(1, len(values) + 1)]
    times = [at for at, _ in canary.samples]
    assert times == sorted(times)
    assert times[-1] <= now.timestamp()

    third = datetime.fromtimestamp(times[2], UTC)
    window = times[2] - times[0]
    (some,) = await source.samples('hits{arm="canary"}', until=third, window_seconds=window)
    assert [value for _, value in some.samples] == [2.0, 3.0]

    assert len(await source.samples("hits", until=now, window_seconds=60)) == 2
    assert await source.samples("misses", until=now, window_seconds=60) == ()
    an_hour_ago = now - timedelta(hours=1)
    assert await source.samples("hits", until=an_hour_ago, window_seconds=60) == ()

    for up in ("up", 'up{job=~"app|web"}'):
        assert times[-1] - 0.001 <= await source.last_scrape(up, at=now) <= now.timestamp()
    assert await source.last_scrape('up{job=~"web"}', at=now) == 0
    assert await source.last_scrape("up", at=an_hour_ago) == 0
    most = await source.most_scrapes(until=now, window_seconds=60)
    assert most in (len(times), len(times) + 1), "one more may have been on its way"
    assert await source.most_scrapes(until=an_hour_ago, window_seconds=60) == 0


async def test_the_fake_keeps_the_contract_of_a_counter_source() -> None:
    fake, now = scraped_by_hand(5)
    await keeps_the_contract_of_a_counter_source(fake, now)


@pytest.mark.sandbox
async def test_prometheus_keeps_the_contracts_of_both_sources(prometheus: Prometheus) -> None:
    source = PrometheusSource(prometheus.url)
    now = await scraped(source, 5)
    await keeps_the_contract_of_a_counter_source(source, now)
    with pytest.raises(Permanent, match="parse error"):
        await source.samples("hits{", until=now, window_seconds=5)

    assert await source.value('sum(hits{arm=""})', at=now) == 7
    assert await source.value("scalar(vector(3))", at=now) == 3
    assert await source.value("misses", at=now) is None
    assert await source.value("vector(0) / 0", at=now) is None
    assert await source.value("vector(1) / 0", at=now) is None
    with pytest.raises(Permanent, match="parse error"):
        await source.value("sum(", at=now)
    with pytest.raises(Permanent, match="2 series"):
        await source.value("hits", at=now)
    with pytest.raises(Permanent, match=r"many-to-many|matching"):
        await source.value("hits / on(job) hits", at=now)

    await prometheus.stop()
    with pytest.raises(Unavailable, match="can't be reached"):
        await source.value("hits", at=now)
    await prometheus.start()
    assert await source.value('sum(hits{arm=""})', at=now) == 7
    await source.close()
