"""The verbs over HTTP: statuses, bodies, pages, preconditions."""

from aiohttp import ClientSession

from rollouts.model.kinds import JSON
from rollouts.sandbox.apiserver.builtins import CONFIG_MAP
from rollouts.sandbox.apiserver.server import ApiServer
from rollouts.sandbox.apiserver.store import Store
from tests.unit.sandbox.apiserver.conftest import deployment, gadget

MAPS = "/api/v1/namespaces/default/configmaps"
GADGETS = "/apis/example.dev/v1/namespaces/default/gadgets"
MERGE = {"Content-Type": "application/merge-patch+json"}
STRATEGIC = {"Content-Type": "application/strategic-merge-patch+json"}
APPLY = {"Content-Type": "application/apply-patch+yaml"}


async def answered(response: object) -> tuple[int, JSON]:
    async with response as got:  # type: ignore[attr-defined]
        return got.status, await got.json()


async def test_create_get_update_delete(http: ClientSession) -> None:
    body = {"metadata": {"name": "one"}, "data": {"a": "1"}}
    status, created = await answered(http.post(MAPS, json=body))
    assert (status, created["kind"], created["apiVersion"]) == (201, "ConfigMap", "v1")
    status, refused = await answered(http.post(MAPS, json=body))
    assert (status, refused["reason"]) == (409, "AlreadyExists")
    status, updated = await answered(http.put(f"{MAPS}/one", json=created | {"data": {}}))
    assert (status, updated["data"]) == (200, {})
    status, refused = await answered(http.put(f"{MAPS}/one", json=created))
    assert (status, refused["reason"]) == (409, "Conflict")
    status, done = await answered(http.delete(f"{MAPS}/one"))
    assert (status, done["status"]) == (200, "Success")
    status, missing = await answered(http.get(f"{MAPS}/one"))
    assert (status, missing["message"]) == (404, 'configmaps "one" not found')


async def test_items_of_built_in_lists_have_no_kind(http: ClientSession, gadgets: Store) -> None:
    gadgets.create(CONFIG_MAP, {"metadata": {"name": "one"}})
    await answered(http.post(GADGETS, json=gadget()))
    _, listed = await answered(http.get(MAPS))
    assert listed["kind"] == "ConfigMapList"
    assert "kind" not in listed["items"][0]
    _, listed = await answered(http.get(GADGETS))
    assert listed["items"][0]["kind"] == "Gadget"


async def test_pages(http: ClientSession, store: Store) -> None:
    for number in range(5):
        store.create(CONFIG_MAP, {"metadata": {"name": f"m{number}"}})
    found: list[str] = []
    token = ""
    for _ in range(3):
        _, listed = await answered(http.get(MAPS, params={"limit": "2", "continue": token}))
        found += [item["metadata"]["name"] for item in listed["items"]]
        token = listed["metadata"].get("continue", "")
    assert found == [f"m{number}" for number in range(5)]
    assert not token


async def test_preconditions_of_a_deletion(http: ClientSession, store: Store) -> None:
    store.create(CONFIG_MAP, {"metadata": {"name": "one"}})
    options = {"preconditions": {"uid": "another"}}
    status, refused = await answered(http.delete(f"{MAPS}/one", json=options))
    assert status == 409
    assert (
        "the UID in the precondition (another) does not match the UID in record"
        in refused["message"]
    )


async def test_collections_are_deleted_by_selector(http: ClientSession, store: Store) -> None:
    store.create(CONFIG_MAP, {"metadata": {"name": "one", "labels": {"a": "b"}}})
    store.create(CONFIG_MAP, {"metadata": {"name": "two"}})
    await answered(http.delete(MAPS, params={"labelSelector": "a=b"}))
    assert [obj["metadata"]["name"] for obj in store.select(CONFIG_MAP)] == ["two"]


async def test_a_dry_run_changes_nothing(http: ClientSession, store: Store) -> None:
    body = {"metadata": {"name": "one"}}
    before = store.revision
    status, created = await answered(http.post(f"{MAPS}?dryRun=All", json=body))
    assert (status, created["metadata"]["name"]) == (201, "one")
    assert (store.revision, store.select(CONFIG_MAP)) == (before, [])


async def test_custom_resources_take_no_strategic_patch(
    http: ClientSession, gadgets: Store
) -> None:
    del gadgets
    await answered(http.post(GADGETS, json=gadget()))
    status, refused = await answered(http.patch(f"{GADGETS}/one", data="{}", headers=STRATEGIC))
    assert (status, refused["reason"]) == (415, "UnsupportedMediaType")


