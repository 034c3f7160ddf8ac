"""A PodDisruptionBudget's status says how many pods may go now."""

from typing import Any

import pytest

from rollouts.model.kinds import DEPLOYMENT, DISRUPTION_BUDGET, JSON, POD, REPLICA_SET
from tests.unit.sandbox.workloads.conftest import World
from tests.unit.sandbox.workloads.objects import LABELS, deployment, pod, replica_set


def budget(world: World, **spec: Any) -> None:
    meta = {"name": "web", "namespace": "default"}
    body = {"metadata": meta, "spec": {"selector": {"matchLabels": LABELS}, **spec}}
    world.store.create(DISRUPTION_BUDGET, body)
    world.settle()


def counts(world: World) -> tuple[int, int, int, int]:
    """Return how many pods are expected, must be healthy, are healthy, and may go."""
    status = world.get(DISRUPTION_BUDGET, "web")["status"]
    names = ("expectedPods", "desiredHealthy", "currentHealthy", "disruptionsAllowed")
    expected, desired, current, allowed = (status[name] for name in names)
    return expected, desired, current, allowed


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ({"minAvailable": 3}, (5, 3, 5, 2)),
        ({"minAvailable": 5}, (5, 5, 5, 0)),
        ({"minAvailable": 9}, (5, 9, 5, 0)),
        ({"minAvailable": "50%"}, (5, 3, 5, 2)),
        ({"maxUnavailable": 1}, (5, 4, 5, 1)),
        ({"maxUnavailable": "30%"}, (5, 3, 5, 2)),
        ({"maxUnavailable": 9}, (5, 0, 5, 5)),
    ],
)
def test_numbers_and_shares(world: World, spec: JSON, wanted: tuple[int, ...]) -> None:
    world.store.create(DEPLOYMENT, deployment(5))
    world.all_ready()
    budget(world, **spec)
    assert counts(world) == wanted


def test_a_share_is_of_what_is_wanted_not_of_what_there_is(world: World) -> None:
    world.store.create(REPLICA_SET, replica_set(4))
    world.all_ready()
    budget(world, maxUnavailable="25%")
    assert counts(world) == (4, 3, 4, 1)
    world.set_ready(world.names(POD)[0], ready=False)
    world.settle()
    assert counts(world) == (4, 3, 3, 0)
    world.store.patch(REPLICA_SET, "default", "web", {"spec": {"replicas": 8}})
    world.settle()
    assert counts(world) == (8, 6, 3, 0)


def test_pods_without_a_controller_count_where_a_number_is_meant(world: World) -> None:
    world.store.create(POD, pod("alone"))
    world.set_ready("alone", ready=True)
    budget(world, minAvailable=0)
    assert counts(world) == (1, 0, 1, 1)
    world.store.patch(
        DISRUPTION_BUDGET, "default", "web", {"spec": {"minAvailable": None, "maxUnavailable": 1}}
    )
    world.settle()
    assert counts(world) == (0, 0, 1, 0)


def test_an_evicted_pod_is_not_counted_until_it_is_clear_that_nobody_deletes_it(
    world: World,
) -> None:
    world.store.create(REPLICA_SET, replica_set(2))
    world.all_ready()
    budget(world, minAvailable=1)
    name = world.names(POD)[0]
    marked = {"disruptedPods": {name: world.now.isoformat()}}
    world.store.patch(DISRUPTION_BUDGET, "default", "web", {"status": marked}, "status")
    world.settle()
    assert counts(world) == (2, 1, 1, 0)
    world.later(121)
    assert counts(world) == (2, 1, 2, 1)
    assert "disruptedPods" not in world.get(DISRUPTION_BUDGET, "web")["status"]


def test_what_is_allowed_is_a_condition_and_is_written_once(world: World) -> None:
    world.store.create(REPLICA_SET, replica_set(2))
    world.all_ready()
    budget(world, minAvailable=1)
    (condition,) = world.get(DISRUPTION_BUDGET, "web")["status"]["conditions"]
    assert (condition["status"], condition["reason"]) == ("True", "SufficientPods")
    before = world.store.revision
    world.later(3600)
    assert world.store.revision == before
