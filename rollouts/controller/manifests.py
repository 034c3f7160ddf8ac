"""
What has to be in a cluster for the controller to run there, as plain JSON.

The rules are exactly the verbs that the code uses; the chart has the same in a file that `make crd`
writes, and a test says when the two differ. Knows no cluster and does no I/O.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rollouts.controller.watches import BESIDE_ROUTING, ROUTING, WATCHED
from rollouts.model.crd import crds
from rollouts.model.kinds import AUTOSCALER, CRD, DISRUPTION_BUDGET, GROUP, JSON, SCALED_OBJECT

_RBAC_GROUP = "rbac.authorization.k8s.io"
_RBAC = f"{_RBAC_GROUP}/v1"
_PORT = 8080

_READ = ("list", "watch")
_KEEP = (*_READ, "create", "patch", "delete")


def _rule(group: str, resources: str, verbs: Sequence[str], *names: str) -> JSON:
    """Return the rule that grants the verbs on space-separated resources, of these names only."""
    rule: JSON = {"apiGroups": [group], "resources": resources.split(), "verbs": list(verbs)}
    return rule | ({"resourceNames": list(names)} if names else {})


def _routing_rules() -> Iterator[JSON]:
    """Yield what routers need to write: first the kinds that every cluster has."""
    for with_crd in (False, True):
        found = [each.kind for each in ROUTING if bool(each.versions) == with_crd]
        for group in dict.fromkeys(kind.group for kind in found):
            yield _rule(group, " ".join(k.plural for k in found if k.group == group), _KEEP)


CLUSTER_RULES: list[JSON] = [
    _rule(GROUP, "rollouts", (*_READ, "patch")),
    _rule(GROUP, "rollouts/status", ("patch",)),
    # Where OwnerReferencesPermissionEnforcement is on, an owner that blocks deletion needs it.
    _rule(GROUP, "rollouts/finalizers", ("update",)),
    _rule(GROUP, "releaserecords", _KEEP),
    _rule("apps", "replicasets", _KEEP),
    _rule("apps", "deployments", (*_READ, "patch")),
    _rule("", "pods", (*_READ, "patch")),
    _rule("", "pods/eviction", ("create",)),
    _rule("", "services", (*_READ, "create", "patch")),
    _rule("discovery.k8s.io", "endpointslices", _READ),
    *_routing_rules(),
    _rule(CRD.group, CRD.plural, _READ, *WATCHED[CRD].names),
    _rule(AUTOSCALER.group, AUTOSCALER.plural, _READ),
    _rule(DISRUPTION_BUDGET.group, DISRUPTION_BUDGET.plural, _READ),
    _rule(SCALED_OBJECT.group, SCALED_OBJECT.plural, _READ),
    *(_rule(each.kind.group, each.kind.plural, _READ) for each in BESIDE_ROUTING),
    _rule("", "events", ("get", "create", "patch")),
]
LEASE_RULES: list[JSON] = [
    {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "verbs": ["get", "create", "patch"],
    },
]
EDIT_RULES: list[JSON] = [
    {
        "apiGroups": [GROUP],
        "resources": ["rollouts"],
        "verbs": ["create", "update", "patch", "delete", "deletecollection"],
    },
    {"apiGroups": [GROUP], "resources": ["rollouts/scale"], "verbs": ["update", "patch"]},
]
VIEW_RULES: list[JSON] = [
    {
        "apiGroups": [GROUP],
        "resources": ["rollouts", "releaserecords"],
        "verbs": ["get", "list", "watch"],
    },
    {"apiGroups": [GROUP], "resources": ["rollouts/status"], "verbs": ["get"]},
    {"apiGroups": [GROUP], "resources": ["rollouts/scale"], "verbs": ["get"]},
]


@dataclass(frozen=True, slots=True)
class Installation:
    """What can be chosen about an installation."""

    name: str = "rollouts"
    namespace: str = "rollouts"
    image: str = "rollouts:0.1.0"
    prometheus_url: str = "http://prometheus-server.monitoring"
    interval: str = "15s"
    replicas: int = 2

    @property
    def labels(self) -> JSON:
        return {"app.kubernetes.io/name": "rollouts", "app.kubernetes.io/instance": self.name}


def manifests(installation: Installation | None = None) -> list[JSON]:
    """Return everything, in the order in which it can be applied."""
    here = installation or Installation()
    budget = [disruption_budget(here)] if here.replicas > 1 else []
    return [*without_controller(here), deployment(here), *budget]


def without_controller(installation: Installation | None = None) -> list[JSON]:
    """Return what a controller that runs elsewhere needs of a cluster."""
    here = installation or Installation()
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": here.namespace}}
    return [namespace, *crds(), *permissions(here), *user_roles(here)]


def kept_crds() -> list[JSON]:
    """Return the CRDs as the chart has them: Helm upgrades them, and leaves them, and all Rollouts, behind."""
    keep = {"annotations": {"helm.sh/resource-policy": "keep"}}
    return [{**made, "metadata": {**made["metadata"], **keep}} for made in crds()]


def permissions(installation: Installation | None = None) -> list[JSON]:
    """Return the controller's service account, and what it may do."""
    here = installation or Installation()
    lease = f"{here.name}-lease"
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _metadata(here, here.name)},
        _role("ClusterRole", _metadata(here, here.name, namespaced=False), CLUSTER_RULES),
        _binding(here, here.name, "ClusterRole"),
        _role("Role", _metadata(here, lease), LEASE_RULES),
        _binding(here, lease, "Role"),
    ]


