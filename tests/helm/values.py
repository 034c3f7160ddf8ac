"""Values of the chart, each with what a person may set it to."""

from collections.abc import Iterator

import yaml

from rollouts.model.kinds import JSON
from rollouts.model.merge_patch import merged
from tests.chart import CHART

DIGEST = f"sha256:{'0' * 64}"
TRACE = {"name": "TRACE", "value": "1"}
SCRATCH = {"name": "scratch", "emptyDir": {}}
SPREAD = {"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
EVERYWHERE: JSON = {"namespaceSelector": {}}
SECRET = {
    "url": "https://prometheus.example",
    "secretName": "prometheus-login",
    "username": "rollouts",
    "passwordKey": "password",
    "caKey": "ca.crt",
    "certKey": "tls.crt",
    "keyKey": "tls.key",
}
SETTINGS: dict[str, JSON] = {
    name: {name.partition(" ")[0]: value}
    for name, value in {
        "replicas": 3,
        "image": {"repository": "shop/rollouts", "tag": "1", "pullPolicy": "Always"},
        "image by digest": {"digest": DIGEST},
        "imagePullSecrets": [{"name": "registry"}],
        "fullnameOverride": "delivery-canaries",
        "prometheus": SECRET,
        "prometheus by token": {"url": "", "secretName": "tokens", "tokenKey": "token"},
        "notifications": {"secretName": "hooks", "urlKey": "slack"},
        "interval": "1m",
        "readingsPerSecond": 200,
        "namespaces": ["shop", "pay"],
        "extraArgs": ["--workers=4"],
        "crd": {"install": False},
        "serviceAccount": {"create": False, "name": "robot"},
        "serviceAccount with annotations": {"annotations": {"cloud/role": "canaries"}},
        "rbac": {"create": False, "userRoles": False},
        "refuseForegroundDeletion": True,
        "resources": {"limits": {"cpu": "1"}},
        "podSecurityContext": {"fsGroup": 2000},
        "containerSecurityContext": {"runAsGroup": 2000},
        "podDisruptionBudget": {
            "maxUnavailable": "50%",
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
        "topologySpreadConstraints": [SPREAD],
        "affinity": {"podAntiAffinity": {}},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "infra", "operator": "Exists"}],
        "priorityClassName": "system-cluster-critical",
        "terminationGracePeriodSeconds": 60,
        "commonLabels": {"team": "delivery"},
        "annotations": {"owner": "delivery"},
        "podAnnotations": {"prometheus.io/scrape": "true"},
        "podLabels": {"mesh": "off"},
        "extraEnv": [TRACE],
        "extraEnvFrom": [{"configMapRef": {"name": "proxies", "optional": True}}],
        "extraVolumes": [SCRATCH],
        "extraVolumeMounts": [{"name": "scratch", "mountPath": "/tmp"}],
        "metricsService": True,
        "serviceMonitor": {"enabled": True, "interval": "15s", "labels": {"release": "kube"}},
        "podMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True, "labels": {"release": "kube"}},
        "dashboards": {
            "enabled": True,
            "labels": {"grafana_dashboard": "yes"},
            "annotations": {"grafana_folder": "Delivery"},
        },
        "networkPolicy": {
            "enabled": True,
            "ingressFrom": [EVERYWHERE],
            "egress": [{"to": [EVERYWHERE]}],
        },
    }.items()
}
SETTINGS["extraVolumeMounts"] |= SETTINGS["extraVolumes"]  # a mount needs what it mounts
DEFAULTS: JSON = yaml.safe_load((CHART / "values.yaml").read_text())


def choices() -> Iterator[tuple[str, JSON]]:
    """
    Yield the values that cover each setting alone, and each pair of settings.

    A setting is as it comes, or as it is here. Nothing set, each alone and all at once are all that two of
    them can be together; of those for one key, all at once has the last.
    """
    yield "none", {}
    yield from SETTINGS.items()
    everything: JSON = {}
    for each in SETTINGS.values():
        everything = merged(everything, each)
    yield "all", everything
