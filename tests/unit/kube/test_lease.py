import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from rollouts.kube.connection import Connection
from rollouts.kube.lease import LEASE, Lease, LeaseTiming
from rollouts.model.kinds import JSON, Ref
from tests.fakes.api_server import FakeApiServer, status
from tests.waiting import until

PATH = "/apis/coordination.k8s.io/v1/namespaces/ops/leases/rollouts"
REF = Ref(LEASE, "ops", "rollouts")


class Hand:
    """A monotonic clock that stands still unless it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
async def connection(api: FakeApiServer, tmp_path: Path) -> AsyncIterator[Connection]:
    made = Connection(api.kubeconfig(tmp_path))
    yield made
    await made.close()


def candidate(connection: Connection, identity: str, hand: Hand) -> Lease:
    timing = LeaseTiming(retry_seconds=0.01)
    return Lease(connection, REF, identity=identity, timing=timing, monotonic=hand)


def holder(api: FakeApiServer) -> str:
    return str(api.objects.get(PATH, {"spec": {"holderIdentity": ""}})["spec"]["holderIdentity"])


async def test_the_first_leads_and_the_second_follows_at_once_when_it_releases(
    api: FakeApiServer, connection: Connection, hand: Hand
) -> None:
    first, second = candidate(connection, "one", hand), candidate(connection, "two", hand)
    async with first:
        assert first.is_leading()
        waiting = asyncio.create_task(second.acquire())
        tries = len(api.requests) + 20
        await until(lambda: len(api.requests) > tries)
        assert not second.is_leading()
        assert holder(api) == "one"
    assert not first.is_leading()
    await waiting
    assert second.is_leading()
    assert holder(api) == "two"
    await second.release()


async def test_a_leader_that_cannot_renew_stops_before_another_may_start(
    api: FakeApiServer, connection: Connection, hand: Hand
) -> None:
    lease = candidate(connection, "one", hand)
    await lease.acquire()
    api.faults.append(lambda _: status(503, "down"))
    hand.now += 9.9
    assert lease.is_leading()
    assert lease.seconds_left() == pytest.approx(4.1)
    hand.now += 0.2
    assert not lease.is_leading()
    assert lease.seconds_left() == 0
    async with asyncio.timeout(10):
        await lease.lost()
    api.faults.clear()
    other = candidate(connection, "two", hand)
    waiting = asyncio.create_task(other.acquire())
    tries = len(api.requests) + 10
    await until(lambda: len(api.requests) > tries)
    hand.now += 14.9
    await until(lambda: len(api.requests) > tries + 10)
    assert not other.is_leading()
    hand.now += 0.2
    await waiting
    assert other.is_leading()
    assert api.objects[PATH]["spec"]["leaseTransitions"] == 1
    await lease.release()
    assert holder(api) == "two"
    await other.release()


async def test_a_leader_whose_lease_was_taken_stops_at_once(
    api: FakeApiServer, connection: Connection, hand: Hand
) -> None:
    lease = candidate(connection, "one", hand)
    await lease.acquire()
    taken = {**api.objects[PATH]["spec"], "holderIdentity": "thief"}
    api.put(PATH, {"spec": taken})
    async with asyncio.timeout(10):
        await lease.lost()
    assert not lease.is_leading()
    await lease.release()
    assert holder(api) == "thief"


@pytest.mark.parametrize("nonsense", [{"spec": {"leaseTransitions": 1}}, {"metadata": None}])
async def test_a_renewal_that_breaks_ends_leading(
    api: FakeApiServer, connection: Connection, hand: Hand, nonsense: JSON
) -> None:
    lease = candidate(connection, "one", hand)
    await lease.acquire()
    answer = web.json_response(nonsense)
    api.faults.append(lambda request: answer if request.method == "PATCH" else None)
    async with asyncio.timeout(10):
        await lease.lost()
    assert not lease.is_leading()
    assert lease.seconds_left() == 0
    api.faults.clear()
    await lease.release()


async def test_a_hiccup_does_not_end_leading(
    api: FakeApiServer, connection: Connection, hand: Hand
) -> None:
    lease = candidate(connection, "one", hand)
    await lease.acquire()
    failures = [status(500, "hiccup") for _ in range(3)]
    api.faults.append(lambda _: failures.pop() if failures else None)
    await until(lambda: not failures)
    tries = len(api.requests) + 4
    await until(lambda: len(api.requests) > tries)
    assert lease.is_leading()
    await lease.release()


async def test_a_renewal_is_one_request(
    api: FakeApiServer, connection: Connection, hand: Hand
) -> None:
    lease = candidate(connection, "one", hand)
    await lease.acquire()
    begin = len(api.requests)
    await until(lambda: len(api.requests) >= begin + 5)
    assert set(api.requests[begin:]) == {("PATCH", PATH)}
    await lease.release()


async def test_a_lease_that_others_write_to_or_remove_is_read_again(
    api: FakeApiServer, connection: Connection, hand: Hand
) -> None:
    """Somebody annotates it, such as a backup: it still is ours."""
    lease = candidate(connection, "one", hand)
    await lease.acquire()
    api.put(PATH, api.objects[PATH])
    renewed = api.objects[PATH]["spec"]["renewTime"]
    await until(lambda: api.objects[PATH]["spec"]["renewTime"] != renewed)
    del api.objects[PATH]
    await until(lambda: PATH in api.objects)
    assert holder(api) == "one"
    assert lease.is_leading()
    await lease.release()


def test_timing_that_would_let_two_lead_is_refused() -> None:
    with pytest.raises(ValueError, match="deadline"):
        LeaseTiming(duration_seconds=10, renew_deadline_seconds=10)
