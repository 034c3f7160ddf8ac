"""The store by itself: versions, lifecycles, and what in-process controllers see."""

import asyncio
from datetime import UTC, datetime

import pytest

from rollouts.model.kinds import DEPLOYMENT, EVENT, JSON, POD, SERVICE, Kind
from rollouts.sandbox.apiserver.builtins import CONFIG_MAP, NAMESPACE, NEW_EVENT
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.etcd import Change
from rollouts.sandbox.apiserver.store import Store
from tests.unit.sandbox.apiserver.conftest import crd_body, deployment, gadget

GADGET = Kind("example.dev", "v1", "gadgets", "Gadget")


def config_map(name: str = "one", **data: str) -> JSON:
    return {"metadata": {"name": name, "namespace": "default"}, "data": data}


def pod(name: str = "one", **spec: object) -> JSON:
    containers = [{"name": "app", "image": "demo:1"}]
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": containers} | spec,
    }


def test_every_write_gets_a_larger_version(store: Store) -> None:
    first = store.create(CONFIG_MAP, config_map("one"))
    second = store.create(CONFIG_MAP, config_map("two"))
    third = store.patch(CONFIG_MAP, "default", "one", {"data": {"a": "1"}})
    versions = [int(obj["metadata"]["resourceVersion"]) for obj in (first, second, third)]
    assert versions == sorted(set(versions))
    assert store.revision == versions[-1]


def test_a_write_that_changes_nothing_is_none(store: Store) -> None:
    created = store.create(CONFIG_MAP, config_map(a="1"))
    patched = store.patch(CONFIG_MAP, "default", "one", {"data": {"a": "1"}})
    assert patched == created


def test_what_is_got_may_be_changed_without_harm(store: Store) -> None:
    store.create(CONFIG_MAP, config_map(a="1"))
    got = store.get(CONFIG_MAP, "default", "one")
    assert got is not None
    got["data"]["a"] = "2"
    again = store.get(CONFIG_MAP, "default", "one")
    assert again is not None
    assert again["data"] == {"a": "1"}


def test_stale_version_conflicts(store: Store) -> None:
    stale = store.create(CONFIG_MAP, config_map())
    store.patch(CONFIG_MAP, "default", "one", {"data": {"a": "1"}})
    with pytest.raises(ApiError, match="the object has been modified") as refusal:
        store.replace(CONFIG_MAP, stale)
    assert refusal.value.code == 409


def test_creating_twice_is_refused(store: Store) -> None:
    store.create(CONFIG_MAP, config_map())
    with pytest.raises(ApiError, match='configmaps "one" already exists') as refusal:
        store.create(CONFIG_MAP, config_map())
    assert refusal.value.reason == "AlreadyExists"


def test_missing_namespace_is_404(store: Store) -> None:
    body = {"metadata": {"name": "a", "namespace": "nowhere"}}
    with pytest.raises(ApiError, match='namespaces "nowhere" not found'):
        store.create(CONFIG_MAP, body)


