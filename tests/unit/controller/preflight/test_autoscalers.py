"""Autoscalers that can't work."""

from typing import Any

import pytest

from rollouts.model.kinds import DEPLOYMENT, JSON, REPLICA_SET
from tests.unit.controller.preflight.namespace import (
    ADOPTED,
    UID,
    autoscaler,
    findings,
    message,
    named,
    reasons,
    rollout,
    scaled_object,
    template,
)


def utilization(resource: str, container: str = "") -> JSON:
    kind = "ContainerResource" if container else "Resource"
    field = kind[0].lower() + kind[1:]
    source = {"name": resource, "target": {"type": "Utilization", "averageUtilization": 50}}
    return {"type": kind, field: {**source, **({"container": container} if container else {})}}


def legacy() -> JSON:
    return named(DEPLOYMENT, "legacy", {"replicas": 0, "template": template()})


def revision() -> JSON:
    reference = {"kind": "Rollout", "name": "checkout", "uid": UID, "controller": True}
    return named(REPLICA_SET, "checkout-abc", ownerReferences=[reference])


def at(api_version: str, kind: str, name: str) -> JSON:
    return {"apiVersion": api_version, "kind": kind, "name": name}


@pytest.mark.parametrize("make", [autoscaler, scaled_object])
@pytest.mark.parametrize(
    ("target", "words"),
    [
        (
            at("apps/v1", "Deployment", "legacy"),
            "Deployment legacy, whose pods this Rollout replaces",
        ),
        (at("apps/v1", "ReplicaSet", "checkout-abc"), "which is one revision of this Rollout"),
        (
            at("argoproj.io/v1alpha1", "Rollout", "checkout"),
            "of argoproj.io, which is another kind",
        ),
        (at("apps/v1", "Deployment", "cart"), ""),
        (at("rollouts.dev/v1alpha1", "Rollout", "cart"), ""),
        (at("rollouts.dev/v1", "Rollout", "checkout"), ""),
    ],
)
def test_an_autoscaler_has_to_scale_the_rollout(make: Any, target: JSON, words: str) -> None:
    around = [make(target=target), legacy(), revision()]
    if words:
        told = message("AutoscalerMisdirected", *around, of=rollout(ADOPTED))
        assert words in told
        assert "apiVersion rollouts.dev/v1alpha1, kind Rollout, name checkout" in told
    else:
        assert reasons(*around, of=rollout(ADOPTED)) == []


def test_keda_scales_a_deployment_unless_it_is_told() -> None:
    told = message(
        "AutoscalerMisdirected",
        scaled_object(target={"name": "legacy"}),
        legacy(),
        of=rollout(ADOPTED),
    )
    assert told.startswith("ScaledObject keda scales Deployment legacy")


@pytest.mark.parametrize(
    ("scaler", "target"),
    [
        (autoscaler(target=at("apps/v1", "Deployment", "checkout")), "checkout"),
        (autoscaler("checkout", target=at("apps/v1", "Deployment", "web")), "web"),
        (scaled_object(target={"name": "checkout"}), "checkout"),
        (scaled_object("checkout", target={"name": "web"}), "web"),
    ],
)
def test_an_autoscaler_of_a_deployment_that_the_rollout_has_replaced(
    scaler: JSON, target: str
) -> None:
    told = message("AutoscalerMisdirected", scaler)
    assert f"scales Deployment {target}, which does not exist; its scaleTargetRef has to be" in told
    assert "apiVersion rollouts.dev/v1alpha1, kind Rollout, name checkout" in told
    there = named(DEPLOYMENT, target, {"replicas": 0, "template": template()})
    assert reasons(scaler, there) == []


def test_an_autoscaler_that_is_not_meant_for_the_rollout() -> None:
    others = [
        autoscaler(target=at("apps/v1", "Deployment", "checkout-api")),
        autoscaler("checkout", target=at("apps/v1", "StatefulSet", "web")),
    ]
    assert reasons(*others) == []


def test_limits_that_leave_nothing() -> None:
    assert reasons(autoscaler(minReplicas=5, maxReplicas=4)) == ["AutoscalerLimits"]
    assert reasons(scaled_object(minReplicaCount=101)) == ["AutoscalerLimits"]
    assert reasons(autoscaler(minReplicas=4, maxReplicas=4)) == []


@pytest.mark.parametrize(
    ("metric", "without"),
    [
        (utilization("cpu"), "proxy requests none"),
        (utilization("memory"), "web and proxy request none"),
        (utilization("cpu", "web"), ""),
        (utilization("cpu", "proxy"), "proxy requests none"),
        (
            {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "AverageValue"}}},
            "",
        ),
        ({"type": "External", "external": {}}, ""),
    ],
)
def test_use_is_measured_against_requests(metric: JSON, without: str) -> None:
    body = template()
    body["spec"]["containers"].append({"name": "proxy", "image": "proxy:1"})
    scaled = rollout(template=body)
    if without:
        assert without in message(
            "AutoscalerNeedsRequests", autoscaler(metrics=[metric]), of=scaled
        )
    else:
        assert reasons(autoscaler(metrics=[metric]), of=scaled) == []


