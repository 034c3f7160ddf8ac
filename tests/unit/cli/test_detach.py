"""`detach` from the command line's side: what it asks for, tells, and how it ends."""

from collections.abc import Callable

import pytest

from rollouts.core.world import DETACH, REVERT
from rollouts.errors import Unavailable
from rollouts.model.kinds import JSON
from tests.unit.cli.conftest import FakeRequests, Ran
from tests.unit.cli.objects import healthy, rollout

Run = Callable[..., Ran]


def adopted(message: str = "revision 3 is stable", **metadata: object) -> JSON:
    body = rollout(3, {**healthy(3), "message": message})
    del body["spec"]["template"]
    body["spec"]["workloadRef"] = {"name": "shop"}
    body["metadata"] |= {"resourceVersion": "7", **metadata}
    return body


def deployment() -> JSON:
    metadata = {"namespace": "shop", "name": "shop"}
    return {"metadata": metadata, "spec": {"replicas": 4}, "status": {"availableReplicas": 4}}


def test_it_asks_tells_and_waits_until_the_rollout_is_gone(
    rollouts: Run, cluster: FakeRequests
) -> None:
    cluster.add("Rollout", adopted(finalizers=[REVERT]))
    cluster.add("Deployment", deployment())
    cluster.conflicts = 1
    cluster.script = [
        adopted("Deployment shop is given its pods again"),
        Unavailable("cut"),
        adopted("Deployment shop is given its pods again"),
        None,
    ]
    ran = rollouts("detach", "checkout", "--timeout", "30s")
    assert ran.code == 0
    assert cluster.patches == [
        {"metadata": {"resourceVersion": "7", "finalizers": [REVERT, DETACH]}}
    ]
    assert ran.err.count("Deployment shop is given its pods again") == 1
    assert ran.out == "checkout is gone; Deployment shop has 4 of 4 pods available\n"


def test_one_that_goes_already_is_only_waited_for(rollouts: Run, cluster: FakeRequests) -> None:
    going = adopted(finalizers=[DETACH], deletionTimestamp="2026-03-01T12:00:00Z")
    cluster.add("Rollout", going)
    cluster.script = [None]
    ran = rollouts("detach", "checkout")
    assert (ran.code, cluster.patches) == (1, [])
    assert ran.out == (
        "checkout is gone; Deployment shop does not exist, so nothing was given back\n"
    )


def test_without_anybody_to_give_back_to_nothing_is_deleted(
    rollouts: Run, cluster: FakeRequests
) -> None:
    cluster.add("Rollout", adopted())
    ran = rollouts("detach", "checkout")
    assert ran.code == 1
    assert "Deployment shop does not exist, so nothing can be given back to it" in ran.err
    assert cluster.patches == []


def test_without_a_deployment_it_is_refused(rollouts: Run, cluster: FakeRequests) -> None:
    cluster.add("Rollout", rollout(3, healthy(3)))
    ran = rollouts("detach", "checkout")
    assert ran.code == 1
    assert "Rollout checkout has no workloadRef" in ran.err
    assert cluster.patches == []


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--timeout", "0.05s"], 3, "is still there after 0.05 s: revision 3 is stable"),
        (["--no-wait"], 0, "is being given back to Deployment shop"),
        (["--timeout", "soon"], 2, "--timeout"),
    ],
)
def test_how_long_it_waits(
    rollouts: Run, cluster: FakeRequests, options: list[str], code: int, says: str
) -> None:
    cluster.add("Rollout", adopted())
    cluster.add("Deployment", deployment())
    ran = rollouts("detach", "checkout", *options)
    assert ran.code == code
    assert says in ran.out + ran.err
