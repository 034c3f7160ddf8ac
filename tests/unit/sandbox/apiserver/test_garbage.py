"""Owners and dependents."""

import asyncio

import pytest

from rollouts.model.kinds import JSON
from rollouts.sandbox.apiserver.builtins import CONFIG_MAP, SECRET
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.store import Store


def owned(name: str, *owners: JSON, blocks: bool = False) -> JSON:
    references = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            "blockOwnerDeletion": blocks,
        }
        for owner in owners
    ]
    return {"metadata": {"name": name, "namespace": "default", "ownerReferences": references}}


def owner(store: Store, name: str) -> JSON:
    return store.create(CONFIG_MAP, {"metadata": {"name": name, "namespace": "default"}})


def names(store: Store) -> list[str]:
    return [obj["metadata"]["name"] for obj in store.select(SECRET)]


def test_dependents_go_with_their_last_owner(store: Store) -> None:
    first, second = owner(store, "first"), owner(store, "second")
    store.create(SECRET, owned("of-one", first))
    store.create(SECRET, owned("of-both", first, second))
    store.delete(CONFIG_MAP, "default", "first")
    assert names(store) == ["of-both"]
    store.delete(CONFIG_MAP, "default", "second")
    assert names(store) == []


def test_nothing_has_two_controlling_owners(store: Store) -> None:
    body = owned("child", owner(store, "first"), owner(store, "second"))
    for reference in body["metadata"]["ownerReferences"]:
        reference["controller"] = True
    with pytest.raises(ApiError, match="Only one reference can have Controller set to true") as no:
        store.create(SECRET, body)
    assert no.value.code == 422
    del body["metadata"]["ownerReferences"][0]["controller"]
    store.create(SECRET, body)


def test_orphans_stay_and_forget_their_owner(store: Store) -> None:
    store.create(SECRET, owned("child", owner(store, "parent")))
    store.delete(CONFIG_MAP, "default", "parent", propagation="Orphan")
    assert store.get(CONFIG_MAP, "default", "parent") is None
    child = store.get(SECRET, "default", "child")
    assert child is not None
    assert "ownerReferences" not in child["metadata"]


def test_foreground_waits_for_what_blocks(store: Store) -> None:
    body = owned("child", owner(store, "parent"), blocks=True)
    body["metadata"]["finalizers"] = ["example.dev/wait"]
    store.create(SECRET, body)
    store.delete(CONFIG_MAP, "default", "parent", propagation="Foreground")
    parent = store.get(CONFIG_MAP, "default", "parent")
    assert parent is not None
    assert parent["metadata"]["finalizers"] == ["foregroundDeletion"]
    store.patch(SECRET, "default", "child", {"metadata": {"finalizers": None}})
    assert names(store) == []
    assert store.get(CONFIG_MAP, "default", "parent") is None


async def test_what_is_born_after_its_owner_went_is_collected(store: Store) -> None:
    gone = owner(store, "parent")
    store.delete(CONFIG_MAP, "default", "parent")
    store.create(SECRET, owned("late", gone))
    async with asyncio.timeout(5):
        async for change in store.changes(SECRET):
            if change.type == "DELETED":
                break
    assert names(store) == []
