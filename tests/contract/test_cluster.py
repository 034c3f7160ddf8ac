"""What every `Cluster` promises, whatever is behind it."""

import asyncio
from typing import Any

import pytest

from rollouts.errors import Conflict, InvalidSpec, NotFound, Permanent
from rollouts.model.kinds import EVENT, JSON, REPLICA_SET, ROLLOUT, SERVICE, Kind, Ref
from rollouts.ports import Apply, Create, Delete, Patch, Record
from tests.contract.conftest import SERVERS, World
from tests.waiting import until


def service(world: World, name: str = "web", **selector: str) -> JSON:
    return {
        "metadata": {"name": name, "namespace": world.namespace, "labels": {"app": name}},
        "spec": {"selector": selector or {"app": "web"}, "ports": [{"name": "http", "port": 80}]},
    }


def replica_set(world: World, name: str = "rs") -> JSON:
    labels = {"app": name}
    container = {"name": "app", "image": "demo:1"}
    return {
        "metadata": {"name": name, "namespace": world.namespace},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def rollout(world: World, name: str = "web") -> JSON:
    spec = {key: value for key, value in replica_set(world)["spec"].items() if key != "replicas"}
    return {
        "metadata": {"name": name, "namespace": world.namespace},
        "spec": {**spec, "replicas": 1, "strategy": {"canary": {}}},
    }


def ref(world: World, kind: Kind = SERVICE, name: str = "web") -> Ref:
    return Ref(kind, world.namespace, name)


def seen(world: World, kind: Kind = SERVICE, name: str = "web") -> JSON:
    found = world.cluster.get(ref(world, kind, name))
    assert found is not None
    return found


def version(world: World, kind: Kind = SERVICE, name: str = "web") -> str:
    return str(seen(world, kind, name)["metadata"]["resourceVersion"])


async def test_what_is_created_is_there_with_what_the_server_adds(world: World) -> None:
    assert world.cluster.get(ref(world)) is None
    await world.cluster.write(Create(SERVICE, service(world)))
    created = seen(world)
    assert (created["apiVersion"], created["kind"]) == ("v1", "Service")
    assert created["spec"]["selector"] == {"app": "web"}
    assert created["metadata"]["uid"]
    assert "managedFields" not in created["metadata"]


async def test_creating_it_again_is_a_conflict(world: World) -> None:
    await world.cluster.write(Create(SERVICE, service(world)))
    with pytest.raises(Conflict):
        await world.cluster.write(Create(SERVICE, service(world)))


@pytest.mark.parametrize("write", [Create, Apply])
async def test_a_body_that_is_wrong_is_refused(world: World, write: Any) -> None:
    with pytest.raises(InvalidSpec, match="name"):
        await world.cluster.write(write(SERVICE, service(world, "No_Name")))


@pytest.fixture(params=SERVERS)
def served(request: pytest.FixtureRequest) -> World:
    """A world with an API server in it."""
    found: World = request.getfixturevalue(request.param)
    return found


async def test_an_unknown_field_is_refused_where_it_is_to_be(served: World) -> None:
    body = service(served)
    body["spec"]["slector"] = {}
    with pytest.raises(Permanent, match=r'unknown field "spec\.slector"'):
        await served.cluster.write(Create(SERVICE, body, strict=True))
    await served.cluster.write(Create(SERVICE, body))
    assert "slector" not in seen(served)["spec"]


async def test_apply_creates_and_then_changes_nothing(world: World) -> None:
    await world.cluster.write(Apply(SERVICE, service(world)))
    before = version(world)
    await world.cluster.write(Apply(SERVICE, service(world)))
    assert version(world) == before


async def test_apply_changes_what_it_names_and_leaves_what_others_set(world: World) -> None:
    await world.cluster.write(Apply(SERVICE, service(world)))
    await world.patch(ref(world), {"metadata": {"annotations": {"theirs": "1"}}})
    await until(lambda: "annotations" in seen(world)["metadata"])
    await world.cluster.write(Apply(SERVICE, service(world, app="web", track="canary")))
    assert seen(world)["spec"]["selector"] == {"app": "web", "track": "canary"}
    assert seen(world)["metadata"]["annotations"] == {"theirs": "1"}


async def test_apply_removes_what_it_named_before_and_names_no_more(world: World) -> None:
    body = service(world)
    body["metadata"]["annotations"] = {"one": "1", "two": "2"}
    await world.cluster.write(Apply(SERVICE, body))
    body["metadata"]["annotations"] = {"one": "1"}
    await world.cluster.write(Apply(SERVICE, body))
    assert seen(world)["metadata"]["annotations"] == {"one": "1"}


async def test_apply_puts_back_what_somebody_changed(world: World) -> None:
    await world.cluster.write(Apply(SERVICE, service(world)))
    await world.patch(ref(world), {"metadata": {"labels": {"app": "theirs"}}})
    await until(lambda: seen(world)["metadata"]["labels"] == {"app": "theirs"})
    await world.cluster.write(Apply(SERVICE, service(world)))
    assert seen(world)["metadata"]["labels"] == {"app": "web"}


async def test_a_patch_merges_and_null_removes(world: World) -> None:
    body = service(world)
    body["metadata"]["annotations"] = {"old": "1"}
    await world.cluster.write(Create(SERVICE, body))
    patch = {"metadata": {"annotations": {"old": None, "new": "2"}}}
    await world.cluster.write(Patch(ref(world), patch))
    assert seen(world)["metadata"]["annotations"] == {"new": "2"}
    before = version(world)
    await world.cluster.write(Patch(ref(world), patch))
    assert version(world) == before


async def test_a_patch_of_what_is_gone_is_not_found(world: World) -> None:
    with pytest.raises(NotFound):
        await world.cluster.write(Patch(ref(world), {"metadata": {"labels": {"a": "b"}}}))


async def test_an_optimistic_patch_fails_when_somebody_wrote_in_between(world: World) -> None:
    await world.cluster.write(Create(SERVICE, service(world)))
    before = version(world)
    fresh = {"metadata": {"resourceVersion": before, "labels": {"a": "1"}}}
    await world.cluster.write(Patch(ref(world), fresh))
    stale = {"metadata": {"resourceVersion": before, "labels": {"a": "2"}}}
    with pytest.raises(Conflict):
        await world.cluster.write(Patch(ref(world), stale))
    assert seen(world)["metadata"]["labels"]["a"] == "1"


async def test_status_and_spec_are_written_apart(world: World) -> None:
    await world.cluster.write(Create(ROLLOUT, rollout(world)))
    name = ref(world, ROLLOUT)
    await world.cluster.write(Patch(name, {"status": {"message": "ignored"}}))
    assert "message" not in seen(world, ROLLOUT).get("status", {})
    both = {"status": {"message": "first"}, "spec": {"replicas": 7}}
    await world.cluster.write(Patch(name, both, "status"))
    assert seen(world, ROLLOUT)["status"]["message"] == "first"
    assert seen(world, ROLLOUT)["spec"]["replicas"] == 1
    generation = seen(world, ROLLOUT)["metadata"]["generation"]
    await world.cluster.write(Patch(name, {"spec": {"replicas": 2}}))
    assert seen(world, ROLLOUT)["metadata"]["generation"] == generation + 1
    assert seen(world, ROLLOUT)["status"]["message"] == "first"


async def test_scaling_changes_the_replicas_alone(world: World) -> None:
    await world.cluster.write(Create(REPLICA_SET, replica_set(world)))
    template = seen(world, REPLICA_SET, "rs")["spec"]["template"]
    scale = Patch(ref(world, REPLICA_SET, "rs"), {"spec": {"replicas": 3}}, "scale")
    await world.cluster.write(scale)
    assert seen(world, REPLICA_SET, "rs")["spec"]["replicas"] == 3
    assert seen(world, REPLICA_SET, "rs")["spec"]["template"] == template
    await until(lambda: seen(world, REPLICA_SET, "rs")["metadata"]["generation"] == 2)


async def test_deleting_ends_it_and_may_be_repeated(world: World) -> None:
    await world.cluster.write(Create(SERVICE, service(world)))
    await world.cluster.write(Delete(ref(world)))
    assert world.cluster.get(ref(world)) is None
    await world.cluster.write(Delete(ref(world)))


async def test_deleting_spares_another_object_of_the_same_name(world: World) -> None:
    await world.cluster.write(Create(SERVICE, service(world)))
    with pytest.raises(Conflict):
        await world.cluster.write(Delete(ref(world), uid="3e8b6b3e-0000-0000-0000-000000000000"))
    uid = seen(world)["metadata"]["uid"]
    await world.cluster.write(Delete(ref(world), uid=uid))
    assert world.cluster.get(ref(world)) is None


async def test_select_finds_by_namespace_and_labels(world: World) -> None:
    await world.cluster.write(Create(SERVICE, service(world, "one")))
    await world.cluster.write(Create(SERVICE, service(world, "two")))
    names = [each["metadata"]["name"] for each in world.cluster.select(SERVICE, world.namespace)]
    assert sorted(names) == ["one", "two"]
    [found] = world.cluster.select(SERVICE, world.namespace, {"app": "two"})
    assert found["metadata"]["name"] == "two"
    assert world.cluster.select(SERVICE, "elsewhere") == []
    assert world.cluster.select(SERVICE, world.namespace, {"app": "two", "b": "c"}) == []


async def test_changes_tell_what_exists_then_what_anyone_does(world: World) -> None:
    await world.cluster.write(Create(SERVICE, service(world)))
    changes = (each async for each in world.cluster.changes() if each.kind == SERVICE)
    async with asyncio.timeout(20):
        assert await anext(changes) == ref(world)
        await world.create(SERVICE, service(world, "theirs"))
        assert await anext(changes) == ref(world, name="theirs")
        await world.patch(ref(world), {"metadata": {"labels": {"a": "b"}}})
        assert await anext(changes) == ref(world)
        assert seen(world)["metadata"]["labels"]["a"] == "b"
        await world.delete(ref(world))
        assert await anext(changes) == ref(world)
        assert world.cluster.get(ref(world)) is None
        await world.cluster.write(Delete(ref(world, name="theirs")))
        assert await anext(changes) == ref(world, name="theirs")


async def test_what_was_handed_out_is_not_changed_later(world: World) -> None:
    await world.cluster.write(Create(SERVICE, service(world)))
    before = seen(world)
    labels = dict(before["metadata"]["labels"])
    await world.cluster.write(Patch(ref(world), {"metadata": {"labels": {"a": "b"}}}))
    assert before["metadata"]["labels"] == labels


async def test_equal_events_are_counted_up(world: World) -> None:
    await world.cluster.write(Create(SERVICE, service(world)))
    about = seen(world)
    promoted = Record(about, "Normal", "Promoted", "revision 2 is stable")
    await world.cluster.write(promoted)
    await world.cluster.write(promoted)
    await world.cluster.write(Record(about, "Warning", "Aborted", "8 % errors"))

    def counts() -> dict[str, int]:
        events = world.cluster.select(EVENT, world.namespace)
        mine = [e for e in events if e["involvedObject"]["uid"] == about["metadata"]["uid"]]
        return {event["reason"]: event["count"] for event in mine}

    await until(lambda: counts() == {"Promoted": 2, "Aborted": 1})
