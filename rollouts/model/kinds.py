"""
The kinds of object that we read and write, and how a request and a cache name one of them.

Objects themselves are plain JSON everywhere outside the Rollout's own model: with
thousands of Rollouts in mind, no model object is made per event.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

JSON = dict[str, Any]
FrozenJSON = Mapping[str, Any]

GROUP = "rollouts.dev"
VERSION = "v1alpha1"
FIELD_MANAGER = "rollouts"

HASH_LABEL = f"{GROUP}/pod-template-hash"
REVISION_LABEL = f"{GROUP}/revision"
MANAGED_BY_LABEL = f"{GROUP}/managed-by"
ROLLOUT_LABEL = f"{GROUP}/rollout"
"""
On each pod: the name of its Rollout, the same for all of its revisions. `/scale` selects by it.

A name fits, because with a revision's hash behind it it is a label's value still.
"""
OUTCOME_LABEL = f"{GROUP}/outcome"
"""On a ReleaseRecord: how the release ended, such as `RolledBack`."""
STABLE_LABEL = f"{GROUP}/stable"
"""
In a Service's selector: its manifest is somebody else's, and is never written. On the pods of the
revision that such a Service is to lead to, and on no others.
"""
STABLE = "true"
"""The one value of that label."""
COMMAND_ANNOTATION = f"{GROUP}/command"
MEANING_ANNOTATION = f"{GROUP}/template-meaning"
"""On a ReplicaSet: a digest of what its Rollout's template means, before an API server fills in defaults."""
COPIED_ANNOTATION = f"{GROUP}/copied-from-stable"
"""On a Service that is made for a new revision: which labels and annotations it has from its stable Service."""
ROLE_METADATA = f"{GROUP}/role-metadata"
"""
On a ReplicaSet, an annotation: what its role put into its template. On a pod, a label: a
digest of what it has of that, so that a look at the label tells whether it is up to date.
"""


@dataclass(frozen=True, slots=True, order=True)
class Kind:
    """A kind of object: `group` is empty for the core group; `plural` is its name in URLs."""

    group: str = field(hash=False)
    version: str = field(hash=False)
    plural: str
    """All that is hashed, which is done for each object that is looked up: it tells kinds apart well enough."""
    name: str = field(hash=False)
    is_namespaced: bool = field(default=True, compare=False)
    """False: its objects have no namespace, and "" stands for it."""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def crd_name(self) -> str:
        """The name of the CustomResourceDefinition that defines it, if one does."""
        return f"{self.plural}.{self.group}"

    def __str__(self) -> str:
        return self.name


ROLLOUT = Kind(GROUP, VERSION, "rollouts", "Rollout")
RELEASE_RECORD = Kind(GROUP, VERSION, "releaserecords", "ReleaseRecord")
REPLICA_SET = Kind("apps", "v1", "replicasets", "ReplicaSet")
DEPLOYMENT = Kind("apps", "v1", "deployments", "Deployment")
POD = Kind("", "v1", "pods", "Pod")
SERVICE = Kind("", "v1", "services", "Service")
EVENT = Kind("", "v1", "events", "Event")
ENDPOINT_SLICE = Kind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
CRD = Kind(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    is_namespaced=False,
)
AUTOSCALER = Kind("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
SCALED_OBJECT = Kind("keda.sh", "v1alpha1", "scaledobjects", "ScaledObject")
DISRUPTION_BUDGET = Kind("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """One object, by kind, namespace and name."""

    kind: Kind
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind.name} {self.namespace}/{self.name}"


def served_version(crd: FrozenJSON, preferred: Sequence[str]) -> str | None:
    """
    Return the first of `preferred` that a CustomResourceDefinition serves, or None.

    One that is not Established yet, or is being deleted, serves nothing.
    """
    conditions = (crd.get("status") or {}).get("conditions") or ()
    established = any(
        each.get("type") == "Established" and each.get("status") == "True" for each in conditions
    )
    if not established or crd["metadata"].get("deletionTimestamp"):
        return None
    versions = (crd.get("spec") or {}).get("versions") or ()
    served = {each.get("name") for each in versions if each.get("served")}
    return next((version for version in preferred if version in served), None)
