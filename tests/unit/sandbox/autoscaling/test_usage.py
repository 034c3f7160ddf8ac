"""CPU time becomes cores over a window; processes that go take what is known with them."""

import os

import pytest

from rollouts.model.kinds import JSON
from rollouts.sandbox.autoscaling.usage import CpuUsage, cpu_seconds


class Machine:
    """The CPU time of processes, and a clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.spent: dict[int, float] = {}

    def read(self, pid: int) -> float | None:
        return self.spent.get(pid)


def pod(*pids: int) -> JSON:
    containers = [{"containerID": f"process://{pid}"} for pid in pids]
    return {"metadata": {"uid": "pod"}, "status": {"containerStatuses": containers}}


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def usage(machine: Machine) -> CpuUsage:
    return CpuUsage(5, read=machine.read, clock=lambda: machine.now)


def test_the_first_look_only_begins(machine: Machine, usage: CpuUsage) -> None:
    machine.spent = {1: 10.0, 2: 0.0}
    assert usage.cores(pod(1, 2)) is None
    machine.now, machine.spent = 2.0, {1: 11.0, 2: 0.5}
    assert usage.cores(pod(1, 2)) == 0.75


def test_what_is_older_than_the_window_is_forgotten(machine: Machine, usage: CpuUsage) -> None:
    for machine.now in range(11):
        machine.spent = {1: min(machine.now, 5.0)}
        found = usage.cores(pod(1))
    assert found == 0.0


def test_a_new_process_begins_anew(machine: Machine, usage: CpuUsage) -> None:
    machine.spent = {1: 10.0}
    usage.cores(pod(1))
    machine.now, machine.spent = 1.0, {2: 0.1}
    assert usage.cores(pod(1)) is None, "it has gone"
    assert usage.cores(pod(2)) is None
    assert usage.cores({"metadata": {"uid": "pod"}}) is None, "it has not begun"


def test_what_is_known_of_other_pods_is_dropped(machine: Machine, usage: CpuUsage) -> None:
    machine.spent = {1: 1.0}
    usage.cores(pod(1))
    usage.forget_others(set())
    machine.now = 1.0
    assert usage.cores(pod(1)) is None


def test_the_kernel_knows_our_own() -> None:
    before = cpu_seconds(os.getpid())
    assert before is not None
    sum(number * number for number in range(300_000))
    assert (cpu_seconds(os.getpid()) or 0) >= before
    assert cpu_seconds(2**22 + 1) is None
