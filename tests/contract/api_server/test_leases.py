"""What a Lease has to be, by which leaders are elected."""

import pytest

from rollouts.kube.lease import LEASE
from tests.contract.api_server.objects import lease
from tests.contract.api_server.wire import Wire


@pytest.mark.parametrize("moment", ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123Z"])
async def test_times_have_six_digits(wire: Wire, moment: str) -> None:
    refused = await wire.post(wire.of(LEASE), lease("one", renewTime=moment))
    assert refused.status == 400
    layout = "2006-01-02T15:04:05.000000Z07:00"
    assert f'parsing time "{moment}" as "{layout}"' in refused.message


async def test_six_digits_are_kept(wire: Wire) -> None:
    moment = "2026-01-01T00:00:00.123456Z"
    created = await wire.post(wire.of(LEASE), lease("one", renewTime=moment))
    assert (created.status, created.body["spec"]) == (201, {"renewTime": moment})


@pytest.mark.parametrize(
    ("field", "value"), [("leaseDurationSeconds", 0), ("leaseTransitions", -1)]
)
async def test_a_term_has_some_length(wire: Wire, field: str, value: int) -> None:
    refused = await wire.post(wire.of(LEASE), lease("one", **{field: value}))
    assert (refused.status, refused.causes) == (422, [("FieldValueInvalid", f"spec.{field}")])


async def test_a_put_makes_one_and_replaces_only_the_version_that_it_names(wire: Wire) -> None:
    made = await wire.put(wire.of(LEASE, "one"), lease("one", holderIdentity="a"))
    assert made.status == 201
    refused = await wire.put(wire.of(LEASE, "one"), lease("one", holderIdentity="b"))
    assert refused.status == 422
    why = "metadata.resourceVersion: Invalid value: 0: must be specified for an update"
    assert refused.message == f'leases.coordination.k8s.io "one" is invalid: {why}'
    body = {**lease("one", holderIdentity="b"), "metadata": made.body["metadata"]}
    assert (await wire.put(wire.of(LEASE, "one"), body)).status == 200
    assert (await wire.put(wire.of(LEASE, "one"), body)).status == 409
