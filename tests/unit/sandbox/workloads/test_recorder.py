"""Events: counted up, posted in their order, and worth no failure."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from rollouts.errors import Unavailable
from rollouts.model.kinds import EVENT, JSON, FrozenJSON, Kind
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.stored_cluster import StoredCluster
from rollouts.sandbox.workloads.recorder import PostedEvents, Recorder, StoredEvents
from tests.waiting import until

POD: JSON = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "namespace": "default", "uid": "u"},
}


class UnreachableCluster(StoredCluster):
    """A cluster that does not answer as long as it is `gone`."""

    gone = False

    async def create(self, kind: Kind, body: FrozenJSON) -> None:
        if self.gone:
            raise Unavailable("gone")
        await super().create(kind, body)


def told(store: Store) -> list[tuple[str, int]]:
    return sorted((each["reason"], each["count"]) for each in store.select(EVENT, "default"))


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def unreachable(store: Store) -> AsyncIterator[tuple[UnreachableCluster, Recorder]]:
    cluster = UnreachableCluster(store)
    events = PostedEvents(cluster)
    posting = asyncio.create_task(events.run())
    yield cluster, Recorder(events, "kubelet")
    posting.cancel()
    await asyncio.gather(posting, return_exceptions=True)


def test_the_same_event_about_the_same_object_is_counted_up(store: Store) -> None:
    recorder = Recorder(StoredEvents(store), "kubelet")
    for reason in ("Pulled", "Unhealthy", "Unhealthy", "Unhealthy"):
        recorder.warning(POD, reason, "said")
    assert told(store) == [("Pulled", 1), ("Unhealthy", 3)]


def test_an_event_that_can_not_be_stored_is_worth_no_failure(store: Store) -> None:
    elsewhere = {**POD, "metadata": {**POD["metadata"], "namespace": "gone"}}
    Recorder(StoredEvents(store), "kubelet").normal(elsewhere, "Pulled", "said")
    assert store.select(EVENT) == []


async def test_events_wait_for_an_api_server_that_does_not_answer(
    store: Store, unreachable: tuple[UnreachableCluster, Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster, recorder = unreachable
    recorder.normal(POD, "Pulled", "said")
    await until(lambda: told(store) == [("Pulled", 1)])
    cluster.gone = True
    for _ in range(2):
        recorder.warning(POD, "Unhealthy", "said")
    recorder.normal({**POD, "metadata": {**POD["metadata"], "namespace": "gone"}}, "Lost", "said")
    recorder.normal(POD, "Started", "said")
    cluster.gone = False
    await until(lambda: told(store) == [("Pulled", 1), ("Started", 1), ("Unhealthy", 2)])


async def test_one_that_somebody_has_removed_is_told_anew(
    store: Store, unreachable: tuple[UnreachableCluster, Recorder]
) -> None:
    _, recorder = unreachable
    recorder.normal(POD, "BackOff", "said")
    await until(lambda: told(store))
    (event,) = store.select(EVENT, "default")
    store.delete(EVENT, "default", event["metadata"]["name"])
    recorder.normal(POD, "BackOff", "said")
    await until(lambda: told(store) == [("BackOff", 2)])
    with pytest.raises(ApiError):
        store.delete(EVENT, "default", "another")
