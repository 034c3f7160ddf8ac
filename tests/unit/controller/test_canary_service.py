"""The Service that is made for a new revision: what it has of its stable Service, and when that changes."""

import copy
from typing import Any

import pytest

from rollouts.controller import canary_service
from rollouts.model.kinds import COPIED_ANNOTATION, HASH_LABEL, JSON
from rollouts.model.merge_patch import merged
from rollouts.model.validation import parse_rollout
from tests.fakes.kubernetes import rollout, service

ROLLOUT = rollout([{"setWeight": 25}])
ROLLOUT["metadata"]["uid"] = "u1"
SPEC = parse_rollout(ROLLOUT)
POD: JSON = {"metadata": {"name": "a", "labels": {"app": "checkout", HASH_LABEL: "abc"}}}
H2C = {"traefik.ingress.kubernetes.io/service.serversscheme": "h2c"}


def stable(patch: JSON | None = None) -> JSON:
    """Return a stable Service as an API server has it."""
    whole: JSON = merged(
        service(),
        {
            "spec": {
                "sessionAffinity": "None",
                "ipFamilyPolicy": "SingleStack",
                "ipFamilies": ["IPv4"],
                "internalTrafficPolicy": "Local",
                "externalTrafficPolicy": "Cluster",
                "publishNotReadyAddresses": True,
            }
        },
    )
    found: JSON = merged(whole, patch or {})
    return found


def made(of: JSON, released: JSON = ROLLOUT) -> JSON:
    spec = parse_rollout(released)
    return canary_service.new_service(released, spec, of, name="checkout-canary", hash_="abc")


def followed(before: JSON, now: JSON, pods: list[JSON] | None = None) -> JSON:
    """Return the Service that was made of `before` after it has followed `now`."""
    second = made(before)
    patch = canary_service.changes(second, now, SPEC, pods or [])
    after: JSON = merged(second, patch)
    assert canary_service.changes(after, now, SPEC, pods or []) == {}, "it is done"
    if not after["metadata"].get("annotations"):
        after["metadata"].pop("annotations", None)  # to an API server that is the same
    return after


def test_it_has_what_says_how_its_pods_are_reached_and_nothing_of_the_stable_ones_own() -> None:
    found = made(stable({"metadata": {"annotations": {**H2C, "external-dns.io/hostname": "a"}}}))
    assert found["spec"] == {
        "type": "ClusterIP",
        "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
        "sessionAffinity": "None",
        "ipFamilyPolicy": "SingleStack",
        "ipFamilies": ["IPv4"],
        "selector": {"app": "checkout", HASH_LABEL: "abc"},
    }
    assert found["metadata"]["annotations"] == {**H2C, COPIED_ANNOTATION: next(iter(H2C))}
    assert found["metadata"]["labels"] == {"rollouts.dev/managed-by": "checkout"}


EDITS: list[Any] = [
    {"spec": {"ports": [{"name": "http", "port": 80, "targetPort": 9090, "nodePort": 30080}]}},
    {"spec": {"ports": [{"port": 80, "appProtocol": "kubernetes.io/h2c"}, {"port": 443}]}},
    {
        "spec": {
            "sessionAffinity": "ClientIP",
            "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 60}},
        }
    },
    {"spec": {"trafficDistribution": "PreferClose"}},
    {"spec": {"ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv4", "IPv6"]}},
    {"spec": {"selector": {"app": None, "tier": "web"}}},
    {"metadata": {"annotations": H2C}},
    {"metadata": {"annotations": {"projectcontour.io/upstream-protocol.h2c": "80"}}},
    {"metadata": {"annotations": {"cloud.google.com/backend-config": '{"default": "a"}'}}},
    {"metadata": {"annotations": {"config.linkerd.io/opaque-ports": "80"}}},
    {"metadata": {"labels": {"istio.io/use-waypoint": "shop"}}},
]


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: str(edit)[:60])
def test_what_is_changed_about_the_stable_service_is_changed_there_and_back(edit: JSON) -> None:
    plain, edited = stable(), stable(edit)
    families = {"spec": {"ipFamilies": ["IPv4"]}}
    assert merged(followed(plain, edited), families) == merged(made(edited), families)
    assert merged(followed(edited, plain), families) == merged(made(plain), families)
    assert canary_service.changes(made(edited), edited, SPEC, []) == {}


@pytest.mark.parametrize(
    "edit",
    [
        {"spec": {"ports": [{"name": "http", "port": 80, "targetPort": 8080, "nodePort": 31000}]}},
        {"spec": {"type": "ClusterIP", "clusterIP": "10.0.0.10"}},
        {"spec": {"internalTrafficPolicy": "Cluster", "publishNotReadyAddresses": False}},
        {"spec": {"selector": {HASH_LABEL: "another"}}},
        {"spec": {"ipFamilies": ["IPv6"]}},
        {"spec": {"type": "ExternalName", "externalName": "a.test", "ports": None}},
        {"metadata": {"labels": {"app": "checkout", "team": "shop"}}},
        {"metadata": {"annotations": {"external-dns.alpha.kubernetes.io/hostname": "a.test"}}},
        {"metadata": {"annotations": {"prometheus.io/scrape": "true"}}},
        {"metadata": {"annotations": {"cloud.google.com/neg": '{"exposed_ports": {"80": {}}}'}}},
        {"metadata": {"annotations": {"service.beta.kubernetes.io/aws-load-balancer-type": "nlb"}}},
    ],
    ids=lambda edit: str(edit)[:60],
)
def test_what_is_the_stable_services_alone_is_not_followed(edit: JSON) -> None:
    assert canary_service.changes(made(stable()), stable(edit), SPEC, []) == {}


def test_what_others_add_to_it_stays() -> None:
    second = made(stable({"metadata": {"annotations": H2C}}))
    second["metadata"]["annotations"]["config.linkerd.io/opaque-ports"] = "3306"
    second["metadata"]["labels"]["istio.io/use-waypoint"] = "theirs"
    found = merged(second, canary_service.changes(second, stable(), SPEC, []))
    assert found["metadata"]["annotations"] == {"config.linkerd.io/opaque-ports": "3306"}
    assert found["metadata"]["labels"]["istio.io/use-waypoint"] == "theirs"


def test_a_selector_that_would_lose_its_pods_is_not_followed() -> None:
    narrower = stable({"spec": {"selector": {"tier": "web"}}})
    assert followed(stable(), narrower, [POD])["spec"]["selector"] == {
        "app": "checkout",
        HASH_LABEL: "abc",
    }
    with_it = copy.deepcopy(POD)
    with_it["metadata"]["labels"]["tier"] = "web"
    assert followed(stable(), narrower, [with_it])["spec"]["selector"]["tier"] == "web"


def test_labels_that_pods_have_by_their_role_are_no_part_of_its_selector() -> None:
    """It selects one revision for as long as that is a canary, and when it is stable."""
    canary: JSON = {
        **ROLLOUT["spec"]["strategy"]["canary"],
        "stableMetadata": {"labels": {"role": "stable"}},
    }
    released = {**ROLLOUT, "spec": {**ROLLOUT["spec"], "strategy": {"canary": canary}}}
    found = made(stable({"spec": {"selector": {"role": "stable"}}}), released)
    assert found["spec"]["selector"] == {"app": "checkout", HASH_LABEL: "abc"}