async def test_strict_field_validation(http: ClientSession, gadgets: Store) -> None:
    del gadgets
    body = gadget(colr="red")
    status, refused = await answered(http.post(f"{GADGETS}?fieldValidation=Strict", json=body))
    assert status == 400
    assert refused["message"] == (
        'Gadget in version "v1" cannot be handled as a Gadget: strict decoding error: '
        'unknown field "spec.colr"'
    )
    async with http.post(GADGETS, json=body) as response:
        assert response.status == 201
        assert response.headers["Warning"] == '299 - "unknown field \\"spec.colr\\""'
    patch = {"spec": {"colr": "blue"}}
    url = f"{GADGETS}/one?fieldValidation=Strict"
    status, refused = await answered(http.patch(url, json=patch, headers=MERGE))
    assert status == 422
    assert 'strict decoding error: unknown field "spec.colr"' in refused["message"]


async def test_a_custom_resource_is_updated_with_its_version(
    http: ClientSession, gadgets: Store
) -> None:
    del gadgets
    await answered(http.post(GADGETS, json=gadget()))
    status, refused = await answered(http.put(f"{GADGETS}/one", json=gadget(size=6)))
    assert status == 422
    assert "metadata.resourceVersion: Invalid value: 0: must be specified" in refused["message"]


async def test_scale_of_a_custom_resource(http: ClientSession, gadgets: Store) -> None:
    del gadgets
    await answered(http.post(GADGETS, json=gadget()))
    change = {"status": {"replicas": 2, "selector": "app=x"}}
    await answered(http.patch(f"{GADGETS}/one/status", json=change, headers=MERGE))
    _, scale = await answered(http.get(f"{GADGETS}/one/scale"))
    assert (scale["kind"], scale["spec"]["replicas"]) == ("Scale", 1)
    assert scale["status"] == {"replicas": 2, "selector": "app=x"}
    change = {"spec": {"replicas": 4}}
    _, scale = await answered(http.patch(f"{GADGETS}/one/scale", json=change, headers=MERGE))
    assert scale["spec"]["replicas"] == 4
    status, _ = await answered(http.get(f"{MAPS}/one/scale"))
    assert status == 404


async def test_apply_creates_and_wants_a_manager(http: ClientSession, store: Store) -> None:
    del store
    url = "/apis/apps/v1/namespaces/default/deployments/web"
    status, refused = await answered(http.patch(url, json=deployment(), headers=APPLY))
    assert status == 422
    assert "fieldManager: Required value" in refused["message"]
    url += "?fieldManager=me"
    status, created = await answered(http.patch(url, json=deployment(), headers=APPLY))
    assert (status, created["metadata"]["generation"]) == (201, 1)
    status, again = await answered(http.patch(url, json=deployment(), headers=APPLY))
    assert status == 200
    assert again["metadata"]["resourceVersion"] == created["metadata"]["resourceVersion"]


async def test_built_in_refusals(http: ClientSession) -> None:
    body = deployment()
    body["spec"]["selector"] = {"matchLabels": {"app": "other"}}
    url = "/apis/apps/v1/namespaces/default/deployments"
    status, refused = await answered(http.post(url, json=body))
    assert status == 422
    assert "`selector` does not match template `labels`" in refused["message"]
    status, refused = await answered(http.post(url, json=deployment() | {"spec": {"template": 7}}))
    assert status in (400, 422)
    status, refused = await answered(http.post(MAPS, data="{broken"))
    assert (status, refused["reason"]) == (400, "BadRequest")
    status, refused = await answered(http.post(MAPS, json={"kind": "Secret", "apiVersion": "v1"}))
    assert status == 400


async def test_nonsense_in_the_query_is_400(http: ClientSession) -> None:
    for query in ("limit=x", "watch=1&timeoutSeconds=x", "continue=x", "labelSelector=a b"):
        status, _ = await answered(http.get(f"{MAPS}?{query}"))
        assert status == 400
    status, _ = await answered(http.delete(MAPS, json=["x"]))
    assert status == 400


async def test_health_version_and_unknown_paths(http: ClientSession) -> None:
    for path in ("/healthz", "/livez", "/readyz"):
        async with http.get(path) as response:
            assert await response.text() == "ok"
    _, version = await answered(http.get("/version"))
    assert (version["major"], version["minor"]) == ("1", "37")
    status, refused = await answered(http.get("/apis/nowhere/v1/things"))
    assert (status, refused["reason"]) == (404, "NotFound")


async def test_requests_are_written_down(http: ClientSession, server: ApiServer) -> None:
    agent = {"User-Agent": "tester/1"}
    await answered(http.post(MAPS, json={"metadata": {"name": "one"}}, headers=agent))
    await answered(http.get(MAPS))
    create, listed = server.audit
    assert (create.verb, create.resource, create.name) == ("create", "configmaps", "one")
    assert (create.status, create.user_agent) == (201, "tester/1")
    assert (listed.verb, listed.namespace) == ("list", "default")
    async with http.get("/debug/audit") as response:
        assert len((await response.text()).splitlines()) == 2
