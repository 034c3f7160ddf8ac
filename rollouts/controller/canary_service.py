"""
The Service that is made for a new revision, canary or preview: it is as its stable Service is, and stays so.

What says how its pods are reached goes with the stable Service: its ports, what it prefers and keeps together, the labels
and annotations by which data planes choose a protocol, a transport or a policy for a Service. What is the stable one's
alone does not: addresses, node ports, load balancers, and every other label and annotation, by which a second DNS
record or a second scrape of the same pods would come to be. Nor does what would lose a canary's requests:
`publishNotReadyAddresses`, and `internalTrafficPolicy: Local`, where a node without a pod of the canary answers nothing.

Which labels and annotations these are, `rollouts.traffic.service_metadata` knows. Kubernetes never lets `ipFamilies[0]`
change; of a policy that is changed it works out the rest itself.
"""

from collections.abc import Iterable, Iterator, Mapping

from rollouts.controller.objects import labels_of
from rollouts.model.kinds import (
    COPIED_ANNOTATION,
    HASH_LABEL,
    JSON,
    MANAGED_BY_LABEL,
    SERVICE,
    STABLE_LABEL,
    FrozenJSON,
)
from rollouts.model.merge_patch import difference
from rollouts.model.owners import controller_reference
from rollouts.model.role_settings import PodMetadata
from rollouts.model.spec import RolloutSpec
from rollouts.traffic.service_metadata import read_by_data_planes

_OF_A_PORT = ("name", "port", "protocol", "targetPort", "appProtocol")
_ALWAYS_THERE = ("sessionAffinity", "ipFamilyPolicy")
"""An API server fills them in."""
_MAY_GO = ("sessionAffinityConfig", "trafficDistribution")


def new_service(
    rollout: FrozenJSON, spec: RolloutSpec, stable: FrozenJSON, *, name: str, hash_: str
) -> JSON:
    """Return the Service to be made after the stable one, for one revision."""
    metadata = rollout["metadata"]
    labels, annotations = (
        read_by_data_planes(labels_of(stable)),
        read_by_data_planes(_annotations_of(stable)),
    )
    noted = _note(labels, annotations)
    body: JSON = {
        "apiVersion": SERVICE.api_version,
        "kind": SERVICE.name,
        "metadata": {
            "namespace": metadata["namespace"],
            "name": name,
            "labels": {**labels, MANAGED_BY_LABEL: metadata["name"]},
            "ownerReferences": [controller_reference(rollout)],
        },
        "spec": {
            "type": "ClusterIP",
            **_spec(stable),
            "selector": {**own_selector(stable, spec), HASH_LABEL: hash_},
        },
    }
    families = _spec_of(stable).get("ipFamilies")
    if families:
        body["spec"]["ipFamilies"] = families
    if noted:
        body["metadata"]["annotations"] = {**annotations, COPIED_ANNOTATION: noted}
    return body


def changes(
    service: FrozenJSON, stable: FrozenJSON, spec: RolloutSpec, pods: Iterable[FrozenJSON]
) -> JSON:
    """
    Return the merge patch by which a Service of ours is as its stable Service is now; empty when it is.

    Its revision stays. `pods` are those that it leads to: a selector that would lose them is
    not followed, since their requests would be lost as well.
    """
    if _spec_of(stable).get("type") == "ExternalName":
        return {}
    metadata = _metadata(service, stable)
    wanted = _spec(stable)
    inner: JSON = {
        field: value for field, value in wanted.items() if value != _field(service, field)
    }
    inner |= {
        field: None for field in _MAY_GO if field in _spec_of(service) and field not in wanted
    }
    before, selector = _without_hash(service), own_selector(stable, spec)
    if selector != before and all(selector.items() <= labels_of(pod).items() for pod in pods):
        inner["selector"] = difference(before, selector)
    return {
        **({"metadata": metadata} if metadata else {}),
        **({"spec": inner} if inner else {}),
    }


def _spec(stable: FrozenJSON) -> JSON:
    """Return what the spec of a Service says about how its pods are reached."""
    spec = _spec_of(stable)
    kept = {field: spec[field] for field in (*_ALWAYS_THERE, *_MAY_GO) if spec.get(field)}
    return {"ports": _ports(spec), **kept}


def _field(service: FrozenJSON, field: str) -> object:
    spec = _spec_of(service)
    return _ports(spec) if field == "ports" else spec.get(field)


def _ports(spec: FrozenJSON) -> list[JSON]:
    """Return the ports without what an address of the Service's own gives them."""
    return [
        {field: port[field] for field in _OF_A_PORT if field in port}
        for port in spec.get("ports") or ()
    ]


def _without_hash(service: FrozenJSON) -> dict[str, str]:
    selector = _spec_of(service).get("selector") or {}
    return {key: value for key, value in selector.items() if key != HASH_LABEL}


def own_selector(service: FrozenJSON, spec: RolloutSpec) -> dict[str, str]:
    """Return a Service's selector without our key, and without labels that pods have by one role only."""
    by_role = {
        STABLE_LABEL,
        *_labels(spec.active_strategy.stable_metadata),
        *_labels(spec.active_strategy.canary_metadata),
    }
    return {key: value for key, value in _without_hash(service).items() if key not in by_role}


def _labels(metadata: PodMetadata | None) -> Iterator[str]:
    yield from metadata.labels if metadata is not None else ()


def _metadata(service: FrozenJSON, stable: FrozenJSON) -> JSON:
    """
    Return what labels and annotations lack, or have no longer.

    Only what was copied is taken away again: an admission webhook may add some of its own.
    """
    annotations, labels = (
        read_by_data_planes(_annotations_of(stable)),
        read_by_data_planes(labels_of(stable)),
    )
    before = _annotations_of(service)
    copied = str(before.get(COPIED_ANNOTATION, "")).split(",")
    found: JSON = {}
    for field, present, wanted in (
        ("annotations", before, annotations),
        ("labels", labels_of(service), labels),
    ):
        gone = {key: None for key in copied if key in present and key not in wanted}
        patch = {key: value for key, value in wanted.items() if present.get(key) != value} | gone
        if patch:
            found[field] = patch
    noted = _note(labels, annotations)
    if noted != before.get(COPIED_ANNOTATION, ""):
        found.setdefault("annotations", {})[COPIED_ANNOTATION] = noted or None
    return found


def _note(*copied: Mapping[str, str]) -> str:
    """Return the keys that are copied, as an annotation has them."""
    return ",".join(sorted({key for each in copied for key in each}))


def _annotations_of(obj: FrozenJSON) -> FrozenJSON:
    return obj["metadata"].get("annotations") or {}


def _spec_of(obj: FrozenJSON) -> FrozenJSON:
    return obj.get("spec") or {}
