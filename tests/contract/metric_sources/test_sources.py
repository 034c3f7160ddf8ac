"""
What a `CounterSource` and a `QuerySource` promise, on real servers that scrape a real counter.

The fake of the first keeps the same promises; that of the second answers what a test tells it.
"""

from datetime import UTC, datetime, timedelta

import pytest

from rollouts.errors import Permanent, Unavailable
from rollouts.metrics.prometheus import PrometheusSource
from rollouts.ports import CounterSource, QuerySource
from tests.contract.metric_sources.conftest import Exporter
from tests.fakes.metrics import FakeMetrics
from tests.metric_servers.choice import EVERY_SERVER
from tests.metric_servers.servers import MetricServer
from tests.waiting import answer


async def scraped(source: QuerySource, times: int) -> datetime:
    """Return the present, when the canary's counter has been scraped so often."""

    async def present() -> datetime | None:
        now = datetime.now(UTC)
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)  # Prometheus knows no less
        hits = await source.value('max(hits{arm="canary"})', at=now)
        return now if (hits.number or 0) >= times else None

    return await answer(present, 20)


async def settled(source: CounterSource, now: datetime, shows_within_seconds: float) -> None:
    """Wait until a moment is so long ago that nothing more comes to be known of it."""
    then = now.timestamp() + shows_within_seconds

    async def is_past() -> bool:
        return await source.last_scrape("up", at=datetime.now(UTC)) > then

    await answer(is_past, 20)


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


def hits(exporter: Exporter) -> str:
    """Return two series of a counter; the one of the canary grows with each scrape."""
    return f'hits{{arm="canary"}} {exporter.scrapes}\nhits{{arm=""}} 7\n'


@EVERY_SERVER
@pytest.mark.sandbox
async def test_a_server_keeps_the_contracts_of_both_sources(
    server: MetricServer, source: PrometheusSource, exporter: Exporter
) -> None:
    exporter.says = lambda: hits(exporter)
    server.configure({exporter.target: {}})
    await server.start()
    now = await scraped(source, 5)
    await settled(source, now, server.kind.shows_within_seconds)
    await keeps_the_contract_of_a_counter_source(source, now)
    await keeps_the_contract_of_a_query_source(source, now)
    with pytest.raises(Permanent, match="parse"):
        await source.samples("hits{", until=now, window_seconds=5)

    await server.stop()
    with pytest.raises(Unavailable, match="can't be reached"):
        await source.value("hits", at=now)
    await server.start()
    assert (await source.value('sum(hits{arm=""})', at=now)).number == 7


async def keeps_the_contract_of_a_query_source(source: QuerySource, now: datetime) -> None:
    for query, number in {
        'sum(hits{arm=""})': 7,
        "scalar(vector(3))": 3,
        "misses": None,
        "vector(0) / 0": None,
        "vector(1) / 0": None,
    }.items():
        assert (await source.value(query, at=now)).number == number
    with pytest.raises(Permanent, match="parse"):
        await source.value("sum(", at=now)
    with pytest.raises(Permanent, match="2 series"):
        await source.value("hits", at=now)
    with pytest.raises(Permanent, match=r"many-to-many|matching|duplicate"):
        await source.value("hits / on(job) hits", at=now)