def test_a_limit_is_a_request_too() -> None:
    limited = rollout(template=template(resources={"limits": {"cpu": 1}}))
    assert reasons(autoscaler(metrics=[utilization("cpu")]), of=limited) == []


def test_keda_measures_against_requests_too() -> None:
    trigger: JSON = {"type": "memory", "metadata": {"value": "50"}}
    assert reasons(scaled_object(triggers=[trigger])) == ["AutoscalerNeedsRequests"]
    average = {**trigger, "metricType": "AverageValue"}
    assert reasons(scaled_object(triggers=[average, {"type": "prometheus"}])) == []


def test_two_autoscalers_undo_each_other() -> None:
    told = message("SeveralAutoscalers", autoscaler("b"), autoscaler("a"), scaled_object())
    assert told.startswith(
        "HorizontalPodAutoscaler a, HorizontalPodAutoscaler b and ScaledObject keda all scale"
    )


def deployment(name: str, selector: JSON) -> JSON:
    return named(DEPLOYMENT, name, {"replicas": 2, "selector": selector, "template": template()})


def of_deployment(name: str) -> JSON:
    return autoscaler("theirs", target=at("apps/v1", "Deployment", name))


def test_an_autoscaler_that_an_adopted_deployment_keeps_stops_ours_as_well() -> None:
    around = [autoscaler(), of_deployment("legacy")]
    whole = deployment("legacy", {"matchLabels": {"app": "checkout"}})
    found = {each.reason: each for each in findings(*around, whole, of=rollout(ADOPTED))}
    assert set(found) == {"AutoscalerMisdirected", "AmbiguousSelector"}
    told = found["AmbiguousSelector"].message
    assert "HorizontalPodAutoscaler theirs finds this Rollout's pods" in told
    assert "it and HorizontalPodAutoscaler hpa both stop" in told


@pytest.mark.parametrize(
    ("selector", "ambiguous"),
    [
        ({"matchLabels": {"app": "checkout"}}, True),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"matchLabels": {"app": "checkout", "component": "worker"}}, False),
        ({"matchLabels": {"app": "cart"}}, False),
    ],
)
def test_a_neighbours_autoscaler_may_find_our_pods(selector: JSON, *, ambiguous: bool) -> None:
    theirs = [of_deployment("worker"), deployment("worker", selector)]
    assert ("AmbiguousSelector" in reasons(autoscaler(), *theirs)) is ambiguous
    assert "AmbiguousSelector" not in reasons(*theirs), "there is none of ours to stop"


BLUE_GREEN = {"blueGreen": {"activeService": "checkout"}}
PATIENT = {"scaleUp": {"stabilizationWindowSeconds": 900}}
VALUE = {"metric": {"name": "queue"}, "target": {"type": "Value", "value": 9}}
AVERAGE = {"metric": {"name": "queue"}, "target": {"type": "AverageValue", "averageValue": 9}}
MEMORY = {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}}


@pytest.mark.parametrize(
    ("scaler", "multiplies"),
    [
        (autoscaler(metrics=[{"type": "Resource", "resource": MEMORY}]), "memory by all pods"),
        (
            autoscaler(metrics=[{"type": "External", "external": VALUE}]),
            "queue (Value) by all pods",
        ),
        (autoscaler(metrics=[{"type": "Object", "object": VALUE}]), "queue (Value) by all pods"),
        (autoscaler(metrics=[{"type": "External", "external": AVERAGE}]), ""),
        (autoscaler(metrics=[utilization("cpu")]), ""),
        (autoscaler(metrics=[{"type": "External", "external": VALUE}], behavior=PATIENT), ""),
        (scaled_object(triggers=[{"type": "kafka", "metricType": "Value"}]), "kafka (Value)"),
        (scaled_object(triggers=[{"type": "kafka"}]), ""),
        (
            scaled_object(
                triggers=[{"type": "kafka", "metricType": "Value"}],
                advanced={"horizontalPodAutoscalerConfig": {"behavior": PATIENT}},
            ),
            "",
        ),
    ],
)
def test_two_fleets_side_by_side_are_too_many_for_some_metrics(
    scaler: JSON, multiplies: str
) -> None:
    switched = rollout(strategy=BLUE_GREEN)
    if multiplies:
        assert multiplies in message("AutoscalerCountsIdlePods", scaler, of=switched)
    else:
        assert reasons(scaler, of=switched) == []
    assert reasons(scaler) == [], "a canary has few pods more"


def test_the_autoscaler_that_keda_makes_is_its_own() -> None:
    owner = {"kind": "ScaledObject", "name": "keda", "controller": True}
    made = autoscaler("keda-hpa-keda")
    made["metadata"]["ownerReferences"] = [owner]
    assert reasons(made, scaled_object()) == []


def test_none_of_it_stops_a_release() -> None:
    found = findings(autoscaler("a", minReplicas=9, maxReplicas=2), autoscaler("b"))
    assert found
    assert not any(problem.is_blocking for problem in found)
