"""
The Deployment controller: one ReplicaSet per revision, replaced step by step.

What `kubectl rollout status`, `history`, `undo`, `pause`, `set image` and `scale` rely on is
here: the label pod-template-hash, the annotation deployment.kubernetes.io/revision, the
conditions Available and Progressing, and the status counts. Left out: spreading a scale
command over several ReplicaSets in proportion while a rollout is paused in the middle.
"""

import hashlib
import json

from rollouts.model.kinds import DEPLOYMENT, JSON, POD, REPLICA_SET, FrozenJSON, Kind
from rollouts.model.owners import controller_reference, is_controlled_by
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.objects import clone, get_path
from rollouts.sandbox.workloads.deployment_status import status_of, until_deadline
from rollouts.sandbox.workloads.object_controllers import OwningController
from rollouts.sandbox.workloads.objects import (
    is_terminating,
    uid_of,
)
from rollouts.sandbox.workloads.rolling_update import Size, limits, next_sizes

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
_POLL_SECONDS = 0.3  # a Recreate waits for pods to be gone, of which no ReplicaSet's status tells
_NOT_COPIED = (REVISION, "kubectl.kubernetes.io/last-applied-configuration")


class Deployments(OwningController):
    """See the module's promise."""

    name = "deployment-controller"
    kinds: tuple[Kind, ...] = (DEPLOYMENT, REPLICA_SET)

    def reconcile_object(self, owner: JSON) -> float | None:
        sets = self.claim(owner)
        new = _current(owner, sets)
        if new is None and not owner["spec"].get("paused"):
            new = self._create_set(owner)
            sets = self.claim(owner)
        if new is not None:
            self._number(owner, new, sets)
        self._scale(owner, new, sets)
        sets = self.claim(owner)
        again = self._finish(owner, _current(owner, sets), sets)
        return (
            _POLL_SECONDS
            if get_path(owner, "spec.strategy.type") == "Recreate" and again
            else again
        )

    def claim(self, owner: FrozenJSON) -> list[JSON]:
        """Adopt and release; return the Deployment's ReplicaSets, oldest revision first."""
        return sorted(super().claim(owner), key=revision_of)

    def _create_set(self, owner: FrozenJSON) -> JSON:
        """Create a ReplicaSet under a name that nobody has, whoever it may be."""
        collisions = 0
        while True:
            body = new_replica_set(owner, template_hash(owner["spec"]["template"], collisions))
            try:
                return self._store.create(REPLICA_SET, body)
            except ApiError as error:
                if error.reason != "AlreadyExists":
                    raise
            collisions += 1

    def _number(self, owner: FrozenJSON, new: FrozenJSON, sets: list[JSON]) -> None:
        """Make the new ReplicaSet's revision the highest, and show it on the Deployment."""
        others = [revision_of(found) for found in sets if uid_of(found) != uid_of(new)]
        revision = max(revision_of(new), max(others, default=0) + 1)
        given = owner["metadata"].get("annotations") or {}
        copied = {key: value for key, value in given.items() if key not in _NOT_COPIED}
        namespace = owner["metadata"]["namespace"]
        number = {REVISION: str(revision)}
        ready_for = owner["spec"].get("minReadySeconds", 0)
        patch = {
            "metadata": {"annotations": {**copied, **number}},
            "spec": {"minReadySeconds": ready_for},
        }
        self._store.patch(REPLICA_SET, namespace, new["metadata"]["name"], patch)
        numbered = {"metadata": {"annotations": number}}
        self._store.patch(DEPLOYMENT, namespace, owner["metadata"]["name"], numbered)

    def _scale(self, owner: FrozenJSON, new: FrozenJSON | None, sets: list[JSON]) -> None:
        """Take the next step towards the wanted sizes."""
        spec = owner["spec"]
        old = [found for found in sets if new is None or uid_of(found) != uid_of(new)]
        used = [found for found in sets if found["spec"].get("replicas", 1)]
        if spec.get("paused") or new is None:
            only = used[0] if len(used) == 1 else new if not used else None
            sizes = {only["metadata"]["name"]: spec.get("replicas", 1)} if only else {}
        elif get_path(spec, "strategy.type") == "Recreate":
            sizes = self._recreate(owner, new, old)
        else:
            sizes = next_sizes(_size(new), [_size(found) for found in old], limits(spec))
        present = {found["metadata"]["name"]: found["spec"].get("replicas", 1) for found in sets}
        for name, replicas in sizes.items():
            if present.get(name) != replicas:
                self._resize(owner, name, present.get(name, 0), replicas)

    def _recreate(self, owner: FrozenJSON, new: FrozenJSON, old: list[JSON]) -> dict[str, int]:
        if any(found["spec"].get("replicas", 1) for found in old):
            return {found["metadata"]["name"]: 0 for found in old}
        pods = self._store.select(POD, owner["metadata"]["namespace"])
        if any(is_controlled_by(pod, found) for found in old for pod in pods):
            return {}
        return {new["metadata"]["name"]: owner["spec"].get("replicas", 1)}

    def _resize(self, owner: FrozenJSON, name: str, before: int, replicas: int) -> None:
        namespace = owner["metadata"]["namespace"]
        self._store.patch(REPLICA_SET, namespace, name, {"spec": {"replicas": replicas}})
        way = "up" if replicas > before else "down"
        message = f"Scaled {way} replica set {name} from {before} to {replicas}"
        self._events.normal(owner, "ScalingReplicaSet", message)

    def _finish(self, before: FrozenJSON, new: FrozenJSON | None, sets: list[JSON]) -> float | None:
        """Write the status and drop what is too old for the history."""
        namespace = before["metadata"]["namespace"]
        owner = self._store.get(DEPLOYMENT, namespace, before["metadata"]["name"])
        if owner is None:
            return None
        now = self._store.now()
        status = status_of(owner, new, sets, now)
        meta = {
            name: value for name, value in owner["metadata"].items() if name != "resourceVersion"
        }
        owner = self._store.replace(
            DEPLOYMENT, {**owner, "metadata": meta, "status": status}, "status"
        )
        unused = [
            found
            for found in sets
            if (new is None or uid_of(found) != uid_of(new))
            and not found["spec"].get("replicas", 1)
            and not get_path(found, "status.replicas", 0)
            and not is_terminating(found)
        ]
        surplus = len(unused) - owner["spec"].get("revisionHistoryLimit", 10)
        for found in unused[: max(surplus, 0)]:
            self._store.delete(REPLICA_SET, namespace, found["metadata"]["name"])
        return until_deadline(owner, now)


