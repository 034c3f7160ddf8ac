"""ingress-nginx's rules, on plain objects."""

import pytest

from rollouts.model.kinds import JSON
from rollouts.sandbox.dataplane.endpoints import Backend
from rollouts.sandbox.dataplane.ingresses import (
    Canary,
    IngressSettings,
    Policy,
    Route,
    canaries,
    routes,
)
from rollouts.sandbox.network import PodNetwork

SETTINGS = IngressSettings(PodNetwork(9))
PREFIX = SETTINGS.annotation_prefix


def path(service: str, at: str = "/", kind: str = "Prefix", port: JSON | None = None) -> JSON:
    backend = {"service": {"name": service, "port": port or {"number": 80}}}
    return {"path": at, "pathType": kind, "backend": backend}


def ingress(
    name: str,
    *paths: JSON,
    host: str = "a.example",
    created: str = "2026-01-01T00:00:00Z",
    annotations: dict[str, str] | None = None,
    **spec: object,
) -> JSON:
    rules = [{"host": host, "http": {"paths": list(paths)}}] if paths else []
    return {
        "metadata": {
            "name": name,
            "namespace": "ns",
            "creationTimestamp": created,
            "annotations": annotations or {},
        },
        "spec": {"rules": rules, **spec},
    }


def canary(name: str, *paths: JSON, created: str = "2026-01-02T00:00:00Z", **given: str) -> JSON:
    annotations = {f"{PREFIX}/{key.replace('_', '-')}": value for key, value in given.items()}
    return ingress(
        name, *paths, created=created, annotations={f"{PREFIX}/canary": "true"} | annotations
    )


def found(*objects: JSON) -> dict[Backend, Canary]:
    return canaries(objects, routes(objects, SETTINGS), SETTINGS)


WEB = Backend("ns", "web", "80")
NEXT = Backend("ns", "next", "80")


def test_the_most_specific_path_comes_first() -> None:
    object_ = ingress(
        "i",
        path("a"),
        path("b", "/shop"),
        path("c", "/shop/cart"),
        path("d", "/shop", "Exact"),
        path("e", "/shop", "ImplementationSpecific"),
    )
    assert [route.backend.service for route in routes([object_], SETTINGS)] == list("dcbea")


def test_the_oldest_ingress_has_a_path_that_two_claim() -> None:
    new = ingress("new", path("b"), created="2026-02-01T00:00:00Z")
    old = ingress("old", path("a"))
    assert [route.ingress for route in routes([new, old], SETTINGS)] == ["old"]


@pytest.mark.parametrize(
    ("spec", "annotations", "taken"),
    [
        ({}, {}, True),
        ({"ingressClassName": "nginx"}, {}, True),
        ({"ingressClassName": "traefik"}, {}, False),
        ({}, {"kubernetes.io/ingress.class": "traefik"}, False),
    ],
)
def test_only_ingresses_of_our_class_or_of_none_are_served(
    spec: JSON, annotations: dict[str, str], taken: bool
) -> None:
    object_ = ingress("i", path("web"), annotations=annotations, **spec)
    assert bool(routes([object_], SETTINGS)) is taken


def test_a_default_backend_serves_what_no_path_of_the_host_does() -> None:
    default = {"service": {"name": "rest", "port": {"name": "http"}}}
    some = ingress("i", path("web", "/shop"), defaultBackend=default)
    assert routes([some], SETTINGS) == [
        Route("a.example", "/shop", "Prefix", "i", WEB),
        Route("a.example", "/", "Prefix", "i", Backend("ns", "rest", "http")),
    ]
    assert [route.host for route in routes([ingress("i", defaultBackend=default)], SETTINGS)] == [
        ""
    ]


def test_rules_without_http_and_resource_backends_are_passed_over() -> None:
    object_ = ingress("i")
    resource = {"path": "/", "pathType": "Prefix", "backend": {"resource": {"name": "bucket"}}}
    object_["spec"]["rules"] = [{"host": "a.example"}, {"http": {"paths": [resource]}}]
    assert routes([object_], SETTINGS) == []


def test_a_canary_belongs_to_the_backend_of_the_route_it_joins() -> None:
    policy = {"canary_weight": "30", "canary_by_header": "x", "canary_by_cookie": "c"}
    main, next_ = ingress("web", path("web")), canary("next", path("next"), **policy)
    assert found(main, next_) == {WEB: Canary(NEXT, weight=30, header="x", cookie="c")}


def test_a_canary_without_its_main_route_does_nothing() -> None:
    assert found(canary("next", path("next"), canary_weight="30")) == {}
    other_path = ingress("web", path("web", "/shop"))
    assert found(other_path, canary("next", path("next"), canary_weight="30")) == {}
    other_type = ingress("web", path("web", "/", "ImplementationSpecific"))
    assert found(other_type, canary("next", path("next"), canary_weight="30")) == {}


def test_the_oldest_of_two_canaries_counts() -> None:
    late = canary("late", path("late"), created="2026-03-01T00:00:00Z", canary_weight="90")
    main, next_ = ingress("web", path("web")), canary("next", path("next"), canary_weight="5")
    assert found(main, late, next_) == {WEB: Canary(NEXT, weight=5)}


def test_a_service_that_some_route_uses_is_never_a_canary() -> None:
    main = ingress("web", path("web"), path("next", "/next"))
    assert found(main, canary("next", path("next"), canary_weight="5")) == {}


@pytest.mark.parametrize("weight", ["", "many", "-1", "1.5"])
def test_a_weight_that_is_none_is_zero(weight: str) -> None:
    main, next_ = ingress("web", path("web")), canary("next", path("next"), canary_weight=weight)
    assert found(main, next_)[WEB].weight == 0


def test_the_annotation_prefix_is_a_setting() -> None:
    settings = IngressSettings(PodNetwork(9), annotation_prefix="example.io")
    next_ = ingress(
        "next",
        path("next"),
        annotations={"example.io/canary": "true", "example.io/canary-weight": "7"},
    )
    objects = [ingress("web", path("web"), created=""), next_]
    assert canaries(objects, routes(objects, settings), settings)[WEB].weight == 7


def test_what_the_annotations_of_a_main_ingress_ask_for() -> None:
    def policy(**given: str) -> Policy:
        annotations = {f"{PREFIX}/{key.replace('_', '-')}": value for key, value in given.items()}
        (route,) = routes([ingress("web", path("web"), annotations=annotations)], SETTINGS)
        return route.policy

    assert policy() == Policy()
    assert policy(affinity="cookie") == Policy(affinity="INGRESSCOOKIE")
    assert policy(affinity="cookie", session_cookie_name="stay").affinity == "stay"
    assert not policy(affinity="cookie", affinity_canary_behavior="legacy").pins
    copied = policy(mirror_target="http://next.ns.svc$request_uri").mirror
    assert copied is not None
    assert copied.backend == NEXT
    assert policy(mirror_target="somewhere") == Policy()
