"""What a ResourceQuota refuses, and what is said of it."""

from functools import partial

import pytest

from rollouts.model.kinds import EVENT, JSON, POD, REPLICA_SET, SERVICE
from rollouts.sandbox.apiserver.builtins import RESOURCE_QUOTA
from tests.contract.api_server.objects import pod, replica_set, service
from tests.contract.api_server.wire import Wire
from tests.waiting import answer


async def counts(wire: Wire, **used: str) -> bool:
    quota = (await wire.get(wire.of(RESOURCE_QUOTA, "few"))).body
    status: JSON = quota.get("status") or {}
    return (status.get("used") or {}).items() >= used.items()


async def allowed(wire: Wire, **hard: str | int) -> None:
    """Allow so many objects, of which there are none yet."""
    body = {"metadata": {"name": "few"}, "spec": {"hard": hard}}
    await wire.post(wire.of(RESOURCE_QUOTA), body)
    await answer(partial(counts, wire, **dict.fromkeys(hard, "0")))


async def test_one_pod_more_than_there_may_be_is_forbidden(wire: Wire) -> None:
    await allowed(wire, pods=1)
    assert (await wire.post(wire.of(POD), pod())).status == 201
    for name in ("web-2", "web-1"):  # whether it is there already is not looked at any more
        refused = await wire.post(wire.of(POD), pod(name))
        assert (refused.status, refused.body["reason"]) == (403, "Forbidden")
        why = "exceeded quota: few, requested: pods=1, used: pods=1, limited: pods=1"
        assert refused.message == f'pods "{name}" is forbidden: {why}'
        assert refused.body["details"] == {"name": name, "kind": "pods"}


async def test_all_that_is_full_is_told(wire: Wire) -> None:
    await allowed(wire, **{"pods": 0, "count/pods": 0})
    refused = await wire.post(wire.of(POD), pod())
    numbers = ["requested: count/pods=1,pods=1", "used: count/pods=0,pods=0"]
    why = ", ".join(["exceeded quota: few", *numbers, "limited: count/pods=0,pods=0"])
    assert refused.message == f'pods "web-1" is forbidden: {why}'


async def test_an_apply_that_creates_is_counted_and_one_that_changes_is_not(wire: Wire) -> None:
    await allowed(wire, services=1)
    assert (await wire.apply(wire.of(SERVICE, "web"), service())).status == 201
    changed = await wire.apply(wire.of(SERVICE, "web"), service(labels={"a": "b"}))
    assert changed.status == 200
    assert (await wire.apply(wire.of(SERVICE, "two"), service("two"))).status == 403


async def test_kinds_of_groups_are_counted_by_their_full_name(wire: Wire) -> None:
    await allowed(wire, **{"count/replicasets.apps": 0})
    refused = await wire.post(wire.of(REPLICA_SET), replica_set())
    assert refused.status == 403
    assert refused.message.startswith('replicasets.apps "web" is forbidden: exceeded quota: few')


async def test_a_replica_set_says_what_keeps_its_pods_from_being_made(wire: Wire) -> None:
    await allowed(wire, pods=1)
    body = replica_set()
    body["spec"]["replicas"] = 2
    await wire.post(wire.of(REPLICA_SET), body)

    async def failure() -> JSON | None:
        status = (await wire.get(wire.of(REPLICA_SET, "web"))).body.get("status") or {}
        return next(iter(status.get("conditions") or ()), None)

    said = await answer(failure)
    assert (said["type"], said["status"], said["reason"]) == (
        "ReplicaFailure",
        "True",
        "FailedCreate",
    )
    why = "exceeded quota: few, requested: pods=1, used: pods=1, limited: pods=1"
    assert said["message"].endswith(f" is forbidden: {why}")

    async def told() -> bool:
        events = (await wire.get(wire.of(EVENT))).body["items"]
        return any(each["message"] == f"Error creating: {said['message']}" for each in events)

    await answer(told)
    await wire.merge(wire.of(RESOURCE_QUOTA, "few"), {"spec": {"hard": {"pods": 2}}})

    async def all_made() -> bool:
        status = (await wire.get(wire.of(REPLICA_SET, "web"))).body["status"]
        return bool(status["replicas"] == 2 and not status.get("conditions"))

    await answer(all_made)


async def test_what_has_gone_or_ended_makes_room(wire: Wire) -> None:
    await allowed(wire, pods=2)
    for name in ("web-1", "web-2"):
        await wire.post(wire.of(POD), pod(name))
    await answer(partial(counts, wire, pods="2"))
    await wire.delete(wire.of(POD, "web-1"), gracePeriodSeconds=0)
    await answer(partial(counts, wire, pods="1"))
    await wire.merge(wire.of(POD, "web-2", "status"), {"status": {"phase": "Failed"}})
    for name in ("web-3", "web-4"):

        async def has_room(name: str = name) -> bool:
            return (await wire.post(wire.of(POD), pod(name))).status == 201

        await answer(has_room)


@pytest.mark.parametrize(
    ("limit", "why"),
    [("1500m", "must be an integer"), ("-1", "must be greater than or equal to 0")],
)
async def test_a_limit_is_a_number_from_zero(wire: Wire, limit: str, why: str) -> None:
    body = {"metadata": {"name": "few"}, "spec": {"hard": {"pods": limit}}}
    refused = await wire.post(wire.of(RESOURCE_QUOTA), body)
    assert (refused.status, refused.causes) == (422, [("FieldValueInvalid", "spec.hard[pods]")])
    assert refused.message.endswith(f'spec.hard[pods]: Invalid value: "{limit}": {why}')