def revision_of(replica_set: FrozenJSON) -> int:
    """Return the ReplicaSet's revision, 0 when it has none yet."""
    return int((replica_set["metadata"].get("annotations") or {}).get(REVISION, 0))


def template_hash(template: FrozenJSON, collisions: int = 0) -> str:
    """Return the label value for a template; `collisions` gives another for the same template."""
    text = json.dumps([template, collisions], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def new_replica_set(owner: FrozenJSON, hash_: str) -> JSON:
    """Return an empty ReplicaSet for the Deployment's present template."""
    template = clone(owner["spec"]["template"])
    meta = template.setdefault("metadata", {})
    meta["labels"] = {**(meta.get("labels") or {}), HASH_LABEL: hash_}
    selector = clone(owner["spec"]["selector"])
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH_LABEL: hash_}
    return {
        "metadata": {
            "name": f"{owner['metadata']['name']}-{hash_}",
            "namespace": owner["metadata"]["namespace"],
            "labels": meta["labels"],
            "ownerReferences": [controller_reference(owner, DEPLOYMENT)],
        },
        "spec": {
            "replicas": 0,
            "minReadySeconds": owner["spec"].get("minReadySeconds", 0),
            "selector": selector,
            "template": template,
        },
    }


def _current(owner: FrozenJSON, sets: list[JSON]) -> JSON | None:
    """Return the ReplicaSet that has the Deployment's template."""
    for found in sets:
        template = clone(found["spec"]["template"])
        (get_path(template, "metadata.labels") or {}).pop(HASH_LABEL, None)
        if template == _labelled(owner["spec"]["template"]):
            return found
    return None


def _labelled(template: FrozenJSON) -> JSON:
    copy: JSON = clone(template)
    copy.setdefault("metadata", {}).setdefault("labels", {})
    return copy


def _size(replica_set: FrozenJSON) -> Size:
    return Size(
        replica_set["metadata"]["name"],
        replica_set["spec"].get("replicas", 1),
        get_path(replica_set, "status.availableReplicas", 0),
    )
