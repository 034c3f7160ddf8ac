"""The chart's policy on a real API server: no Rollout that has a Deployment goes in the foreground."""

from collections.abc import AsyncIterator

import pytest

from rollouts.kube.requests import KubeRequests
from rollouts.model.crd import crd
from rollouts.model.kinds import JSON, ROLLOUT, Kind, Ref
from tests.chart import RELEASE, rendered
from tests.contract.api_server.wire import Answer, Wire
from tests.contract.conftest import BORROWED, define
from tests.fakes.kubernetes import rollout
from tests.waiting import answer

_ADMISSION = ("admissionregistration.k8s.io", "v1")
POLICY = Kind(*_ADMISSION, "validatingadmissionpolicies", "ValidatingAdmissionPolicy")
BINDING = Kind(*_ADMISSION, "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding")
REAL = pytest.mark.parametrize("server", [pytest.param("real", marks=pytest.mark.control_plane)])


@pytest.fixture
async def guarded(real_wire: Wire) -> AsyncIterator[Wire]:
    """The server, with the policy of the chart."""
    if BORROWED:
        pytest.skip("nothing is refused in somebody's cluster")
    kinds = {each.name: each for each in (POLICY, BINDING)}
    policy = [each for each in rendered(refuseForegroundDeletion=True) if each["kind"] in kinds]
    async with KubeRequests(real_wire.kubeconfig) as admin:
        await define(admin, crd())
        for each in policy:
            await admin.create(kinds[each["kind"]], each)
        yield real_wire
        for each in policy:
            await admin.delete(Ref(kinds[each["kind"]], "", each["metadata"]["name"]))


def adopting(name: str) -> JSON:
    body = rollout([{"setWeight": 5}])
    body["metadata"] = {"name": name}
    for field in ("selector", "template"):
        del body["spec"][field]
    body["spec"]["workloadRef"] = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    return body


@REAL
async def test_a_rollout_that_has_a_deployment_goes_in_the_background_alone(
    guarded: Wire, server: str
) -> None:
    made = await guarded.post(guarded.of(ROLLOUT), adopting("web"))
    assert made.status == 201, made.message
    path = guarded.of(ROLLOUT, "web")

    async def refused() -> Answer | None:
        said = await guarded.delete(path, propagationPolicy="Foreground", dryRun=["All"])
        return said if said.status != 200 else None

    said = await answer(refused, 30)
    assert said.status == 422
    assert f"ValidatingAdmissionPolicy '{RELEASE}-deletion'" in said.message
    assert "delete it with --cascade=background" in said.message
    by_query = await guarded.ask("DELETE", path, query={"propagationPolicy": "Foreground"})
    assert by_query.status == 422
    assert (await guarded.delete(path, propagationPolicy="Background")).status == 200


@REAL
async def test_a_rollout_with_pods_of_its_own_goes_as_it_is_told(
    guarded: Wire, server: str
) -> None:
    body = rollout([{"setWeight": 5}])
    body["metadata"] = {"name": "plain"}
    await guarded.post(guarded.of(ROLLOUT), body)
    gone = await guarded.delete(guarded.of(ROLLOUT, "plain"), propagationPolicy="Foreground")
    assert gone.status == 200
