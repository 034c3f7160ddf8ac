"""Requests that come by in virtual time, split by weight, and counted as ingress-nginx does."""

import math
import random
from typing import Literal

from rollouts.traffic.nginx.counters import REQUESTS
from tests.fakes.metrics import FakeMetrics

Arrivals = Literal["even", "poisson"]
EXPORTER = {"job": "nginx", "instance": "10.0.0.1:10254"}
CANARY, STABLE = "shop-checkout-canary-80", ""


class VirtualTraffic:
    """
    `rate` requests per second, evenly spaced or by chance (`arrivals`).

    nginx draws for each whether the canary gets it, and the canary whether it `fails`; stable
    never fails.
    """

    def __init__(
        self,
        metrics: FakeMetrics,
        draw: random.Random,
        rate: float,
        fails: float,
        arrivals: Arrivals,
    ) -> None:
        self._metrics = metrics
        self._draw = draw
        self._rate = rate
        self._fails = fails
        self._arrivals = arrivals
        self._due = draw.random()
        metrics.count("up", 1, **EXPORTER)

    def come(self, seconds: float, weight_percent: int) -> int:
        """Let the requests of some time be answered; return how many the canary failed."""
        requests = self._requests(seconds)
        canary = binomial(self._draw, requests, weight_percent / 100)
        failed = binomial(self._draw, canary, self._fails)
        for arm, status, count in (
            (STABLE, "200", requests - canary),
            (CANARY, "200", canary - failed),
            (CANARY, "500", failed),
        ):
            if count:
                self._metrics.count(REQUESTS, count, **_labels(arm, status))
        return failed

    def _requests(self, seconds: float) -> int:
        if self._arrivals == "poisson":
            return poisson(self._draw, self._rate * seconds)
        self._due += self._rate * seconds
        requests = int(self._due)
        self._due -= requests
        return requests


def binomial(draw: random.Random, trials: int, probability: float) -> int:
    """Return how many of `trials` succeed, by leaps from one success to the next."""
    if probability > 0.5:
        return trials - binomial(draw, trials, 1 - probability)
    if probability <= 0:
        return 0
    scale = math.log1p(-probability)
    successes, at = -1, 0
    while at <= trials:
        successes += 1
        at += int(math.log(1.0 - draw.random()) / scale) + 1
    return successes


def poisson(draw: random.Random, mean: float) -> int:
    """Return how many events there are in a time in which `mean` are expected."""
    events, at = -1, 0.0
    while at <= mean:
        events += 1
        at += draw.expovariate(1.0)
    return events


def _labels(arm: str, status: str) -> dict[str, str]:
    facts = {"ingress": "checkout", "namespace": "shop", "service": "checkout"}
    return {**EXPORTER, **facts, "canary": arm, "status": status}
