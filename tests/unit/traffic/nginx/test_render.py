"""What canary Ingresses hold: ours of the user's hosts and paths, the weight, and nothing else."""

import re

import pytest

from rollouts.model.kinds import JSON
from rollouts.traffic.ownership import canary_name
from tests.unit.traffic.ingresses import (
    CANARY,
    PREFIX,
    ingress,
    path,
    render,
    rollout,
    rule,
    stored,
)


def test_a_canary_ingress_in_full() -> None:
    (found,) = render(ingress(rule(path(at="/pay"), host="shop.test"), ingressClassName="nginx"))
    service = {"name": "checkout-canary", "port": {"number": 80}}
    paths = [{"path": "/pay", "pathType": "Prefix", "backend": {"service": service}}]
    assert found == {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "name": "web-checkout-canary",
            "namespace": "shop",
            "labels": {"rollouts.dev/managed-by": "checkout"},
            "annotations": {f"{PREFIX}/canary": "true", f"{PREFIX}/canary-weight": "5"},
            "ownerReferences": [
                {
                    "apiVersion": "rollouts.dev/v1alpha1",
                    "kind": "Rollout",
                    "name": "checkout",
                    "uid": "uid-1",
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": {
            "ingressClassName": "nginx",
            "rules": [{"host": "shop.test", "http": {"paths": paths}}],
        },
    }


def test_only_hosts_and_paths_of_the_stable_service_are_copied() -> None:
    found = ingress(
        rule(path(at="/pay"), path("cart", "/cart"), path(at="/refund"), host="a.test"),
        rule(path("cart"), host="b.test"),
        rule(path(), host="c.test"),
    )
    (canary,) = render(found)
    rules = {
        part["host"]: [each["path"] for each in part["http"]["paths"]]
        for part in canary["spec"]["rules"]
    }
    assert rules == {"a.test": ["/pay", "/refund"], "c.test": ["/"]}


@pytest.mark.parametrize(
    "odd",
    [
        {"host": "a.test"},
        {"host": "a.test", "http": None},
        {"host": "a.test", "http": {"paths": None}},
        {"host": "a.test", "http": {"paths": [{"path": "/", "backend": None}]}},
        {"host": "a.test", "http": {"paths": [{"backend": {"resource": {"name": "bucket"}}}]}},
    ],
)
def test_rules_without_http_and_resource_backends_are_left_alone(odd: JSON) -> None:
    (canary,) = render(ingress(odd, rule(path(), host="b.test")))
    assert [part["host"] for part in canary["spec"]["rules"]] == ["b.test"]
    assert render(ingress(odd)) == []


@pytest.mark.parametrize("spec", [{}, {"spec": None}, {"spec": {"rules": None}}])
def test_an_ingress_without_rules_has_no_canary(spec: JSON) -> None:
    assert render({"web": {"metadata": {"name": "web"}, **spec}}) == []


def test_a_default_backend_alone_has_no_canary() -> None:
    backend = {"service": {"name": "checkout", "port": {"number": 80}}}
    only = {"web": {"metadata": {"name": "web"}, "spec": {"defaultBackend": backend}}}
    assert render(only) == []


def test_an_ingress_that_is_absent_has_no_canary() -> None:
    assert render({}) == []
    both = rollout(("web", "gone"))
    assert [each["metadata"]["name"] for each in render(ingress(), obj=both)] == [CANARY]


def test_a_rule_for_every_host_stays_one_and_a_port_keeps_its_name() -> None:
    (canary,) = render(ingress(rule(path(port={"name": "http"}))))
    (only,) = canary["spec"]["rules"]
    assert "host" not in only
    service = only["http"]["paths"][0]["backend"]["service"]
    assert service == {"name": "checkout-canary", "port": {"name": "http"}}


def test_the_canary_service_that_the_spec_names_is_used() -> None:
    obj = rollout()
    obj["spec"]["strategy"]["canary"]["canaryService"] = "next"
    (canary,) = render(ingress(), obj=obj)
    assert canary["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"] == "next"


def test_the_users_ingress_is_not_changed() -> None:
    found = ingress(rule(path(), host="a.test"))
    render(found)
    assert found == ingress(rule(path(), host="a.test"))


def test_the_class_is_the_stable_ingress_s_in_either_notation() -> None:
    (by_field,) = render(ingress(ingressClassName="public"))
    assert by_field["spec"]["ingressClassName"] == "public"
    legacy = {"kubernetes.io/ingress.class": "public", "other": "x"}
    (by_annotation,) = render(ingress(annotations=legacy))
    assert "ingressClassName" not in by_annotation["spec"]
    assert by_annotation["metadata"]["annotations"] == {
        "kubernetes.io/ingress.class": "public",
        f"{PREFIX}/canary": "true",
        f"{PREFIX}/canary-weight": "5",
    }


def test_the_users_canary_annotations_are_added_under_the_prefix() -> None:
    more = {"canary-by-header": "X-Canary", "team.example/owner": "shop"}
    obj = rollout(annotationPrefix="alb.example", canaryIngressAnnotations=more)
    (canary,) = render(ingress(), 25, obj=obj)
    assert canary["metadata"]["annotations"] == {
        "alb.example/canary-by-header": "X-Canary",
        "team.example/owner": "shop",
        "alb.example/canary": "true",
        "alb.example/canary-weight": "25",
    }


def test_cut_off_leaves_no_way_to_the_canary() -> None:
    obj = rollout(canaryIngressAnnotations={"canary-by-header": "X-Canary"})
    (canary,) = render(ingress(), 0, cut_off=True, obj=obj)
    assert canary["metadata"]["annotations"] == {
        f"{PREFIX}/canary": "true",
        f"{PREFIX}/canary-weight": "0",
    }


def test_all_stable_ingresses_move_together() -> None:
    found = ingress() | ingress(name="api")
    weights = {
        each["metadata"]["name"]: each["metadata"]["annotations"][f"{PREFIX}/canary-weight"]
        for each in render(found, 50, obj=rollout(("web", "api")))
    }
    assert weights == {"web-checkout-canary": "50", "api-checkout-canary": "50"}


def test_a_canary_whose_stable_ingress_is_gone_can_still_be_told_to_send_nothing() -> None:
    legacy = {"kubernetes.io/ingress.class": "public"}
    canaries = stored(render(ingress(rule(path(), host="a.test"), annotations=legacy), 25))
    (found,) = render(canaries, 0, cut_off=True)
    assert found["metadata"]["name"] == CANARY
    assert found["spec"] == canaries[CANARY]["spec"]
    assert found["metadata"]["annotations"] == {
        **legacy,
        f"{PREFIX}/canary": "true",
        f"{PREFIX}/canary-weight": "0",
    }


def test_a_canary_that_the_spec_asks_for_no_longer_is_cut_off() -> None:
    """Somebody takes an Ingress out of stableIngresses in the middle of a release."""
    both = ingress() | ingress(name="api")
    canaries = stored(render(both, 25, obj=rollout(("web", "api"))))
    weights = {
        each["metadata"]["name"]: each["metadata"]["annotations"][f"{PREFIX}/canary-weight"]
        for each in render(both | canaries, 50, obj=rollout(("api",)))
    }
    assert weights == {"api-checkout-canary": "50", "web-checkout-canary": "0"}


def test_ingresses_of_others_are_never_rendered() -> None:
    (theirs,) = stored(render(ingress(), 25, obj=rollout())).values()
    theirs["metadata"]["ownerReferences"][0] |= {"uid": "another", "kind": "Deployment"}
    assert render({CANARY: theirs}) == []


LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


@pytest.mark.parametrize(
    ("stable", "name"),
    [
        ("web", "checkout"),
        ("w" * 200, "c" * 45),
        ("w" * 200, "c" * 46),
        ("w" * 253, "c" * 200),
        ("w" * 241 + ".x", "checkout"),
        ("w" * 240 + "--x", "checkout"),
    ],
)
def test_names_are_names_however_long(stable: str, name: str) -> None:
    found = canary_name(stable, rollout(name=name), {})
    assert len(found) <= 253
    assert all(LABEL.fullmatch(label) for label in found.split("."))
    assert found.startswith(stable[:200])


def owned(name: str, rollout_name: str, uid: str) -> JSON:
    """Return the canary Ingress of a Rollout."""
    return {
        "metadata": {
            "name": name,
            "labels": {"rollouts.dev/managed-by": rollout_name},
            "ownerReferences": [{"kind": "Rollout", "name": rollout_name, "uid": uid}],
        }
    }


def test_two_rollouts_whose_routes_come_to_one_name_have_two() -> None:
    first, second = rollout(name="c"), rollout(name="b-c")
    second["metadata"]["uid"] = "uid-2"
    taken = {"a-b-c-canary": owned("a-b-c-canary", "c", "uid-1")}
    assert canary_name("a-b", first, {}) == "a-b-c-canary" == canary_name("a", second, {})
    assert canary_name("a-b", first, taken) == "a-b-c-canary"
    other = canary_name("a", second, taken)
    assert other.startswith("a-b-c-canary-")
    kept = {other: owned(other, "b-c", "uid-2")}
    assert canary_name("a", second, kept) == other, "a name stays for as long as it is there"
    assert canary_name("a-b", first, kept) == "a-b-c-canary"


@pytest.mark.parametrize("stable", ["a", "w" * 250])
def test_a_name_that_somebody_else_s_object_has_by_hand_is_ours_to_complain_of(stable: str) -> None:
    name = canary_name(stable, rollout(), {})
    by_hand: dict[str, JSON] = {name: {"metadata": {"name": name}}}
    assert canary_name(stable, rollout(), by_hand) == name


def test_long_names_that_differ_at_the_end_stay_different() -> None:
    made = (rollout(name=f"checkout-{number}") for number in range(20))
    names = {canary_name("w" * 250, each, {}) for each in made}
    assert len(names) == 20
    assert canary_name("web", rollout(), {}) == CANARY
