"""The chart's dashboards, asked of a real Prometheus that scrapes a controller's own metrics: each panel shows something."""

import json
import math
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from rollouts.model.kinds import JSON
from tests.chart import CHART
from tests.contract.metric_sources.conftest import Exporter
from tests.fakes.control_loop import KEY, ControlLoop
from tests.metric_servers.choice import each_of
from tests.metric_servers.servers import PROMETHEUS_OF_DEBIAN, SCRAPE_SECONDS, MetricServer
from tests.waiting import until

pytestmark = pytest.mark.sandbox

DASHBOARDS: dict[str, JSON] = {
    each.stem: json.loads(each.read_text())
    for each in sorted((CHART / "files" / "dashboards").glob("*.json"))
}
FILLED_IN = {
    "$namespace": KEY.namespace,
    "$name": KEY.name,
    "$__rate_interval": "5s",
    "$__range": "1m",
}
SCRAPES = 3


@dataclass(frozen=True)
class Query:
    """What Grafana asks; `at_once`: for the present alone, and not for a range of time."""

    where: str
    expression: str
    at_once: bool

    @property
    def asked(self) -> str:
        text = self.expression
        for variable, value in sorted(FILLED_IN.items(), reverse=True):
            text = text.replace(variable, value)
        return text


def queries(name: str) -> Iterator[Query]:
    """Yield those of a dashboard's panels and annotations."""
    made = DASHBOARDS[name]
    for panel in made["panels"]:
        for target in panel["targets"]:
            at_once = bool(target.get("instant"))
            yield Query(f"{name}: {panel['title']}", target["expr"], at_once)
    for each in made["annotations"]["list"]:
        yield Query(f"{name}: {each['name']}", each["expr"], at_once=False)


def selectors(name: str) -> Iterator[tuple[str, str]]:
    """Yield what chooses the values of each variable, and the label that has them."""
    for each in DASHBOARDS[name]["templating"]["list"]:
        found = re.fullmatch(r"label_values\((.+), (\w+)\)", each.get("definition", ""))
        if found is not None:
            yield found[1], found[2]


class Fleet:
    """A controller and its one Rollout: what it shows goes on from scrape to scrape."""

    def __init__(self) -> None:
        self.loop = ControlLoop()
        self.metrics = self.loop.reconciler.metrics
        self.metrics.watch(lambda: 2, lambda: {"Healthy": 3, "Progressing": 1})
        self.metrics.leading.set(1)

    def render(self) -> bytes:
        self.metrics.reconciles.labels("done").inc()
        self.metrics.measured(0.1, errors=1)
        return self.metrics.render()

    async def rolls_back(self) -> None:
        self.loop.release("shop:2")
        await self.loop.until(lambda: self.loop.status["weights"]["applied"] == 25)
        self.loop.monitor.failures = 300
        await self.loop.until(lambda: "abort" in self.loop.status)
        self.loop.monitor.failures = 0
        await self.loop.run(30)

    async def has_its_weight(self, percent: int) -> None:
        await self.loop.until(lambda: self.loop.status["weights"]["applied"] == percent)
        await self.loop.run(3)


def values(answer: JSON) -> list[float]:
    """Return every number of an answer."""
    found = answer["data"]["result"]
    points = [point for each in found for point in each.get("values") or [each["value"]]]
    return [float(value) for _, value in points]


@each_of(PROMETHEUS_OF_DEBIAN)
async def test_each_panel_shows_something(server: MetricServer, exporter: Exporter) -> None:
    # As every discovery of targets does, this says where the controller runs.
    server.configure({exporter.target: {"namespace": "rollouts-system"}})
    fleet = Fleet()
    await fleet.loop.deployed()
    exporter.says = fleet.render
    begun = time.time()
    await server.start()

    async def scraped() -> None:
        enough = exporter.scrapes + SCRAPES
        await until(lambda: exporter.scrapes >= enough)

    await scraped()
    await fleet.rolls_back()
    await scraped()
    fleet.loop.release("shop:3")
    for percent in (25, 50):
        await fleet.has_its_weight(percent)
        await scraped()
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as client:

        async def answer(query: Query) -> JSON:
            asked: dict[str, str | float] = {"query": query.asked}
            if query.at_once:
                said = await client.get("/api/v1/query", params=asked)
            else:
                asked |= {"start": begun, "end": time.time(), "step": SCRAPE_SECONDS}
                said = await client.get("/api/v1/query_range", params=asked)
            assert said.status_code == 200, (query, said.text)
            return dict(said.json())

        for name in DASHBOARDS:
            for query in queries(name):
                numbers = values(await answer(query))
                assert [each for each in numbers if not math.isnan(each)], query
            for selector, label in selectors(name):
                shown = await answer(Query(name, selector, at_once=True))
                assert all(label in each["metric"] for each in shown["data"]["result"])
                assert shown["data"]["result"], selector


def test_each_metric_of_the_controller_s_own_is_on_a_dashboard() -> None:
    """But what says no more than another."""
    asked = " ".join(query.expression for name in DASHBOARDS for query in queries(name))
    families = {each.name for each in Fleet().metrics.registry.collect()}
    assert {each for each in families if each not in asked} == {"rollouts_reconcile_seconds"}


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_lie_side_by_side(name: str) -> None:
    places = [each["gridPos"] for each in DASHBOARDS[name]["panels"]]
    cells = [
        (x, y)
        for each in places
        for x in range(each["x"], each["x"] + each["w"])
        for y in range(each["y"], each["y"] + each["h"])
    ]
    assert len(cells) == len(set(cells))
    assert all(each["x"] + each["w"] <= 24 for each in places)
