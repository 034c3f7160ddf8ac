"""
Restarts in virtual time, by controllers that see late and die often.

Pods, the ReplicaSet's status and the Service's endpoints are seen with delays of their own.
Whatever is seen, what is there must never be less than the strategy's maxUnavailable leaves.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from rollouts.core.actions import Action, EvictPod, ScaleReplicaSet
from rollouts.core.decide import decide
from rollouts.core.observed import Command, Observed, Pod, ReplicaSet
from rollouts.core.pace import pace
from rollouts.model.evidence import Evidence
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import RolloutStatus
from rollouts.model.validation import parse_rollout
from tests.fakes import kubernetes
from tests.unit.core.worlds import NOW, OLD, observed, replica_set, service, settled

TICK = timedelta(milliseconds=250)


@dataclass
class Fleet:
    """The pods that there are, and what has been seen of them at each moment."""

    spec: RolloutSpec
    random: random.Random
    now = NOW
    wanted: int = 0
    made: int = 0
    pods: dict[str, Pod] = field(default_factory=dict)
    ready_after: dict[str, int] = field(default_factory=dict)
    past: list[tuple[Pod, ...]] = field(default_factory=list)
    seen: list[int] = field(default_factory=lambda: [0, 0, 0])

    def tick(self) -> None:
        """Let the ReplicaSet's controller and the kubelets work for a moment."""
        self.now += TICK
        for name in sorted(self.pods, key=lambda each: self.pods[each].ready)[: self.over]:
            del self.pods[name]
        while len(self.pods) < self.wanted:
            self.made += 1
            name = f"pod-{self.made}"
            self.pods[name] = Pod(name, ready=False, created_at=self.now.replace(microsecond=0))
            self.ready_after[name] = self.random.randint(1, 12)
        for name, pod in self.pods.items():
            self.ready_after[name] -= 1
            if self.ready_after[name] <= 0:
                self.pods[name] = replace(pod, ready=True)
        self.past.append(tuple(self.pods.values()))

    @property
    def over(self) -> int:
        return max(0, len(self.pods) - self.wanted)

    @property
    def ready(self) -> int:
        return sum(pod.ready for pod in self.pods.values())

    def observed(self) -> Observed:
        """Return what is seen: three caches, each as late as it likes, none going back."""
        newest = len(self.past) - 1
        self.seen = [self.random.randint(max(each, newest - 6), newest) for each in self.seen]
        pods, counted, endpoints = (self.past[each] for each in self.seen)
        ready = sum(pod.ready for pod in pods)
        found: ReplicaSet = replace(
            replica_set(OLD, len(pods), ready),
            wanted=self.wanted,
            pods=pods,
            available=min(ready, sum(pod.ready for pod in counted)),
        )
        behind = service("checkout", OLD, **{OLD: sum(pod.ready for pod in endpoints)})
        return observed(OLD, replica_sets={OLD: found}, services={"checkout": behind})

    def carry_out(self, action: Action) -> None:
        match action:
            case EvictPod(name) if name in self.pods:
                del self.pods[name]
                keep = pace(self.spec, RolloutStatus()).keep
                assert self.ready >= keep, f"{self.ready} of {keep} pods are left without {name}"
            case ScaleReplicaSet(_, count):
                self.wanted = count


def restart(fleet: Fleet, status: RolloutStatus) -> Iterator[RolloutStatus]:
    """Yield status after each decision, until the restart is over and the size is as before."""
    asked = Command(id="once", verb="restart")
    for _ in range(4000):
        fleet.tick()
        seen = replace(fleet.observed(), command=asked)
        decision = decide(fleet.spec, status, seen, Evidence(), fleet.now)
        for action in decision.actions:
            fleet.carry_out(action)
            if fleet.random.random() < 0.1:
                break  # it died, and wrote nothing
        else:
            status = decision.status
        yield status
        if status.last_command and status.restart is None and fleet.wanted == fleet.spec.replicas:
            return
    raise AssertionError(f"it never ends: {status.message}")


@pytest.mark.parametrize("seed", range(60))
def test_never_too_many_are_missing_and_it_ends(seed: int) -> None:
    dice = random.Random(seed)
    size = dice.choice([1, 1, 2, 3, 4, 5, 8, 12])
    rollout = kubernetes.rollout([], replicas=size)
    rollout["spec"]["strategy"]["canary"]["maxUnavailable"] = dice.choice([0, 1, "25%", "50%"])
    fleet = Fleet(parse_rollout(rollout), dice, wanted=size)
    for _ in range(20):
        fleet.tick()
    before = set(fleet.pods)
    status = settled(fleet.spec).status
    *_, status = restart(fleet, status)
    fleet.tick()
    assert not before & set(fleet.pods), f"seed {seed}"
    assert len(fleet.pods) == size
    assert fleet.made <= 2 * size + 1, "no pod was replaced twice"
