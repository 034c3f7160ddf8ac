"""What goes with what is deleted, what holds it, and what a definition takes along."""

from functools import partial

from rollouts.kube.paths import collection_path, object_path
from rollouts.model.kinds import CRD, JSON, Kind, Ref
from rollouts.sandbox.apiserver.builtins import CONFIG_MAP, NAMESPACE
from tests.contract.api_server.definitions import INTEGER, custom, defined, fields
from tests.contract.api_server.objects import NOBODY, config_map
from tests.contract.api_server.wire import Answer, Wire
from tests.waiting import answer

HELD = "example.dev/held"
GADGET = Kind("contract.example.dev", "v1", "gadgets", "Gadget")


async def owned(wire: Wire, name: str, **reference: object) -> None:
    """Make a map that is the dependent of `owner`, and that a finalizer holds."""
    owner = (await wire.get(wire.of(CONFIG_MAP, "owner"))).body
    uid = owner["metadata"]["uid"]
    found: JSON = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "owner",
        "uid": uid,
        **reference,
    }
    body = config_map(name, finalizers=[HELD], ownerReferences=[found])
    await wire.post(wire.of(CONFIG_MAP), body)


async def is_gone(wire: Wire, path: str) -> bool:
    return (await wire.get(path)).status == 404


async def is_terminating(wire: Wire, name: str) -> bool:
    seen = await wire.get(wire.of(CONFIG_MAP, name))
    return "deletionTimestamp" in seen.body["metadata"]


async def let_go(wire: Wire, name: str) -> None:
    await wire.merge(wire.of(CONFIG_MAP, name), {"metadata": {"finalizers": None}})


async def test_foreground_takes_every_dependent_and_waits_for_those_that_block(wire: Wire) -> None:
    await wire.post(wire.of(CONFIG_MAP), config_map("owner"))
    await owned(wire, "blocking", blockOwnerDeletion=True)
    await owned(wire, "other", blockOwnerDeletion=False)
    said = await wire.delete(wire.of(CONFIG_MAP, "owner"), propagationPolicy="Foreground")
    assert said.body["metadata"]["finalizers"] == ["foregroundDeletion"]
    for name in ("blocking", "other"):
        await answer(partial(is_terminating, wire, name))
    assert not await is_gone(wire, wire.of(CONFIG_MAP, "owner"))
    await let_go(wire, "blocking")
    await answer(partial(is_gone, wire, wire.of(CONFIG_MAP, "owner")))
    await let_go(wire, "other")


async def test_foreground_without_dependents_is_over_a_moment_after_its_answer(wire: Wire) -> None:
    await wire.post(wire.of(CONFIG_MAP), config_map("owner"))
    said = await wire.delete(wire.of(CONFIG_MAP, "owner"), propagationPolicy="Foreground")
    assert said.body["metadata"]["finalizers"] == ["foregroundDeletion"]
    await answer(partial(is_gone, wire, wire.of(CONFIG_MAP, "owner")))


async def test_background_takes_dependents_after_their_owner(wire: Wire) -> None:
    await wire.post(wire.of(CONFIG_MAP), config_map("owner"))
    await owned(wire, "dependent")
    said = await wire.delete(wire.of(CONFIG_MAP, "owner"), propagationPolicy="Background")
    assert said.body["status"] == "Success"
    assert await is_gone(wire, wire.of(CONFIG_MAP, "owner"))
    await answer(partial(is_terminating, wire, "dependent"))
    await let_go(wire, "dependent")


async def test_there_are_three_ways_to_treat_dependents(wire: Wire) -> None:
    refused = await wire.delete(wire.of(CONFIG_MAP, "owner"), propagationPolicy="Some")
    assert (refused.status, refused.causes) == (
        422,
        [("FieldValueNotSupported", "propagationPolicy")],
    )


async def test_an_owner_is_named_in_full(wire: Wire) -> None:
    body = config_map("dependent", ownerReferences=[{"name": "owner", "uid": ""}])
    refused = await wire.post(wire.of(CONFIG_MAP), body)
    assert refused.status == 422
    missing = {field.rpartition(".")[2] for _, field in refused.causes}
    assert missing == {"apiVersion", "kind", "uid"}


