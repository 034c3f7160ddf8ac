"""What of a pod may change once it is made."""

import pytest

from rollouts.model.kinds import JSON, POD
from tests.contract.api_server.objects import pod
from tests.contract.api_server.wire import Answer, Wire

STRATEGIC = "application/strategic-merge-patch+json"
FORBIDDEN = (
    "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`"
)


async def changed(wire: Wire, spec: JSON) -> Answer:
    made = await wire.post(wire.of(POD), pod(resources={"requests": {"cpu": "1"}}))
    assert made.status == 201
    return await wire.ask("PATCH", wire.of(POD, "web-1"), {"spec": spec}, STRATEGIC)


@pytest.mark.parametrize(
    "spec",
    [
        {"containers": [{"name": "web", "image": "web:2"}]},
        {"activeDeadlineSeconds": 5},
        {"tolerations": [{"key": "busy", "operator": "Exists"}]},
    ],
)
async def test_its_images_its_deadline_and_its_tolerations_may(wire: Wire, spec: JSON) -> None:
    assert (await changed(wire, spec)).status == 200


@pytest.mark.parametrize(
    "spec",
    [
        {"containers": [{"name": "web", "env": [{"name": "A", "value": "b"}]}]},
        {"containers": [{"name": "web", "resources": {"requests": {"cpu": "2"}}}]},
        {"terminationGracePeriodSeconds": 5},
        {"readinessGates": [{"conditionType": "example.dev/ready"}]},
        {"nodeSelector": {"disk": "ssd"}},
    ],
)
async def test_nothing_else_may(wire: Wire, spec: JSON) -> None:
    refused = await changed(wire, spec)
    assert (refused.status, refused.causes) == (422, [("FieldValueForbidden", "spec")])
    assert refused.message.startswith(f'Pod "web-1" is invalid: {FORBIDDEN}')


@pytest.mark.parametrize("which", ["containers", "initContainers"])
async def test_it_gets_no_other_container(wire: Wire, which: str) -> None:
    refused = await changed(wire, {which: [{"name": "two", "image": "web:1"}]})
    assert refused.status == 422
    why = f"spec.{which}: Forbidden: pod updates may not add or remove containers"
    assert refused.message == f'Pod "web-1" is invalid: {why}'
