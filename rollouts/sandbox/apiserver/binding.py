"""
The binding subresource of pods: a scheduler puts a pod on a node, once.

Source: the answers of kube-apiserver 1.36, in its wording.
"""

from typing import Any

from rollouts.model.kinds import JSON, POD
from rollouts.sandbox.apiserver.answers import created
from rollouts.sandbox.apiserver.errors import ApiError, conflict
from rollouts.sandbox.apiserver.objects import get_path, timestamp
from rollouts.sandbox.apiserver.requests import Call
from rollouts.sandbox.apiserver.store import Store


def bound(call: Call, body: Any, store: Store) -> JSON:
    """
    Put the pod that the call names on the node that the body does, and return the Status that says so.

    Raises:
        ApiError: 404, there is no such pod; 409, it is on a node, is being deleted or is another
            one; 400 and 500, the body is no Binding of it to a node.
    """
    if call.verb != "create":
        raise ApiError(405, "the server does not allow this method on the requested resource")
    name, namespace = call.target.name, call.target.namespace
    if not isinstance(body, dict) or get_path(body, "metadata.name", name) != name:
        raise ApiError(400, "name in URL does not match name in Binding object")
    _check_target(body.get("target") or {})
    meta = {**(body.get("metadata") or {}), "namespace": namespace, "name": name}
    bind(store, {**body, "metadata": meta}, dry_run=call.dry_run)
    return created()


def bind(store: Store, binding: JSON, *, dry_run: bool = False) -> None:
    """
    Put a pod on a node, as a Binding says.

    Raises:
        ApiError: 404, there is no such pod; 409, it is on a node, is being deleted or is another.
    """
    meta = binding["metadata"]
    namespace, name = meta["namespace"], meta["name"]
    pod = store.stored(store.registry.of(POD), namespace, name)
    uid, node = pod["metadata"]["uid"], get_path(pod, "spec.nodeName")
    if meta.get("uid", uid) != uid:
        why = f"Precondition failed: UID in precondition: {meta['uid']}, UID in object meta: {uid}"
        raise conflict(POD.plural, POD.group, name, why)
    if "deletionTimestamp" in pod["metadata"]:
        why = f"pod {name} is being deleted, cannot be assigned to a host"
        raise conflict("pods/binding", POD.group, name, why)
    if node:
        why = f'pod {name} is already assigned to node "{node}"'
        raise conflict("pods/binding", POD.group, name, why)
    if dry_run:
        return
    store.patch(POD, namespace, name, {"spec": {"nodeName": binding["target"]["name"]}})
    scheduled = {
        "type": "PodScheduled",
        "status": "True",
        "lastTransitionTime": timestamp(store.now()),
    }
    others = [
        each for each in get_path(pod, "status.conditions", []) if each["type"] != "PodScheduled"
    ]
    store.patch(POD, namespace, name, {"status": {"conditions": [*others, scheduled]}}, "status")


def _check_target(target: JSON) -> None:
    kind = target.get("kind") or "Node"
    if kind != "Node":
        raise _unfit(
            f'target.kind: Unsupported value: "{kind}": supported values: "Node", "<empty>"'
        )
    if not target.get("name"):
        raise _unfit("target.name: Required value")


def _unfit(message: str) -> ApiError:
    error = ApiError(500, message)
    error.reason = ""  # an error that the API server itself did not expect
    return error