def test_generated_names_differ(store: Store) -> None:
    body = {"metadata": {"generateName": "web-", "namespace": "default"}}
    names = {store.create(CONFIG_MAP, body)["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5
    assert all(name.startswith("web-") for name in names)


def test_generation_counts_changes_of_the_spec_only(store: Store) -> None:
    created = store.create(DEPLOYMENT, deployment())
    assert created["metadata"]["generation"] == 1
    labelled = store.patch(DEPLOYMENT, "default", "web", {"metadata": {"labels": {"a": "b"}}})
    assert labelled["metadata"]["generation"] == 1
    scaled = store.patch(DEPLOYMENT, "default", "web", {"spec": {"replicas": 5}})
    assert scaled["metadata"]["generation"] == 2


def test_status_and_spec_are_written_apart(store: Store) -> None:
    store.create(DEPLOYMENT, deployment() | {"status": {"replicas": 9}})
    change = {"spec": {"replicas": 7}, "status": {"replicas": 3}}
    main = store.patch(DEPLOYMENT, "default", "web", change)
    assert (main["spec"]["replicas"], main["status"]) == (7, {})
    change = {"spec": {"replicas": 1}, "status": {"replicas": 3}}
    status = store.patch(DEPLOYMENT, "default", "web", change, "status")
    assert (status["spec"]["replicas"], status["status"]) == (7, {"replicas": 3})


def test_status_may_be_null(gadgets: Store) -> None:
    gadgets.create(GADGET, gadget())
    gadgets.patch(GADGET, "default", "one", {"status": {"phase": "Fine"}}, "status")
    emptied = gadgets.patch(GADGET, "default", "one", {"status": {"phase": None}}, "status")
    assert emptied["status"] == {}


def test_select_by_namespace_and_labels(store: Store) -> None:
    store.create(CONFIG_MAP, {"metadata": {"name": "a", "labels": {"app": "x", "tier": "y"}}})
    store.create(CONFIG_MAP, {"metadata": {"name": "b", "namespace": "kube-system"}})
    assert [o["metadata"]["name"] for o in store.select(CONFIG_MAP)] == ["a", "b"]
    assert [o["metadata"]["name"] for o in store.select(CONFIG_MAP, "kube-system")] == ["b"]
    assert [o["metadata"]["name"] for o in store.select(CONFIG_MAP, labels={"app": "x"})] == ["a"]


def test_finalizers_hold_an_object(store: Store) -> None:
    body = config_map()
    body["metadata"]["finalizers"] = ["example.dev/wait"]
    store.create(CONFIG_MAP, body)
    store.delete(CONFIG_MAP, "default", "one")
    held = store.get(CONFIG_MAP, "default", "one")
    assert held is not None
    assert "deletionTimestamp" in held["metadata"]
    store.patch(CONFIG_MAP, "default", "one", {"metadata": {"finalizers": None}})
    assert store.get(CONFIG_MAP, "default", "one") is None


def test_a_running_pod_goes_gracefully(store: Store) -> None:
    store.create(POD, pod(nodeName="sandbox", terminationGracePeriodSeconds=5))
    store.delete(POD, "default", "one")
    going = store.get(POD, "default", "one")
    assert going is not None
    assert going["metadata"]["deletionGracePeriodSeconds"] == 5
    store.delete(POD, "default", "one", grace_seconds=2)
    sooner = store.get(POD, "default", "one")
    assert sooner is not None
    assert sooner["metadata"]["deletionGracePeriodSeconds"] == 2
    store.delete(POD, "default", "one", grace_seconds=0)
    assert store.get(POD, "default", "one") is None


def test_a_pod_without_a_node_goes_at_once(store: Store) -> None:
    store.create(POD, pod())
    store.delete(POD, "default", "one")
    assert store.get(POD, "default", "one") is None


def test_a_namespace_takes_its_content_along(store: Store) -> None:
    store.create(NAMESPACE, {"metadata": {"name": "shop"}})
    store.create(CONFIG_MAP, {"metadata": {"name": "a", "namespace": "shop"}})
    body = pod(nodeName="sandbox")
    body["metadata"]["namespace"] = "shop"
    store.create(POD, body)
    store.delete(NAMESPACE, "", "shop")
    assert store.select(CONFIG_MAP, "shop") == []
    namespace = store.get(NAMESPACE, "", "shop")
    assert namespace is not None
    assert namespace["status"]["phase"] == "Terminating"
    with pytest.raises(ApiError, match="because it is being terminated"):
        store.create(CONFIG_MAP, {"metadata": {"name": "b", "namespace": "shop"}})
    store.delete(POD, "shop", "one", grace_seconds=0)
    assert store.get(NAMESPACE, "", "shop") is None


def test_events_are_one_kind_under_two_names(store: Store) -> None:
    event = {
        "metadata": {"name": "e", "namespace": "default"},
        "regarding": {"kind": "Pod", "name": "one", "namespace": "default"},
        "note": "Something happened",
        "reason": "Happened",
        "type": "Normal",
    }
    store.create(NEW_EVENT, event)
    core = store.get(EVENT, "default", "e")
    assert core is not None
    assert (core["apiVersion"], core["message"]) == ("v1", "Something happened")
    assert core["involvedObject"]["name"] == "one"
    new = store.get(NEW_EVENT, "default", "e")
    assert new is not None
    assert (new["apiVersion"], new["note"]) == ("events.k8s.io/v1", "Something happened")


def test_time_is_the_callers(store: Store) -> None:
    del store
    own = Store(now=lambda: datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC))
    created = own.create(CONFIG_MAP, config_map())
    assert created["metadata"]["creationTimestamp"] == "2030-01-02T03:04:05Z"


async def _next(changes: "asyncio.Queue[Change]") -> Change:
    async with asyncio.timeout(5):
        return await changes.get()


async def test_changes_begin_with_what_exists(store: Store) -> None:
    store.create(CONFIG_MAP, config_map("one"))
    seen: asyncio.Queue[Change] = asyncio.Queue()

    async def follow() -> None:
        async for change in store.changes(CONFIG_MAP, SERVICE):
            seen.put_nowait(change)

    task = asyncio.create_task(follow())
    first = await _next(seen)
    assert (first.type, first.object["metadata"]["name"]) == ("ADDED", "one")
    store.patch(CONFIG_MAP, "default", "one", {"data": {"a": "1"}})
    store.create(POD, pod())
    store.create(SERVICE, {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}})
    store.delete(CONFIG_MAP, "default", "one")
    got = [await _next(seen) for _ in range(3)]
    assert [(change.type, change.kind.name) for change in got] == [
        ("MODIFIED", "ConfigMap"),
        ("ADDED", "Service"),
        ("DELETED", "ConfigMap"),
    ]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_a_definition_takes_its_objects_along(gadgets: Store) -> None:
    gadgets.create(GADGET, gadget())
    gadgets.delete(
        Kind("apiextensions.k8s.io", "v1", "customresourcedefinitions", ""),
        "",
        "gadgets.example.dev",
    )
    with pytest.raises(ApiError, match="could not find the requested resource"):
        gadgets.select(GADGET)
    gadgets.create(Kind("apiextensions.k8s.io", "v1", "customresourcedefinitions", ""), crd_body())
    assert gadgets.select(GADGET) == []