def user_roles(installation: Installation | None = None) -> list[JSON]:
    """Return what adds Rollouts to the cluster's own view, edit and admin roles."""
    here = installation or Installation()
    aggregated = {
        "edit": (EDIT_RULES, ("admin", "edit")),
        "view": (VIEW_RULES, ("admin", "edit", "view")),
    }
    roles = []
    for suffix, (rules, into) in aggregated.items():
        metadata = _metadata(here, f"{here.name}-{suffix}", namespaced=False)
        labels = {f"{_RBAC_GROUP}/aggregate-to-{role}": "true" for role in into}
        metadata["labels"] = {**metadata["labels"], **labels}
        roles.append(_role("ClusterRole", metadata, rules))
    return roles


def deployment(installation: Installation | None = None) -> JSON:
    """Return the controller's Deployment."""
    here = installation or Installation()
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(here, here.name),
        "spec": {
            "replicas": here.replicas,
            "selector": {"matchLabels": here.labels},
            "template": {
                "metadata": {"labels": here.labels},
                "spec": {
                    "serviceAccountName": here.name,
                    # Without a user: the image has one, and OpenShift chooses its own.
                    "securityContext": {
                        "runAsNonRoot": True,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "topologySpreadConstraints": [
                        {
                            "maxSkew": 1,
                            "topologyKey": "kubernetes.io/hostname",
                            "whenUnsatisfiable": "ScheduleAnyway",
                            "labelSelector": {"matchLabels": here.labels},
                        }
                    ],
                    "terminationGracePeriodSeconds": 30,
                    "containers": [_container(here)],
                },
            },
        },
    }


def disruption_budget(installation: Installation | None = None) -> JSON:
    """Return what keeps one controller while nodes are drained."""
    here = installation or Installation()
    return {
        "apiVersion": DISRUPTION_BUDGET.api_version,
        "kind": DISRUPTION_BUDGET.name,
        "metadata": _metadata(here, here.name),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": here.labels}},
    }


def _container(here: Installation) -> JSON:
    return {
        "name": "controller",
        "image": here.image,
        "imagePullPolicy": "IfNotPresent",
        "args": [
            "controller",
            f"--prometheus={here.prometheus_url}",
            f"--interval={here.interval}",
            f"--port={_PORT}",
            "--leader-elect",
        ],
        "ports": [{"name": "http", "containerPort": _PORT}],
        "livenessProbe": _probe("/healthz", 20),
        "readinessProbe": _probe("/readyz", 5),
        "resources": {
            "requests": {"cpu": "50m", "memory": "128Mi"},
            "limits": {"memory": "512Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _probe(path: str, period_seconds: int) -> JSON:
    return {"httpGet": {"path": path, "port": "http"}, "periodSeconds": period_seconds}


def _metadata(here: Installation, name: str, *, namespaced: bool = True) -> JSON:
    where = {"namespace": here.namespace} if namespaced else {}
    return {"name": name, **where, "labels": here.labels}


def _role(kind: str, metadata: JSON, rules: list[JSON]) -> JSON:
    return {"apiVersion": _RBAC, "kind": kind, "metadata": metadata, "rules": rules}


def _binding(here: Installation, name: str, kind: str) -> JSON:
    """Return what gives the service account the role of that name."""
    return {
        "apiVersion": _RBAC,
        "kind": f"{kind}Binding",
        "metadata": _metadata(here, name, namespaced=kind == "Role"),
        "roleRef": {"apiGroup": _RBAC_GROUP, "kind": kind, "name": name},
        "subjects": [
            {"kind": "ServiceAccount", "name": here.name, "namespace": here.namespace},
        ],
    }
