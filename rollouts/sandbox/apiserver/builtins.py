"""The table of built-in kinds."""

from rollouts.model.kinds import (
    AUTOSCALER,
    CRD,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    ENDPOINT_SLICE,
    EVENT,
    POD,
    REPLICA_SET,
    SERVICE,
    Kind,
)
from rollouts.sandbox.apiserver.registry import Resource, ScalePaths

INGRESS = Kind("networking.k8s.io", "v1", "ingresses", "Ingress")
NAMESPACE = Kind("", "v1", "namespaces", "Namespace")
NODE = Kind("", "v1", "nodes", "Node")
SERVICE_ACCOUNT = Kind("", "v1", "serviceaccounts", "ServiceAccount")
CONFIG_MAP = Kind("", "v1", "configmaps", "ConfigMap")
SECRET = Kind("", "v1", "secrets", "Secret")
RESOURCE_QUOTA = Kind("", "v1", "resourcequotas", "ResourceQuota")
ENDPOINTS = Kind("", "v1", "endpoints", "Endpoints")
NEW_EVENT = Kind("events.k8s.io", "v1", "events", "Event")
INGRESS_CLASS = Kind("networking.k8s.io", "v1", "ingressclasses", "IngressClass")
LEASE = Kind("coordination.k8s.io", "v1", "leases", "Lease")

_RBAC = ("rbac.authorization.k8s.io", "v1")
CLUSTER_ROLE = Kind(*_RBAC, "clusterroles", "ClusterRole")
CLUSTER_ROLE_BINDING = Kind(*_RBAC, "clusterrolebindings", "ClusterRoleBinding")
ROLE = Kind(*_RBAC, "roles", "Role")
ROLE_BINDING = Kind(*_RBAC, "rolebindings", "RoleBinding")

_REVIEW = ("authorization.k8s.io", "v1")
SELF_ACCESS_REVIEW = Kind(*_REVIEW, "selfsubjectaccessreviews", "SelfSubjectAccessReview")
ACCESS_REVIEW = Kind(*_REVIEW, "subjectaccessreviews", "SubjectAccessReview")
SELF_RULES_REVIEW = Kind(*_REVIEW, "selfsubjectrulesreviews", "SelfSubjectRulesReview")
SELF_REVIEW = Kind("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview")
REVIEWS = (SELF_ACCESS_REVIEW, ACCESS_REVIEW, SELF_RULES_REVIEW, SELF_REVIEW)

MADE_BY_UPDATE = frozenset(
    {
        SERVICE, ENDPOINTS, EVENT, NEW_EVENT, LEASE,
        CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING,
    }
)  # fmt: skip
"""The kinds of which a PUT makes an object that is not there (AllowCreateOnUpdate in their strategies)."""
UPDATED_AT_A_VERSION = frozenset({LEASE, DISRUPTION_BUDGET, CRD})
"""The kinds of which a PUT has to name the version that it replaces (AllowUnconditionalUpdate)."""

_ALL = ("all",)
_OF_PODS = ("binding", "eviction", "log")
_SELECTED = ScalePaths(selector="spec.selector")

BUILTIN: tuple[Resource, ...] = (
    Resource(NAMESPACE, namespaced=False, short_names=("ns",), status=True),
    Resource(NODE, namespaced=False, short_names=("no",), status=True),
    Resource(POD, short_names=("po",), categories=_ALL, status=True, extra=_OF_PODS),
    Resource(SERVICE, short_names=("svc",), categories=_ALL, status=True),
    Resource(SERVICE_ACCOUNT, short_names=("sa",)),
    Resource(CONFIG_MAP, short_names=("cm",)),
    Resource(SECRET),
    Resource(RESOURCE_QUOTA, short_names=("quota",), status=True),
    Resource(ENDPOINTS, singular="endpoints", short_names=("ep",), list_kind="EndpointsList"),
    Resource(EVENT, short_names=("ev",)),
    Resource(NEW_EVENT, short_names=("ev",), storage=EVENT),
    Resource(
        DEPLOYMENT,
        short_names=("deploy",),
        categories=_ALL,
        status=True,
        generation=True,
        scale=_SELECTED,
    ),
    Resource(
        REPLICA_SET,
        short_names=("rs",),
        categories=_ALL,
        status=True,
        generation=True,
        scale=_SELECTED,
    ),
    Resource(INGRESS, short_names=("ing",), status=True, generation=True),
    Resource(INGRESS_CLASS, namespaced=False, generation=True),
    Resource(ENDPOINT_SLICE, generation=True),
    Resource(LEASE),
    Resource(AUTOSCALER, short_names=("hpa",), categories=_ALL, status=True, generation=True),
    Resource(DISRUPTION_BUDGET, short_names=("pdb",), status=True, generation=True),
    Resource(
        CRD,
        namespaced=False,
        short_names=("crd", "crds"),
        categories=("api-extensions",),
        status=True,
        generation=True,
    ),
    Resource(CLUSTER_ROLE, namespaced=False),
    Resource(CLUSTER_ROLE_BINDING, namespaced=False),
    Resource(ROLE),
    Resource(ROLE_BINDING),
    *(Resource(kind, namespaced=False, verbs=("create",)) for kind in REVIEWS),
)
