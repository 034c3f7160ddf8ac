"""Bindings: a scheduler puts a pod on a node, once."""

from rollouts.model.kinds import JSON, POD
from rollouts.sandbox.apiserver.builtins import NAMESPACE
from rollouts.sandbox.apiserver.objects import get_path
from tests.contract.api_server.objects import NOBODY, pod
from tests.contract.api_server.wire import Answer, Wire

NODE: JSON = {"kind": "Node", "name": "sandbox"}


async def bind(
    wire: Wire, name: str = "web-1", target: JSON = NODE, query: str = "", **meta: str
) -> Answer:
    body = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": name, **meta},
        "target": target,
    }
    asked = {"dryRun": query} if query else {}
    return await wire.post(wire.of(POD, "web-1", "binding"), body, **asked)


async def test_a_pod_is_put_on_a_node_once(wire: Wire) -> None:
    await wire.post(wire.of(POD), pod())
    assert (await bind(wire, query="All")).status == 201
    done = await bind(wire)
    assert (done.status, done.body["kind"], done.body["status"]) == (201, "Status", "Success")
    found = (await wire.get(wire.of(POD, "web-1"))).body
    assert found["spec"]["nodeName"] == "sandbox"
    (condition,) = get_path(found, "status.conditions")
    assert (condition["type"], condition["status"]) == ("PodScheduled", "True")
    again = await bind(wire)
    assert again.status == 409
    why = 'pod web-1 is already assigned to node "sandbox"'
    what = 'Operation cannot be fulfilled on pods/binding "web-1"'
    assert again.message == f"{what}: {why}"
    await wire.delete(wire.of(POD, "web-1"))
    late = await bind(wire)
    why = "pod web-1 is being deleted, cannot be assigned to a host"
    assert (late.status, late.message) == (409, f"{what}: {why}")


async def test_a_binding_means_one_pod(wire: Wire) -> None:
    assert (await bind(wire)).status == 404
    await wire.post(wire.of(POD), pod())
    another = await bind(wire, uid=NOBODY)
    assert another.status == 409
    assert f"Precondition failed: UID in precondition: {NOBODY}" in another.message
    misnamed = await bind(wire, "other")
    assert misnamed.status == 400
    assert misnamed.message == "name in URL does not match name in Binding object"
    assert (await wire.get(wire.of(POD, "web-1", "binding"))).status == 405


async def test_a_binding_is_to_a_node(wire: Wire) -> None:
    await wire.post(wire.of(POD), pod())
    for target, why in (
        ({"kind": "Node"}, "target.name: Required value"),
        (
            {"kind": "Pod", "name": "x"},
            'target.kind: Unsupported value: "Pod": supported values: "Node", "<empty>"',
        ),
    ):
        refused = await bind(wire, target=target)
        assert (refused.status, refused.message) == (500, why)
        assert "reason" not in refused.body


async def test_the_first_namespaces_stay(wire: Wire) -> None:
    for name in ("default", "kube-system", "kube-public"):
        refused = await wire.delete(f"/api/v1/{NAMESPACE.plural}/{name}")
        assert (refused.status, refused.body["reason"]) == (403, "Forbidden")
        why = f'namespaces "{name}" is forbidden: this namespace may not be deleted'
        assert refused.message == why
