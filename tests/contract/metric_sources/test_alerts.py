"""The chart's alerts, asked of a real Prometheus that scrapes a controller's own metrics: silent while all is well."""

from typing import TYPE_CHECKING

import httpx
import pytest
import yaml

from rollouts.controller.metrics import ControllerMetrics
from rollouts.model.kinds import JSON
from tests.chart import CHART
from tests.contract.metric_sources.conftest import Exporter
from tests.metric_servers.choice import each_of
from tests.metric_servers.servers import PROMETHEUS_OF_DEBIAN, MetricServer
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.sandbox

(GROUP,) = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())["groups"]
ALERTS: dict[str, JSON] = {each["alert"]: each for each in GROUP["rules"]}
SCRAPES = 5
"""So often in a row: a rate needs two, and what is seen is behind by one."""


class Controller:
    """The metrics of a controller, and what goes on between two scrapes."""

    def __init__(self) -> None:
        self.metrics = ControllerMetrics()
        self.depth, self.phases = 0, {"Healthy": 3}
        self.metrics.watch(lambda: self.depth, lambda: self.phases)
        self.metrics.leading.set(1)
        self.between: list[Callable[[], None]] = [lambda: self.reconciles("done")]

    def reconciles(self, outcome: str) -> None:
        self.metrics.reconciles.labels(outcome).inc()

    def render(self) -> bytes:
        for each in self.between:
            each()
        return self.metrics.render()


def no_leader(controller: Controller) -> None:
    controller.metrics.leading.set(0)


def degraded(controller: Controller) -> None:
    controller.phases = {"Healthy": 3, "Degraded": 1}


def unmeasured(controller: Controller) -> None:
    controller.between.append(lambda: controller.metrics.measured(0.1, errors=1))


def failing(controller: Controller) -> None:
    controller.between.append(lambda: controller.reconciles("bug"))


def crowded(controller: Controller) -> None:
    controller.depth = 300


TROUBLES = {
    "RolloutsHasNoLeader": no_leader,
    "RolloutDegraded": degraded,
    "RolloutsCannotMeasure": unmeasured,
    "RolloutsReconcileFails": failing,
    "RolloutsQueueIsLong": crowded,
}


@each_of(PROMETHEUS_OF_DEBIAN)
async def test_each_alert_is_about_its_trouble_and_no_other(
    server: MetricServer, exporter: Exporter
) -> None:
    assert set(TROUBLES) == set(ALERTS)
    server.configure({exporter.target: {}})
    await server.start()
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as client:

        async def firing() -> list[str]:
            answers = {
                name: await client.get("/api/v1/query", params={"query": each["expr"]})
                for name, each in ALERTS.items()
            }
            return [name for name, said in answers.items() if said.json()["data"]["result"]]

        async def scraped() -> None:
            enough = exporter.scrapes + SCRAPES
            await until(lambda: exporter.scrapes >= enough)

        assert await firing() == ["RolloutsHasNoLeader"], "nobody is scraped"
        well = Controller()
        exporter.says = well.render
        await scraped()
        assert await firing() == []
        for name, begin in TROUBLES.items():
            begin(well)
            await scraped()
            assert name in await firing()
        assert await firing() == list(ALERTS)
