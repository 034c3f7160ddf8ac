"""A HorizontalPodAutoscaler sets its target's size, and says what it sees and why."""

import pytest

from rollouts.model.kinds import AUTOSCALER, DEPLOYMENT, JSON, ROLLOUT
from rollouts.sandbox.autoscaling.external import promql
from tests.unit.sandbox.autoscaling.conftest import SETTLED_SECONDS, Fleet, external
from tests.unit.sandbox.workloads.objects import LABELS, template

AT_ONCE = {"scaleDown": {"stabilizationWindowSeconds": 0}}


async def test_cpu_above_the_target_grows_it(fleet: Fleet) -> None:
    fleet.deploy(2)
    fleet.autoscale()
    await fleet.uses(0.8)
    assert fleet.size == 4, "160 % of what 80 % are wanted of"
    assert fleet.condition("AbleToScale") == "True SucceededRescale"
    assert fleet.condition("ScalingActive") == "True ValidMetricFound"
    assert fleet.condition("ScalingLimited") == "False DesiredWithinRange"
    status = fleet.status()
    assert (status["currentReplicas"], status["desiredReplicas"]) == (2, 4)
    (metric,) = status["currentMetrics"]
    current = {"averageUtilization": 160, "averageValue": "800m"}
    assert metric == {"type": "Resource", "resource": {"name": "cpu", "current": current}}
    assert "SuccessfulRescale" in fleet.world.events()


async def test_cpu_below_the_target_shrinks_it_once_the_window_is_over(fleet: Fleet) -> None:
    fleet.deploy(8)
    fleet.autoscale(minReplicas=2)
    await fleet.uses(0.05)
    assert (fleet.size, fleet.condition("AbleToScale")) == (8, "True ScaleDownStabilized")
    await fleet.sync(300)
    assert fleet.size == 2
    assert fleet.condition("ScalingLimited") == "True TooFewReplicas"


async def test_pods_that_have_just_started_do_not_count_yet(fleet: Fleet) -> None:
    fleet.deploy(1)
    fleet.autoscale(maxReplicas=8)
    await fleet.uses(0.8)
    assert fleet.size == 2
    await fleet.sync()
    assert fleet.size == 2, "of the second pod nothing is known: as if it used nothing"
    await fleet.sync(SETTLED_SECONDS)
    assert fleet.size == 4


async def test_without_a_request_there_is_no_utilisation(fleet: Fleet) -> None:
    fleet.deploy(2, cpu=None)
    fleet.autoscale()
    await fleet.uses(0.8)
    assert fleet.size == 2
    assert fleet.condition("ScalingActive") == "False FailedGetResourceMetric"
    messages = [each["message"] for each in fleet.status()["conditions"]]
    assert any("missing request for cpu in container web of Pod" in text for text in messages)


async def test_an_external_metric_is_the_sum_of_its_series(fleet: Fleet) -> None:
    fleet.deploy(2)
    fleet.autoscale([external(100, shop="berlin")])
    fleet.metric_values.values['orders_open{shop="berlin"}'] = [300.0, 150.0]
    await fleet.sync()
    assert fleet.size == 4, "it may double at most"
    assert fleet.condition("ScalingLimited") == "True ScaleUpLimit"
    await fleet.sync()
    assert fleet.size == 5
    (metric,) = fleet.status()["currentMetrics"]
    assert metric["external"]["current"] == {"averageValue": "112500m"}


async def test_of_several_metrics_the_one_that_asks_for_most_counts(fleet: Fleet) -> None:
    fleet.deploy(2)
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    fleet.autoscale([{"type": "Resource", "resource": cpu}, external(100, "Value")])
    fleet.metric_values.values["orders_open{}"] = [100.0]
    await fleet.uses(0.1)
    assert fleet.size == 2
    fleet.metric_values.values["orders_open{}"] = [150.0]
    await fleet.sync()
    assert fleet.size == 3


async def test_with_one_metric_missing_it_may_grow_but_not_shrink(fleet: Fleet) -> None:
    fleet.deploy(4)
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    fleet.autoscale([external(100), {"type": "Resource", "resource": cpu}], behavior=AT_ONCE)
    await fleet.uses(0.01)
    assert (fleet.size, fleet.condition("ScalingActive")) == (4, "False FailedGetExternalMetric")
    await fleet.uses(0.5)
    assert (fleet.size, fleet.condition("ScalingActive")) == (8, "True ValidMetricFound")
    assert [each["type"] for each in fleet.status()["currentMetrics"]] == ["", "Resource"]


async def test_a_target_of_size_0_is_left_alone(fleet: Fleet) -> None:
    fleet.deploy(0)
    fleet.autoscale()
    await fleet.sync()
    assert (fleet.size, fleet.condition("ScalingActive")) == (0, "False ScalingDisabled")


@pytest.mark.parametrize(("size", "wanted"), [(12, 10), (1, 3)])
async def test_a_size_outside_the_limits_is_corrected_without_any_metric(
    fleet: Fleet, size: int, wanted: int
) -> None:
    fleet.deploy(size)
    fleet.autoscale([external(100)], minReplicas=3)
    await fleet.sync()
    assert fleet.size == wanted


