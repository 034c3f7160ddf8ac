"""A harness for what the pods of two revisions count themselves."""

from dataclasses import replace
from typing import Any

from rollouts.analysis.exposed_canary import ExposedCanary
from rollouts.controller.metrics import ControllerMetrics
from rollouts.model.kinds import JSON
from rollouts.model.rollout_key import Key
from rollouts.model.status import Revision
from rollouts.model.validation import parse_rollout
from tests.fakes.clock import ManualClock
from tests.fakes.kubernetes import rollout
from tests.fakes.metrics import FakeMetrics
from tests.unit.analysis.harness import ERRORS, MonitorOnTheBeat, ScrapedMonitor

KEY = Key("shop", "checkout")
HASHES = {"canary": "canaryhash", "stable": "stablehash"}
BLUE_GREEN: JSON = {"blueGreen": {"activeService": "checkout", "previewService": "preview"}}
BY_REPLICAS: JSON = {"canary": {"steps": [{"setWeight": 25}]}}


def target(
    strategy: JSON, criteria: tuple[JSON, ...] = (ERRORS,), key: Key = KEY, **spec: Any
) -> ExposedCanary:
    body = rollout([], successCriteria=list(criteria), **spec)
    body["spec"]["strategy"] = strategy
    return ExposedCanary(
        key,
        parse_rollout(body),
        ManualClock().now(),
        None,
        Revision(number=4, hash=HASHES["canary"]),
        Revision(number=3, hash=HASHES["stable"]),
        weight_percent=0,
    )


class AppHarness(ScrapedMonitor):
    """Pods that count their requests, scraped every 5 s."""

    def __init__(self, *criteria: JSON, strategy: JSON = BY_REPLICAS, **spec: Any) -> None:
        self.clock = ManualClock()
        self.metrics = FakeMetrics()
        self.exported = ""
        self.monitor = MonitorOnTheBeat(
            self.metrics.sources,
            self.clock,
            ControllerMetrics(),
            lambda _: None,
            interval_seconds=15,
        )
        self.target = target(strategy, criteria or (ERRORS,), **spec)

    def pod(self, arm: str, number: int) -> dict[str, str]:
        """Return the labels that scraping a pod adds."""
        name = f"{KEY.name}-{HASHES[arm]}-{number}"
        if self.exported:
            return {
                "job": "collector",
                "instance": "collector",
                "exported_namespace": KEY.namespace,
                "exported_pod": name,
                "namespace": "monitoring",
                "pod": "collector-0",
            }
        instance = f"{arm}-{number}:8080"
        return {"job": "pods", "instance": instance, "namespace": KEY.namespace, "pod": name}

    def begin(self, arm: str, number: int = 1, up: int = 1) -> None:
        """Let a pod be scraped from now on."""
        self.metrics.count("up", up, **self.pod(arm, number))

    def serve(
        self, arm: str, requests: int = 1, code: str = "200", number: int = 1, **labels: str
    ) -> None:
        name = labels.pop("metric", "http_requests_total")
        self.metrics.count(name, requests, **{**self.pod(arm, number), "code": code, **labels})

    def take(self, arm: str, requests: int, seconds: float) -> None:
        for bound in (0.1, 0.5, float("inf")):
            le = "+Inf" if bound == float("inf") else f"{bound:g}"
            count = requests if seconds <= bound else 0
            self.metrics.count(
                "http_request_duration_seconds_bucket", count, **{**self.pod(arm, 1), "le": le}
            )

    def end(self, arm: str, number: int = 1) -> None:
        """Let a pod go, and all its series with it."""
        pod = ("pod", self.pod(arm, number)["pod"])
        self.metrics.values = {k: v for k, v in self.metrics.values.items() if pod not in k}

    def stop_answering(self, arm: str, number: int = 1) -> None:
        """Let a pod answer no scrape any more."""
        self.end(arm, number)
        self.begin(arm, number, up=0)

    async def expose(self) -> None:
        """Scrape stable for a while, and begin."""
        self.begin("stable")
        await self.wait(20)
        self.follow(exposed_at=self.clock.now())

    def follow(self, **changes: Any) -> None:
        self.target = replace(self.target, **changes)
        self.monitor.follow(self.target)