async def test_an_object_has_one_controller(wire: Wire) -> None:
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "controller": True}
    owners = [{**owner, "name": name, "uid": f"{name}{NOBODY[3:]}"} for name in ("one", "two")]
    refused = await wire.post(wire.of(CONFIG_MAP), config_map("dependent", ownerReferences=owners))
    assert refused.status == 422
    assert 'Found "true" in references for ConfigMap/one and ConfigMap/two' in refused.message


async def test_a_namespace_that_goes_lets_nothing_in(wire: Wire) -> None:
    going = f"{wire.namespace}-going"
    await wire.post(collection_path(NAMESPACE), {"metadata": {"name": going}})
    held = Ref(CONFIG_MAP, going, "held")
    await wire.post(collection_path(CONFIG_MAP, going), config_map("held", finalizers=[HELD]))
    await wire.delete(object_path(Ref(NAMESPACE, "", going)))
    refused = await wire.post(collection_path(CONFIG_MAP, going), config_map("late"))
    assert (refused.status, refused.causes) == (
        403,
        [("NamespaceTerminating", "metadata.namespace")],
    )
    await wire.merge(object_path(held), {"metadata": {"finalizers": None}})
    await answer(partial(is_gone, wire, object_path(Ref(NAMESPACE, "", going))))


async def test_orphans_stay_and_know_no_owner(wire: Wire) -> None:
    await wire.post(wire.of(CONFIG_MAP), config_map("owner"))
    await owned(wire, "dependent")
    await wire.delete(wire.of(CONFIG_MAP, "owner"), propagationPolicy="Orphan")
    await answer(partial(is_gone, wire, wire.of(CONFIG_MAP, "owner")))
    seen = await wire.get(wire.of(CONFIG_MAP, "dependent"))
    assert not {"ownerReferences", "deletionTimestamp"} & set(seen.body["metadata"])
    await let_go(wire, "dependent")


async def test_who_has_no_owner_left_goes(wire: Wire) -> None:
    lost = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": NOBODY}
    await wire.post(wire.of(CONFIG_MAP), config_map("lost", ownerReferences=[lost]))
    await answer(partial(is_gone, wire, wire.of(CONFIG_MAP, "lost")))


async def test_what_is_going_gets_no_new_finalizer(wire: Wire) -> None:
    await wire.post(wire.of(CONFIG_MAP), config_map("one", finalizers=[HELD]))
    assert "deletionTimestamp" in (await wire.delete(wire.of(CONFIG_MAP, "one"))).body["metadata"]
    more = {"metadata": {"finalizers": [HELD, "example.dev/more"]}}
    refused = await wire.merge(wire.of(CONFIG_MAP, "one"), more)
    assert refused.status == 422
    assert ("FieldValueForbidden", "metadata.finalizers") in refused.causes
    await let_go(wire, "one")
    assert await is_gone(wire, wire.of(CONFIG_MAP, "one"))


async def test_a_definition_waits_for_its_objects_and_lets_no_new_one_in(wire: Wire) -> None:
    kind = await defined(wire, fields(size=INTEGER), GADGET)
    one = custom(kind, {"name": "one", "finalizers": [HELD]}, spec={"size": 1})
    two = custom(kind, {"name": "two"}, spec={"size": 2})
    await wire.post(wire.of(kind), one)
    path = object_path(Ref(CRD, "", kind.crd_name))
    await wire.delete(path)

    async def refused() -> Answer | None:
        said = await wire.post(wire.of(kind), two, dryRun="All")
        return said if said.status != 201 else None

    said = await answer(refused)
    assert said.status == 403
    assert said.message == (
        f'{kind.crd_name} "two" is forbidden: create not allowed while custom resource'
        " definition is terminating"
    )
    assert (await wire.merge(wire.of(kind, "one"), {"spec": {"size": 2}})).status == 200
    await wire.merge(wire.of(kind, "one"), {"metadata": {"finalizers": None}})
    await answer(partial(is_gone, wire, path))
    await answer(partial(is_gone, wire, wire.of(kind)))
