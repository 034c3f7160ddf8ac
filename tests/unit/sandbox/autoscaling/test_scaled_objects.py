"""A ScaledObject is an autoscaler, and more: its target goes to 0 and comes back."""

from typing import Any

import pytest

from rollouts.model.kinds import AUTOSCALER, CRD, JSON, SCALED_OBJECT
from tests.unit.sandbox.autoscaling.conftest import DEPLOYED, Fleet

QUERY = "sum(orders_open)"


def prometheus(threshold: str = "100", **more: Any) -> JSON:
    meta = {"serverAddress": "http://prometheus:9090", "query": QUERY, "threshold": threshold}
    return {"type": "prometheus", "metadata": meta | more}


def conditions(fleet: Fleet) -> dict[str, str]:
    status = fleet.world.get(SCALED_OBJECT, "web")["status"]
    return {each["type"]: each["status"] for each in status["conditions"]}


async def test_it_becomes_an_autoscaler_of_its_own(fleet: Fleet) -> None:
    fleet.deploy(2)
    fleet.scaled_object(prometheus(), minReplicaCount=1, maxReplicaCount=7)
    fleet.metric_values.values[QUERY] = [350.0]
    await fleet.sync()
    found = fleet.world.get(AUTOSCALER, "keda-hpa-web")
    (owner,) = found["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("ScaledObject", "web", True)
    assert found["spec"]["scaleTargetRef"] == DEPLOYED
    assert (found["spec"]["minReplicas"], found["spec"]["maxReplicas"]) == (1, 7)
    (metric,) = found["spec"]["metrics"]
    labels = {"matchLabels": {"scaledobject.keda.sh/name": "web"}}
    assert metric["external"] == {
        "metric": {"name": "s0-prometheus", "selector": labels},
        "target": {"type": "AverageValue", "averageValue": "100"},
    }
    assert fleet.size == 4
    status = fleet.world.get(SCALED_OBJECT, "web")["status"]
    assert status["hpaName"] == "keda-hpa-web"
    assert status["scaleTargetKind"] == "apps/v1.Deployment"
    assert status["externalMetricNames"] == ["s0-prometheus"]
    assert conditions(fleet) == {"Ready": "True", "Active": "True", "Paused": "False"}


async def test_a_change_of_it_changes_its_autoscaler_and_its_end_ends_it(fleet: Fleet) -> None:
    fleet.deploy(2)
    fleet.scaled_object(prometheus())
    fleet.metric_values.values[QUERY] = [10.0]
    await fleet.sync()
    window = {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 7}}}
    change = {
        "maxReplicaCount": 3,
        "advanced": {"horizontalPodAutoscalerConfig": window},
        "triggers": [prometheus("5"), {"type": "cpu", "metadata": {"value": "60"}}],
    }
    fleet.store.patch(SCALED_OBJECT, "default", "web", {"spec": change})
    await fleet.sync()
    spec = fleet.world.get(AUTOSCALER, "keda-hpa-web")["spec"]
    assert spec["maxReplicas"] == 3
    assert spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 7
    assert [each["type"] for each in spec["metrics"]] == ["External", "Resource"]
    fleet.store.delete(SCALED_OBJECT, "default", "web")
    assert fleet.store.get(AUTOSCALER, "default", "keda-hpa-web") is None


async def test_with_nothing_to_do_it_goes_to_0_and_comes_back(fleet: Fleet) -> None:
    fleet.deploy(1)
    fleet.scaled_object(prometheus(activationThreshold="5"), cooldownPeriod=60)
    fleet.metric_values.values[QUERY] = [3.0]
    await fleet.sync(30)
    assert fleet.size == 1, "the cooldown is not over"
    assert conditions(fleet)["Active"] == "False"
    await fleet.sync(31)
    assert fleet.size == 0
    await fleet.sync()
    assert fleet.condition("ScalingActive", "keda-hpa-web") == "False ScalingDisabled"
    fleet.metric_values.values[QUERY] = [6.0]
    await fleet.sync()
    assert fleet.size == 1
    await fleet.sync(600)
    assert fleet.size == 1, "it is active"


async def test_one_that_keeps_pods_never_goes_to_0(fleet: Fleet) -> None:
    fleet.deploy(2)
    fleet.scaled_object(prometheus(), minReplicaCount=2, cooldownPeriod=1)
    fleet.metric_values.values[QUERY] = [0.0]
    await fleet.sync(600)
    await fleet.sync(600)
    assert fleet.size == 2


async def test_paused_it_has_no_autoscaler(fleet: Fleet) -> None:
    fleet.deploy(2)
    fleet.scaled_object(prometheus())
    fleet.metric_values.values[QUERY] = [900.0]
    pause = {"metadata": {"annotations": {"autoscaling.keda.sh/paused": "true"}}}
    fleet.store.patch(SCALED_OBJECT, "default", "web", pause)
    await fleet.sync()
    assert fleet.store.get(AUTOSCALER, "default", "keda-hpa-web") is None
    assert (fleet.size, conditions(fleet)["Paused"]) == (2, "True")
    pause["metadata"]["annotations"] = {"autoscaling.keda.sh/paused": "false"}
    fleet.store.patch(SCALED_OBJECT, "default", "web", pause)
    await fleet.sync()
    assert fleet.size == 4


@pytest.mark.parametrize(
    ("trigger", "why"),
    [
        ({"type": "kafka", "metadata": {}}, "no scaler found for type: kafka"),
        ({"type": "prometheus", "metadata": {"query": "x"}}, "error parsing prometheus metadata"),
    ],
)
async def test_what_it_does_not_understand_it_says(fleet: Fleet, trigger: JSON, why: str) -> None:
    fleet.deploy(2)
    fleet.scaled_object(trigger)
    await fleet.sync()
    status = fleet.world.get(SCALED_OBJECT, "web")["status"]
    ready = next(each for each in status["conditions"] if each["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "ScaledObjectCheckFailed")
    assert why in ready["message"]
    assert fleet.store.select(AUTOSCALER) == []


async def test_a_target_that_comes_later_and_a_definition_that_goes(fleet: Fleet) -> None:
    fleet.scaled_object(prometheus(), minReplicaCount=1)
    fleet.metric_values.values[QUERY] = [200.0]
    await fleet.sync()
    assert conditions(fleet)["Ready"] == "False"
    fleet.deploy(1)
    await fleet.sync()
    assert (conditions(fleet)["Ready"], fleet.size) == ("True", 2)
    fleet.store.delete(CRD, "", SCALED_OBJECT.crd_name)
    await fleet.sync()
    assert fleet.store.select(AUTOSCALER) == []


async def test_with_nothing_new_nothing_is_written(fleet: Fleet) -> None:
    fleet.deploy(2)
    fleet.scaled_object(prometheus(), minReplicaCount=1)
    fleet.metric_values.values[QUERY] = [200.0]
    await fleet.sync()
    before = fleet.store.revision
    await fleet.sync(1)
    assert fleet.store.revision == before
