"""Fields that we write, and that a tool puts back."""

from typing import Any

import pytest

from rollouts.controller.preflight.owners import appliers
from rollouts.model.kinds import DEPLOYMENT, HASH_LABEL, JSON
from rollouts.model.routers.gateway import GRPC_ROUTE, HTTP_ROUTE
from tests.unit.controller.preflight.namespace import (
    ADOPTED,
    CANARY,
    message,
    named,
    reasons,
    rollout,
    service,
    template,
    with_metadata,
)

SELECTOR: JSON = {"f:metadata": {"f:labels": {}}, "f:spec": {"f:selector": {}, "f:type": {}}}
RULES: JSON = {"f:spec": {"f:rules": {}}}
REPLICAS: JSON = {"f:spec": {"f:replicas": {}}}
FLUX = "kustomize.toolkit.fluxcd.io/ssa"


def entry(manager: str = "argocd-controller", fields: Any = SELECTOR, **more: str) -> JSON:
    return {"manager": manager, "operation": "Apply", "fieldsV1": fields, **more}


def owned(obj: JSON, *entries: JSON, **metadata: Any) -> JSON:
    return with_metadata(obj, managedFields=list(entries), **metadata)


@pytest.mark.parametrize(
    ("manager", "words"),
    [
        (
            "argocd-controller",
            (
                "add /spec/selector of this Service to ignoreDifferences and set the sync option"
                " RespectIgnoreDifferences=true"
            ),
        ),
        (
            "kustomize-controller",
            (
                "add /spec/selector of this Service to spec.ignore, or annotate the Service with"
                f" {FLUX}: IfNotPresent (Merge does not help: the field is atomic)"
            ),
        ),
        ("helm-controller", "to spec.driftDetection.ignore"),
        ("kubectl", "apply it without --server-side"),
        ("terraform", "tell terraform to ignore that field"),
    ],
)
def test_a_tool_that_applies_a_selector_puts_it_back(manager: str, words: str) -> None:
    told = message("AppliedByTool", owned(service(), entry(manager)))
    assert told.startswith(f"spec.selector of Service checkout is owned by {manager} (server-side")
    assert words in told


@pytest.mark.parametrize(
    ("entries", "metadata"),
    [
        ([], {}),
        ([entry(operation="Update")], {}),
        ([entry("rollouts")], {}),
        ([entry(fields={"f:spec": {"f:ports": {}}})], {}),
        ([entry(fields=None)], {}),
        ([entry(subresource="status")], {}),
        ([entry("kustomize-controller")], {"annotations": {FLUX: "IfNotPresent"}}),
        ([entry("kustomize-controller")], {"annotations": {FLUX: "ignore"}}),
    ],
)
def test_who_does_not_apply_the_selector_leaves_our_key_alone(
    entries: list[JSON], metadata: JSON
) -> None:
    last = "kubectl.kubernetes.io/last-applied-configuration"
    annotations = {last: "{}", **metadata.get("annotations", {})}
    assert reasons(owned(service(), *entries, annotations=annotations)) == []


def test_merge_is_no_way_out() -> None:
    merging = owned(service(), entry("kustomize-controller"), annotations={FLUX: "Merge"})
    assert reasons(merging) == ["AppliedByTool"]


def test_who_applied_our_key_leaves_it_alone() -> None:
    bound = service(selector={"app": "checkout", HASH_LABEL: "abc"})
    assert reasons(owned(bound, entry())) == []


@pytest.mark.parametrize(
    ("kind", "field"), [(HTTP_ROUTE, "httpRoutes"), (GRPC_ROUTE, "grpcRoutes")]
)
def test_a_tool_that_applies_routes_puts_weights_back(kind: Any, field: str) -> None:
    gateway = rollout(
        strategy={"canary": {**CANARY, "trafficRouting": {"gatewayAPI": {field: ["shop"]}}}}
    )
    route = named(kind, "shop", {"rules": []})
    told = message("AppliedByTool", owned(route, entry(fields=RULES)), of=gateway)
    assert f"spec.rules of {kind.name} shop is owned by argocd-controller" in told
    assert reasons(route, of=gateway) == []
    assert reasons(owned({**route, **named(kind, "other")}, entry(fields=RULES)), of=gateway) == []


@pytest.mark.parametrize(
    ("replicas", "scale_down", "found"),
    [
        (3, "onSuccess", ["AppliedByTool"]),
        (0, "onSuccess", []),
        (3, "progressively", ["AppliedByTool"]),
        (3, "never", []),
    ],
)
def test_a_tool_that_applies_replicas_scales_an_adopted_deployment_up_again(
    replicas: int, scale_down: str, found: list[str]
) -> None:
    reference = {"name": "legacy", "scaleDown": scale_down}
    legacy = named(DEPLOYMENT, "legacy", {"replicas": replicas, "template": template()})
    adopted = rollout(ADOPTED, workloadRef=reference)
    assert reasons(owned(legacy, entry(fields=REPLICAS)), of=adopted) == found


def test_owners_are_named_once_and_in_order() -> None:
    several = [entry("b"), entry("a"), entry("b", apiVersion="v2")]
    assert appliers(owned(service(), *several), "spec.selector") == ["a", "b"]
