"""What is dropped, warned of and refused in kinds that are built in."""

import pytest

from rollouts.model.kinds import AUTOSCALER, ENDPOINT_SLICE, EVENT, JSON, POD, REPLICA_SET, SERVICE
from tests.contract.api_server.objects import pod, replica_set, service
from tests.contract.api_server.wire import Wire


async def test_a_typo_in_a_pod_template_is_dropped_with_a_warning(wire: Wire) -> None:
    typo = {"name": "web", "image": "web:1", "imagePulPolicy": "Always"}
    body = replica_set(containers=[typo], lifecyle={})
    created = await wire.post(wire.of(REPLICA_SET), body)
    assert created.status == 201
    assert sorted(created.warnings) == [
        'unknown field "spec.template.spec.containers[0].imagePulPolicy"',
        'unknown field "spec.template.spec.lifecyle"',
    ]
    spec = created.body["spec"]["template"]["spec"]
    assert "lifecyle" not in spec
    assert "imagePulPolicy" not in spec["containers"][0]


async def test_an_unknown_field_is_refused_by_who_is_strict(wire: Wire) -> None:
    body = service(foo="bar")
    refused = await wire.post(wire.of(SERVICE), body, fieldValidation="Strict")
    why = 'strict decoding error: unknown field "metadata.foo"'
    assert refused.status == 400
    assert refused.message == f'Service in version "v1" cannot be handled as a Service: {why}'
    created = await wire.post(wire.of(SERVICE), body, fieldValidation="Ignore")
    assert (created.status, created.warnings) == (201, [])
    patch = {"spec": {"foo": 1}}
    refused = await wire.merge(wire.of(SERVICE, "web"), patch, fieldValidation="Strict")
    assert (refused.status, refused.causes) == (422, [("FieldValueInvalid", "patch")])
    assert refused.message.endswith('strict decoding error: unknown field "spec.foo"')


async def test_an_unknown_field_in_an_apply_is_an_error(wire: Wire) -> None:
    body = service(namespace=wire.namespace)
    body["spec"]["foo"] = 1
    refused = await wire.apply(wire.of(SERVICE, "web"), body)
    assert refused.status == 500
    where = f"{wire.namespace}/web; /v1, Kind=Service"
    why = ".spec.foo: field not declared in schema"
    assert refused.message == f"failed to create typed patch object ({where}): {why}"


async def test_there_are_three_ways_to_look_at_fields(wire: Wire) -> None:
    refused = await wire.post(wire.of(SERVICE), service(), fieldValidation="Some")
    assert (refused.status, refused.causes) == (
        422,
        [("FieldValueNotSupported", "fieldValidation")],
    )


async def test_an_event_is_in_the_namespace_of_what_it_is_about(wire: Wire) -> None:
    body = {"metadata": {"name": "one"}, "involvedObject": {"kind": "Service", "name": "web"}}
    refused = await wire.post(wire.of(EVENT), body)
    assert refused.status == 422
    why = 'involvedObject.namespace: Invalid value: "": does not match event.namespace'
    assert refused.message == f'Event "one" is invalid: {why}'


TO_ZERO = {
    "minReplicas": 0,
    "maxReplicas": 3,
    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web"},
}
"""On by default since 1.37 (HPAScaleToZero)."""


async def test_an_autoscaler_scales_to_zero_since_1_37(wire: Wire) -> None:
    external = {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "1"}}
    metrics = [{"type": "External", "external": external}]
    body = {"metadata": {"name": "web"}, "spec": {**TO_ZERO, "metrics": metrics}}
    said = await wire.post(wire.of(AUTOSCALER), body)
    if await wire.minor_version() < 37:
        assert (said.status, said.causes) == (422, [("FieldValueInvalid", "spec.minReplicas")])
    else:
        assert (said.status, said.body["spec"]["minReplicas"]) == (201, 0)


async def test_an_autoscaler_has_a_generation_since_1_37(wire: Wire) -> None:
    spec = {**TO_ZERO, "minReplicas": 1}
    made = await wire.post(wire.of(AUTOSCALER), {"metadata": {"name": "web"}, "spec": spec})
    generation = None if await wire.minor_version() < 37 else 1
    assert (made.status, made.body["metadata"].get("generation")) == (201, generation)


async def test_without_pods_there_is_no_cpu_to_scale_by(wire: Wire) -> None:
    refused = await wire.post(wire.of(AUTOSCALER), {"metadata": {"name": "web"}, "spec": TO_ZERO})
    assert refused.status == 422
    assert ("FieldValueForbidden", "spec.metrics") in refused.causes


@pytest.mark.parametrize(
    ("container", "field"),
    [
        ({"name": "Web"}, "name"),
        ({"readinessProbe": {"httpGet": {"port": 99999}}}, "readinessProbe.httpGet.port"),
        ({"ports": [{"containerPort": 0}]}, "ports[0].containerPort"),
    ],
)
async def test_a_container_is_looked_at(wire: Wire, container: JSON, field: str) -> None:
    refused = await wire.post(wire.of(POD), pod(**container))
    assert refused.status == 422
    assert [where for _, where in refused.causes] == [f"spec.containers[0].{field}"]


async def test_a_quantity_has_to_be_readable(wire: Wire) -> None:
    refused = await wire.post(wire.of(POD), pod(resources={"requests": {"cpu": "1x"}}))
    assert refused.status == 400
    assert "quantities must match the regular expression" in refused.message


async def test_no_endpoints_are_a_null(wire: Wire) -> None:
    body = {"metadata": {"name": "web"}, "addressType": "IPv4"}
    created = await wire.post(wire.of(ENDPOINT_SLICE), body)
    assert created.status == 201
    assert (created.body["endpoints"], created.body["ports"]) == (None, None)


async def test_a_service_gets_an_address_and_keeps_it(wire: Wire) -> None:
    created = await wire.post(wire.of(SERVICE), service())
    address = created.body["spec"]["clusterIP"]
    assert created.body["spec"]["clusterIPs"] == [address]
    put = await wire.put(wire.of(SERVICE, "web"), service())
    assert (put.status, put.body["spec"]["clusterIP"]) == (200, address)
    moved = await wire.merge(wire.of(SERVICE, "web"), {"spec": {"clusterIP": "10.96.99.99"}})
    assert moved.status == 422


async def test_what_selects_may_not_change(wire: Wire) -> None:
    await wire.post(wire.of(REPLICA_SET), replica_set())
    labels = {"matchLabels": {"app": "web", "other": "1"}}
    refused = await wire.merge(wire.of(REPLICA_SET, "web"), {"spec": {"selector": labels}})
    assert refused.status == 422
    assert ("FieldValueInvalid", "spec.selector") in refused.causes
