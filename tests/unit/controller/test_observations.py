"""What was observed is remembered, and never longer than the cluster would say the same."""

from dataclasses import replace
from typing import Any

import pytest

from rollouts.controller.observation_input import ObservationInput
from rollouts.controller.observations import Observations
from rollouts.core.world import Observed
from rollouts.model.kinds import JSON, POD, ROLLOUT, SERVICE, Kind, Ref
from rollouts.model.routers.nginx import INGRESS
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import RolloutStatus
from rollouts.model.validation import parse_rollout
from tests.fakes.control_loop import ControlLoop
from tests.fakes.kubernetes import service


@pytest.fixture
async def deployed(loop: ControlLoop) -> ControlLoop:
    return await loop.deployed()


class Counting:
    """Reads that are counted by what they ask for."""

    def __init__(self, loop: ControlLoop) -> None:
        self._cluster = loop.cluster
        self.asked: list[object] = []

    def get(self, ref: Ref) -> JSON | None:
        self.asked.append(ref)
        return self._cluster.get(ref)

    def select(self, kind: Kind, namespace: str, labels: Any = None) -> list[JSON]:
        self.asked.append((kind, namespace, tuple((labels or {}).items())))
        return self._cluster.select(kind, namespace, labels)

    def refusal(self, kind: Kind, namespace: str) -> str:
        self.asked.append(("refusal", kind, namespace))
        return self._cluster.refusal(kind, namespace)


def seen(loop: ControlLoop, observations: Observations, **changes: Any) -> Observed:
    rollout = loop.cluster.get(Ref(ROLLOUT, "shop", "checkout"))
    assert rollout is not None
    inputs = replace(input_of(parse_rollout(rollout)), **changes)
    return observations.observe(loop.cluster, rollout, inputs, quiet_seconds=2)


def input_of(spec: RolloutSpec) -> ObservationInput:
    return ObservationInput.of(spec, RolloutStatus())


async def test_it_is_kept_while_nothing_has_changed(deployed: ControlLoop) -> None:
    observations = Observations()
    first = seen(deployed, observations)
    assert seen(deployed, observations).replica_sets is first.replica_sets


@pytest.mark.parametrize(
    "kind", [ROLLOUT, SERVICE, INGRESS, POD], ids=["Rollout", "Service", "Ingress", "Pod"]
)
async def test_any_object_that_it_was_made_of_makes_it_anew(
    deployed: ControlLoop, kind: Kind
) -> None:
    observations = Observations()
    first = seen(deployed, observations)
    found = deployed.cluster.select(kind, "shop")[0]
    ref = Ref(kind, "shop", found["metadata"]["name"])
    deployed.cluster.edit(ref, {"metadata": {"annotations": {"by": "somebody"}}})
    assert seen(deployed, observations).replica_sets is not first.replica_sets


async def test_an_object_that_appears_and_one_that_goes_make_it_anew(
    deployed: ControlLoop,
) -> None:
    observations = Observations()
    first = seen(deployed, observations)
    other = service()
    other["metadata"]["name"] = "another"
    deployed.cluster.put(SERVICE, other)
    second = seen(deployed, observations)
    deployed.cluster.drop(Ref(SERVICE, "shop", "another"))
    third = seen(deployed, observations)
    assert first.replica_sets is not second.replica_sets is not third.replica_sets


async def test_it_is_made_anew_by_another_spec_or_status(deployed: ControlLoop) -> None:
    observations = Observations()
    first = seen(deployed, observations)
    assert seen(deployed, observations, services=("left",)).services is not first.services


async def test_each_thing_is_asked_for_once(deployed: ControlLoop) -> None:
    reads = Counting(deployed)
    rollout = deployed.rollout
    inputs = input_of(parse_rollout(rollout))
    Observations().observe(reads, rollout, inputs, quiet_seconds=2)
    assert len(reads.asked) == len(set(reads.asked))


async def test_it_is_forgotten_when_settled_and_with_its_rollout(deployed: ControlLoop) -> None:
    """What comes next is a change, and of thousands that are settled nothing is kept."""
    known = deployed.reconciler.observations._known
    assert not known
    deployed.release("shop:2")
    await deployed.round()
    assert known
    deployed.cluster.drop(Ref(ROLLOUT, "shop", "checkout"))
    await deployed.round()
    assert not known
