"""The custom kinds that every sandbox serves, and the originals in their place."""

from pathlib import Path

import pytest
import yaml

from rollouts.model.kinds import CRD, JSON, Kind
from rollouts.model.routers.gateway import GRPC_ROUTE, HTTP_ROUTE
from rollouts.model.routers.smi import TRAFFIC_SPLIT
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.crds import definitions

UPSTREAM = Path(__file__).parents[4] / "shared" / "upstream-crds"
KINDS = {kind.crd_name for kind in (HTTP_ROUTE, GRPC_ROUTE, TRAFFIC_SPLIT)}


@pytest.fixture
def store() -> Store:
    store = Store()
    for definition in definitions():
        store.create(CRD, definition)
    return store


def route(**spec: object) -> JSON:
    return {
        "apiVersion": HTTP_ROUTE.api_version,
        "kind": HTTP_ROUTE.name,
        "metadata": {"name": "web", "namespace": "default"},
        "spec": spec,
    }


def test_a_route_is_completed_as_the_originals_do(store: Store) -> None:
    backend = {"name": "web", "port": 80}
    made = store.create(
        HTTP_ROUTE, route(parentRefs=[{"name": "sandbox"}], rules=[{"backendRefs": [backend]}])
    )
    assert made["spec"] == {
        "parentRefs": [
            {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "sandbox"}
        ],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                "backendRefs": [{"group": "", "kind": "Service", "weight": 1} | backend],
            }
        ],
    }


def test_fields_of_a_rule_that_are_not_known_are_kept(store: Store) -> None:
    rule = {"name": "all", "timeouts": {"request": "10s"}, "sessionPersistence": {"type": "Cookie"}}
    made = store.create(HTTP_ROUTE, route(rules=[rule]))
    assert rule.items() <= made["spec"]["rules"][0].items()


@pytest.mark.parametrize("weight", [-1, 1_000_001, "10"])
def test_a_weight_has_its_limits(store: Store, weight: object) -> None:
    backend = {"name": "web", "port": 80, "weight": weight}
    with pytest.raises(ApiError, match="weight"):
        store.create(HTTP_ROUTE, route(rules=[{"backendRefs": [backend]}]))


def test_a_quantity_is_a_weight_in_the_first_version_only(store: Store) -> None:
    def split(version: str) -> JSON:
        kind = Kind(TRAFFIC_SPLIT.group, version, TRAFFIC_SPLIT.plural, TRAFFIC_SPLIT.name)
        body = {
            "apiVersion": kind.api_version,
            "kind": kind.name,
            "metadata": {"name": version, "namespace": "default"},
            "spec": {"service": "web", "backends": [{"service": "web", "weight": "900m"}]},
        }
        return store.create(kind, body)

    assert split("v1alpha1")["spec"]["backends"][0]["weight"] == "900m"
    with pytest.raises(ApiError, match="weight"):
        split("v1alpha4")


@pytest.mark.skipif(not UPSTREAM.is_dir(), reason="the originals are not here")
def test_the_originals_are_taken_in_their_place(store: Store) -> None:
    for definition in definitions():
        store.delete(CRD, "", definition["metadata"]["name"])
    for path in sorted(UPSTREAM.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            if not document:
                continue
            name = document["metadata"]["name"]
            if store.get(CRD, "", name):  # two files hold one definition, in other versions
                store.delete(CRD, "", name)
            store.create(CRD, document)
    assert {each["metadata"]["name"] for each in store.select(CRD)} >= KINDS
    store.create(HTTP_ROUTE, route(rules=[{"backendRefs": [{"name": "web", "port": 80}]}]))
