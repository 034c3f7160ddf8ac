"""Everything is given back to a Deployment that may be gone, or can't be written, on a fake cluster."""

from contextlib import suppress

import pytest

from rollouts.core.world import DETACH, REVERT
from rollouts.errors import Forbidden
from rollouts.model.kinds import DEPLOYMENT, POD, REPLICA_SET, SERVICE, Ref
from rollouts.model.routers.nginx import INGRESS
from rollouts.ports import Create, Patch, Record
from tests.fakes.adopting_loop import WORKLOAD, AdoptingControlLoop
from tests.fakes.control_loop import KEY, ControlLoop
from tests.fakes.deployments import deployment
from tests.fakes.kubernetes import canary_weight, selected


@pytest.fixture
def loop() -> AdoptingControlLoop:
    return AdoptingControlLoop()


def events(loop: ControlLoop) -> list[str]:
    return [each.reason for each in loop.cluster.writes if isinstance(each, Record)]


async def rounds(loop: AdoptingControlLoop, seconds: int) -> None:
    """Let time pass where writes are refused."""
    for _ in range(seconds):
        with suppress(AssertionError, Forbidden):
            await loop.round()
        loop.clock.move(1)


async def test_a_template_that_can_t_be_given_back_for_a_while_is_given_back_then() -> None:
    loop = AdoptingControlLoop()
    loop.apply(workloadRef={"scaleDown": "never"})
    await loop.until(lambda: loop.status.get("phase") == "Healthy")
    loop.release("shop:2")
    await loop.until(lambda: canary_weight(loop.cluster) == 25)
    loop.cluster.refuses = lambda write: (
        Forbidden("no") if isinstance(write, Patch) and write.ref == WORKLOAD else None
    )
    loop.detach()
    await rounds(loop, 60)
    assert selected(loop.cluster, "checkout") != "", (
        "its Services would select what was not promoted"
    )
    loop.cluster.refuses = lambda _: None
    await loop.gone()
    assert loop.workload["spec"]["template"]["spec"]["containers"][0]["image"] == "shop:1"
    assert events(loop).count("TemplateGivenBack") == 1


@pytest.mark.parametrize("finalizer", [DETACH, REVERT])
async def test_a_rollout_that_is_deleted_with_its_deployment_goes_after_a_minute(
    loop: AdoptingControlLoop, finalizer: str
) -> None:
    await loop.adopted(revertOnDeletion=finalizer == REVERT)
    loop.cluster.drop(WORKLOAD)
    loop.detach(finalizer)
    await loop.run(50)
    assert loop.rollout["metadata"]["finalizers"] == [finalizer]
    assert "create it; without it the Rollout goes at" in loop.status["message"]
    assert loop.status["phase"] == "Degraded"
    await loop.run(20)
    assert not loop.rollout["metadata"]["finalizers"]
    assert "NotReverted" in events(loop)
    assert selected(loop.cluster, "checkout") == "", "who comes next is found by the Service"


async def test_without_its_deployment_it_stays_until_its_services_are_given_back(
    loop: AdoptingControlLoop,
) -> None:
    """Nobody else would ever take our key out, and whoever comes next would not be found by them."""
    await loop.adopted()
    loop.cluster.drop(WORKLOAD)
    loop.cluster.refuses = lambda write: (
        Forbidden("no") if isinstance(write, Patch) and write.ref.kind == SERVICE else None
    )
    loop.detach()
    await rounds(loop, 120)
    assert loop.rollout["metadata"]["finalizers"]
    assert events(loop).count("Blocked") == 2
    loop.cluster.refuses = lambda _: None
    await loop.run(2)
    assert not loop.rollout["metadata"]["finalizers"]
    assert selected(loop.cluster, "checkout") == ""
    assert events(loop).count("NotReverted") == 1


async def test_a_deployment_that_is_only_replaced_is_given_everything_back(
    loop: AdoptingControlLoop,
) -> None:
    await loop.adopted()
    loop.cluster.drop(WORKLOAD)
    for each in loop.cluster.select(REPLICA_SET, "shop", {"app": "checkout"}):  # its own go with it
        loop.cluster.drop(Ref(REPLICA_SET, "shop", each["metadata"]["name"]))
    loop.detach()
    await loop.run(30)
    loop.cluster.put(DEPLOYMENT, deployment(replicas=0))
    await loop.gone()
    assert loop.workload["status"]["availableReplicas"] == 4
    assert "NotReverted" not in events(loop)


async def test_a_deployment_that_goes_on_the_way_back_is_waited_for_no_longer(
    loop: AdoptingControlLoop,
) -> None:
    await loop.adopted()
    loop.detach()
    await loop.round()
    loop.cluster.edit(WORKLOAD, {"metadata": {"deletionTimestamp": "2030-01-01T00:00:00Z"}})
    await loop.run(70)
    assert not loop.rollout["metadata"]["finalizers"]


@pytest.mark.parametrize("release", [False, True], ids=["settled", "in-a-release"])
async def test_a_namespace_that_goes_is_not_held_up(
    loop: AdoptingControlLoop, release: bool
) -> None:
    await loop.adopted(revertOnDeletion=True)
    if release:
        loop.release("shop:2")
        await loop.until(lambda: canary_weight(loop.cluster) == 25)
    loop.cluster.refuses = lambda write: (
        Forbidden("the namespace is being terminated") if isinstance(write, Create) else None
    )
    for kind in (DEPLOYMENT, REPLICA_SET, SERVICE, INGRESS, POD):
        for each in loop.cluster.select(kind, "shop"):
            loop.cluster.drop(Ref(kind, "shop", each["metadata"]["name"]))
    loop.detach(REVERT)
    await loop.reconciler.reconcile(KEY)
    assert not loop.rollout["metadata"]["finalizers"]


async def test_a_rollout_that_was_never_valid_has_nothing_to_give_back(
    loop: AdoptingControlLoop,
) -> None:
    loop.apply(strategy={"canary": {"steps": [{"setWait": 5}]}})
    await loop.round()
    loop.detach()
    await loop.round()
    assert not loop.rollout["metadata"]["finalizers"]
