"""
The kinds of object that we read and write, and how a request and a cache name one of them.

Objects themselves are plain JSON everywhere outside the Rollout's own model: with
thousands of Rollouts in mind, no model object is made per event.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

JSON = dict[str, Any]
FrozenJSON = Mapping[str, Any]

GROUP = "rollouts.dev"
VERSION = "v1alpha1"
FIELD_MANAGER = "rollouts"

HASH_LABEL = f"{GROUP}/pod-template-hash"
REVISION_LABEL = f"{GROUP}/revision"
MANAGED_BY_LABEL = f"{GROUP}/managed-by"
COMMAND_ANNOTATION = f"{GROUP}/command"


@dataclass(frozen=True, slots=True, order=True)
class Kind:
    """A kind of object: `group` is empty for the core group; `plural` is its name in URLs."""

    group: str
    version: str
    plural: str
    name: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def __str__(self) -> str:
        return self.name


ROLLOUT = Kind(GROUP, VERSION, "rollouts", "Rollout")
REPLICA_SET = Kind("apps", "v1", "replicasets", "ReplicaSet")
DEPLOYMENT = Kind("apps", "v1", "deployments", "Deployment")
POD = Kind("", "v1", "pods", "Pod")
SERVICE = Kind("", "v1", "services", "Service")
EVENT = Kind("", "v1", "events", "Event")
ENDPOINT_SLICE = Kind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
INGRESS = Kind("networking.k8s.io", "v1", "ingresses", "Ingress")


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """One object, by kind, namespace and name."""

    kind: Kind
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind.name} {self.namespace}/{self.name}"
