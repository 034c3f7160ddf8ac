"""What a release costs the API server, by verb and kind: the most of each, never how long it takes."""

from collections import Counter

import pytest

from rollouts.ports import Record
from tests.fakes.control_loop import CRITERIA, ControlLoop
from tests.fakes.kubernetes import rollout

P99 = {"name": "p99", "latency": {"quantile": 0.99, "max": "500ms"}}
STATUS = ("patch", "Rollout/status")
OF_A_CANARY = {
    ("create", "ReplicaSet"): 1,
    ("patch", "ReplicaSet"): 3,  # its size at 50 % and at 100 %, and the end of the old one
    ("create", "Service"): 1,
    ("patch", "Service"): 1,
    ("apply", "Ingress"): 3,  # 10 %, 50 %, 100 %
    ("delete", "Ingress"): 1,
    STATUS: 9,  # each step is entered and confirmed; promoted, Healthy, and the old revision gone
    ("record", "Event"): 1,
}
"""What nobody who reads status, and no successor, could do without; Events that may wait go with the next."""


async def promoted(loop: ControlLoop, pause_seconds: int, requests_per_second: int) -> None:
    """Release version 2 under traffic that grows the sample with each measurement."""
    steps = [
        {"setWeight": 10},
        {"pause": {"duration": pause_seconds}},
        {"setWeight": 50},
        {"pause": {"duration": pause_seconds}},
    ]
    strategy = rollout(steps)["spec"]["strategy"]
    await loop.deployed(strategy=strategy, successCriteria=[*CRITERIA, P99])
    loop.cluster.writes.clear()
    loop.monitor.requests = 0
    loop.release("shop:2")

    def measured() -> bool:
        loop.monitor.requests += requests_per_second
        return loop.status["phase"] == "Healthy" and not loop.status["retiring"]

    await loop.until(lambda: measured() and "Promoted" in loop.reasons(), 3 * pause_seconds + 60)
    await loop.run(20)


def counted(loop: ControlLoop) -> Counter[tuple[str, str]]:
    """Return the writes, without the Events that are told with another one."""
    wait = sum(isinstance(each, Record) and each.may_wait for each in loop.cluster.writes)
    return loop.writes() - Counter({("record", "Event"): wait})


@pytest.mark.parametrize("pause_seconds", [5, 10, 20])
async def test_a_canary_costs_what_somebody_would_miss(
    loop: ControlLoop, pause_seconds: int
) -> None:
    await promoted(loop, pause_seconds, requests_per_second=5)
    assert counted(loop) <= Counter(OF_A_CANARY)


async def test_a_long_canary_costs_a_handful_of_writes_more(loop: ControlLoop) -> None:
    """Its numbers are written when they are half a minute old, and then ever more rarely."""
    await promoted(loop, pause_seconds=600, requests_per_second=5)
    assert counted(loop) <= Counter({**OF_A_CANARY, STATUS: 9 + 10})
