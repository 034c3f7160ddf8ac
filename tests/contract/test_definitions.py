"""What every `Cluster` promises of a kind that comes with a CRD: it is read once it is served."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from rollouts.errors import NotFound
from rollouts.model.kinds import CRD, JSON, SERVICE, Ref, served_version
from rollouts.model.routers.smi import TRAFFIC_SPLIT
from rollouts.ports import Apply, Delete, Patch
from tests.contract.conftest import World
from tests.fakes.crds import VERSIONS, definition
from tests.waiting import until

DEFINITION = Ref(CRD, "", TRAFFIC_SPLIT.crd_name)


def served(world: World) -> str | None:
    found = world.cluster.get(DEFINITION)
    return served_version(found, VERSIONS[TRAFFIC_SPLIT]) if found else None


async def install(world: World, version: str) -> None:
    await world.create(CRD, definition(TRAFFIC_SPLIT, version))
    await until(lambda: served(world) == version)


def split(world: World, version: str, weight: int = 5) -> JSON:
    backends = [{"service": "web", "weight": 100 - weight}, {"service": "next", "weight": weight}]
    return {
        "apiVersion": f"{TRAFFIC_SPLIT.group}/{version}",
        "metadata": {"name": "web", "namespace": world.namespace},
        "spec": {"service": "web", "backends": backends},
    }


def named(world: World) -> Ref:
    return Ref(TRAFFIC_SPLIT, world.namespace, "web")


def read_at(world: World) -> str | None:
    found = world.cluster.get(named(world))
    return found["apiVersion"].rpartition("/")[2] if found else None


def told(world: World) -> AsyncIterator[Ref]:
    return (each async for each in world.cluster.changes() if each.kind == TRAFFIC_SPLIT)


async def test_a_kind_that_is_not_installed_is_empty_and_cannot_be_written(world: World) -> None:
    assert world.cluster.get(DEFINITION) is None
    assert world.cluster.get(named(world)) is None
    assert world.cluster.select(TRAFFIC_SPLIT, world.namespace) == []
    with pytest.raises(NotFound):
        await world.cluster.write(Apply(TRAFFIC_SPLIT, split(world, "v1alpha4")))
    with pytest.raises(NotFound):
        await world.cluster.write(Patch(named(world), {"spec": {}}))
    await world.cluster.write(Delete(named(world)))


async def test_a_kind_that_is_installed_later_is_read_and_written_at_its_version(
    world: World,
) -> None:
    changes = world.cluster.changes()
    await install(world, "v1alpha2")
    async with asyncio.timeout(20):
        while await anext(changes) != DEFINITION:
            pass
    await world.cluster.write(Apply(TRAFFIC_SPLIT, split(world, "v1alpha2")))
    await until(lambda: read_at(world) == "v1alpha2")
    await world.cluster.write(Patch(named(world), {"metadata": {"labels": {"a": "b"}}}))
    [found] = world.cluster.select(TRAFFIC_SPLIT, world.namespace, {"a": "b"})
    assert found["spec"] == split(world, "v1alpha2")["spec"]
    with pytest.raises(NotFound):
        await world.cluster.write(Apply(TRAFFIC_SPLIT, split(world, "v1alpha4", weight=9)))
    await world.cluster.write(Delete(named(world)))
    assert read_at(world) is None


async def test_what_somebody_else_makes_of_it_is_seen(world: World) -> None:
    await install(world, "v1alpha4")
    changes = told(world)
    async with asyncio.timeout(20):
        await world.create(TRAFFIC_SPLIT, split(world, "v1alpha4"))
        assert await anext(changes) == named(world)
    assert read_at(world) == "v1alpha4"


async def test_when_another_version_is_served_it_is_read_and_written_at_that(world: World) -> None:
    await install(world, "v1alpha2")
    await world.cluster.write(Apply(TRAFFIC_SPLIT, split(world, "v1alpha2")))
    await until(lambda: read_at(world) == "v1alpha2")
    changes = told(world)
    assert await anext(changes) == named(world)
    newer = definition(TRAFFIC_SPLIT, "v1alpha4", unserved=["v1alpha2"])
    await world.patch(DEFINITION, {"spec": {"versions": newer["spec"]["versions"]}})
    async with asyncio.timeout(20):
        assert await anext(changes) == named(world)
    await until(lambda: read_at(world) == "v1alpha4")
    await world.cluster.write(Patch(named(world), {"metadata": {"labels": {"a": "b"}}}))
    await world.cluster.write(Apply(TRAFFIC_SPLIT, split(world, "v1alpha4", weight=9)))
    found = world.cluster.get(named(world))
    assert found is not None
    assert found["metadata"]["labels"] == {"a": "b"}
    assert found["spec"] == split(world, "v1alpha4", weight=9)["spec"]


async def test_when_its_definition_goes_it_is_empty_until_it_comes_again(world: World) -> None:
    await install(world, "v1alpha2")
    await world.cluster.write(Apply(TRAFFIC_SPLIT, split(world, "v1alpha2")))
    await until(lambda: read_at(world) == "v1alpha2")
    changes = told(world)
    assert await anext(changes) == named(world)
    await world.delete(DEFINITION)
    async with asyncio.timeout(20):
        assert await anext(changes) == named(world)
    assert world.cluster.get(named(world)) is None
    await until(lambda: world.cluster.get(DEFINITION) is None)
    assert world.cluster.select(SERVICE, world.namespace) == []
    await install(world, "v1alpha4")
    await world.cluster.write(Apply(TRAFFIC_SPLIT, split(world, "v1alpha4")))
    await until(lambda: read_at(world) == "v1alpha4")
