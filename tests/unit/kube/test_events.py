"""What is told in one Event, and when."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest

from rollouts.kube.connection import Connection
from rollouts.kube.events import GATHER_SECONDS, EventRecorder
from rollouts.model.kinds import JSON
from rollouts.ports import Record
from tests.fakes.api_server import FakeApiServer
from tests.waiting import until

STARTED = "revision 2 is to replace revision 1"
WEIGHT = "the canary has 10 % of the traffic"


class Recorders(Protocol):
    def __call__(self, gather_seconds: float = GATHER_SECONDS) -> EventRecorder: ...


@pytest.fixture
async def recorders(api: FakeApiServer, tmp_path: Path) -> AsyncIterator[Recorders]:
    connection, made = Connection(api.kubeconfig(tmp_path)), list[EventRecorder]()

    def make(gather_seconds: float = GATHER_SECONDS) -> EventRecorder:
        made.append(EventRecorder(connection, lambda: 10.0, gather_seconds=gather_seconds))
        return made[-1]

    yield make
    for each in made:
        each.close()
    await connection.close()


def about(name: str) -> JSON:
    metadata = {"namespace": "shop", "name": name, "uid": f"uid-{name}"}
    return {"apiVersion": "rollouts.dev/v1alpha1", "kind": "Rollout", "metadata": metadata}


def progress(reason: str, message: str, name: str = "web") -> Record:
    return Record(about(name), "Normal", reason, message, may_wait=True)


def said(reason: str, message: str, kind: str = "Normal") -> Record:
    return Record(about("web"), "Warning" if kind == "Warning" else "Normal", reason, message)


def told(api: FakeApiServer) -> list[tuple[str, str]]:
    found = [each for path, each in api.objects.items() if "/events/" in path]
    return sorted((each["reason"], each["message"]) for each in found)


async def test_a_release_is_told_in_one_event(api: FakeApiServer, recorders: Recorders) -> None:
    recorder = recorders()
    await recorder.record(progress("RolloutStarted", STARTED))
    await recorder.record(progress("WeightSet", WEIGHT))
    assert told(api) == []
    await recorder.record(said("Promoted", "revision 2 is promoted"))
    text = f"revision 2 is promoted; before that: {STARTED}; {WEIGHT}"
    assert told(api) == [("Promoted", text)]
    await recorder.flush()
    assert len(told(api)) == 1


async def test_a_warning_is_told_at_once_and_by_itself(
    api: FakeApiServer, recorders: Recorders
) -> None:
    recorder = recorders()
    await recorder.record(progress("WeightSet", WEIGHT))
    await recorder.record(said("RolledBack", "8 % errors", "Warning"))
    assert told(api) == [("RolledBack", "8 % errors")]
    await recorder.flush()
    assert told(api) == [("RolledBack", "8 % errors"), ("WeightSet", WEIGHT)]


async def test_what_waits_is_told_after_a_while(api: FakeApiServer, recorders: Recorders) -> None:
    recorder = recorders(gather_seconds=0.01)
    await recorder.record(progress("RolloutStarted", STARTED))
    await recorder.record(progress("WeightSet", WEIGHT))
    await until(lambda: told(api) == [("RolloutStarted", f"{STARTED}; {WEIGHT}")])
    await recorder.record(progress("WeightSet", "50 %"))
    await until(lambda: ("WeightSet", "50 %") in told(api))


async def test_what_one_object_waits_for_is_not_told_of_another(
    api: FakeApiServer, recorders: Recorders
) -> None:
    recorder = recorders()
    await recorder.record(progress("WeightSet", WEIGHT, name="other"))
    await recorder.record(said("Promoted", "revision 2 is promoted"))
    assert told(api) == [("Promoted", "revision 2 is promoted")]
    recorder.close()
    await recorder.flush()
    assert len(told(api)) == 1