async def test_a_target_that_is_not_there(fleet: Fleet) -> None:
    fleet.autoscale()
    await fleet.sync()
    assert fleet.condition("AbleToScale") == "False FailedGetScale"
    assert "FailedGetScale" in fleet.world.events()
    fleet.deploy(2)
    await fleet.sync()
    assert fleet.condition("AbleToScale") == "True SucceededGetScale"


async def test_a_rollout_is_scaled_through_what_its_scale_shows(fleet: Fleet) -> None:
    spec = {
        "replicas": 2,
        "selector": {"matchLabels": LABELS},
        "template": template(),
        "strategy": {"canary": {}},
    }
    meta = {"name": "web", "namespace": "default"}
    fleet.store.create(ROLLOUT, {"metadata": meta, "spec": spec})
    target = {"apiVersion": "rollouts.dev/v1alpha1", "kind": "Rollout", "name": "web"}
    fleet.autoscale([external(100)], scaleTargetRef=target)
    fleet.metric_values.values["orders_open{}"] = [300.0]
    await fleet.sync()
    assert fleet.condition("ScalingActive") == "False InvalidSelector", "no status yet"
    status = {"replicas": 2, "selector": "app=web,rollouts.dev/rollout=web"}
    fleet.store.patch(ROLLOUT, "default", "web", {"status": status}, "status")
    await fleet.sync()
    rollout = fleet.world.get(ROLLOUT, "web")
    assert rollout["spec"]["replicas"] == 3
    assert rollout["status"]["replicas"] == 2
    entries = rollout["metadata"]["managedFields"]
    assert [each["subresource"] for each in entries if "subresource" in each] == ["status", "scale"]


async def test_of_two_that_find_the_same_pods_neither_does_anything(fleet: Fleet) -> None:
    fleet.deploy(2)
    fleet.autoscale()
    twin = fleet.world.get(AUTOSCALER, "web")
    other = {"metadata": {"name": "other", "namespace": "default"}, "spec": twin["spec"]}
    fleet.store.create(AUTOSCALER, other)
    await fleet.uses(0.8)
    assert fleet.size == 2
    for name in ("web", "other"):
        assert fleet.condition("ScalingActive", name) == "False AmbiguousSelector"
    messages = [each["message"] for each in fleet.status()["conditions"]]
    why = "pods by selector app=web are controlled by multiple HPAs: [default/other default/web]"
    assert why in messages
    assert "AmbiguousSelector" in fleet.world.events()
    fleet.store.delete(AUTOSCALER, "default", "other")
    await fleet.uses(0.8)
    assert fleet.size == 4


@pytest.mark.parametrize(
    ("selector", "stopped"),
    [("app=web", True), ("app=web,rollouts.dev/rollout=web", False)],
)
async def test_a_neighbour_with_one_label_more_stops_none_if_a_rollout_finds_its_own_pods_only(
    fleet: Fleet, selector: str, *, stopped: bool
) -> None:
    """The Deployment is the neighbour; the first selector is what a canary's was once."""
    fleet.deploy(2)
    fleet.autoscale()
    spec = {"replicas": 2, "selector": {"matchLabels": LABELS}, "template": template()}
    meta = {"name": "web", "namespace": "default"}
    body = {"metadata": meta, "spec": {**spec, "strategy": {"canary": {}}}}
    fleet.store.create(ROLLOUT, body)
    fleet.store.patch(ROLLOUT, "default", "web", {"status": {"selector": selector}}, "status")
    target = {"apiVersion": "rollouts.dev/v1alpha1", "kind": "Rollout", "name": "web"}
    ours = {"scaleTargetRef": target, "maxReplicas": 5, "metrics": [external(100)]}
    fleet.store.create(AUTOSCALER, {"metadata": {**meta, "name": "ours"}, "spec": ours})
    fleet.metric_values.values["orders_open{}"] = [300.0]
    await fleet.uses(0.8)
    reasons = [fleet.condition("ScalingActive", name) for name in ("web", "ours")]
    active = "False AmbiguousSelector" if stopped else "True ValidMetricFound"
    assert reasons == [active, active]


async def test_with_nothing_new_nothing_is_written(fleet: Fleet) -> None:
    fleet.deploy(3)
    fleet.autoscale([external(100)])
    fleet.metric_values.values["orders_open{}"] = [300.0]
    await fleet.sync()
    before = fleet.store.revision
    await fleet.sync()
    assert fleet.store.revision == before


def test_labels_that_need_quoting(fleet: Fleet) -> None:
    metric: JSON = {"name": "open", "selector": {"matchLabels": {"shop": 'a"b', "app": "x"}}}
    assert promql(fleet.store, "default", metric) == 'open{app="x",shop="a\\"b"}'


async def test_two_that_fight_over_one_target_are_both_followed(fleet: Fleet) -> None:
    """As with real ones: the API server does not know what belongs to whom."""
    fleet.deploy(2)
    fleet.autoscale([external(100)], maxReplicas=3)
    fleet.metric_values.values["orders_open{}"] = [900.0]
    await fleet.sync()
    fleet.store.patch(DEPLOYMENT, "default", "web", {"spec": {"replicas": 9}})
    await fleet.sync()
    assert fleet.size == 3
