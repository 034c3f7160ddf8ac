"""Templates that mean the same are the same, and in doubt they differ."""

import copy
from typing import Any

import pytest

from rollouts.core.template import canonical_hash, canonical_template
from rollouts.model.kinds import JSON

WEB: JSON = {
    "name": "web",
    "image": "shop:1",
    "ports": [{"containerPort": 80}, {"containerPort": 90}],
    "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)"}],
    "volumeMounts": [{"name": "a", "mountPath": "/a"}, {"name": "b", "mountPath": "/a/b"}],
    "securityContext": {"capabilities": {"drop": ["ALL", "NET_RAW"]}},
}
TEMPLATE: JSON = {
    "metadata": {"labels": {"app": "shop"}},
    "spec": {
        "containers": [WEB, {"name": "proxy", "image": "proxy:1"}],
        "volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "secret": {"secretName": "b"}}],
        "imagePullSecrets": [{"name": "one"}, {"name": "two"}],
        "tolerations": [{"key": "a"}, {"key": "b"}],
        "topologySpreadConstraints": [{"topologyKey": "zone"}, {"topologyKey": "host"}],
        "hostAliases": [{"ip": "1.1.1.1"}, {"ip": "2.2.2.2"}],
    },
}


def with_(path: str, value: Any) -> JSON:
    """Return the template with one field set, or turned round where the value is `reversed`."""
    result: Any = copy.deepcopy(TEMPLATE)
    *outer, last = path.split(".")
    at = result
    for name in outer:
        at = at[int(name)] if name.isdigit() else at[name]
    at[last] = at[last][::-1] if value is reversed else value
    return dict(result)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.creationTimestamp", None),
        ("metadata.annotations", {}),
        ("metadata.name", ""),
        ("spec.nodeSelector", {}),
        ("spec.securityContext", {}),
        ("spec.affinity", {"podAntiAffinity": {}}),
        ("spec.initContainers", []),
        ("spec.priority", None),
        ("spec.containers.0.resources", {}),
        ("spec.containers.0.resources", {"limits": {}, "requests": None}),
        ("spec.containers.1.securityContext", {"capabilities": {}}),
        ("spec.containers.0.args", []),
        ("spec.containers.0.ports", reversed),
        ("spec.containers.0.securityContext.capabilities.drop", reversed),
        ("spec.volumes", reversed),
        ("spec.imagePullSecrets", reversed),
        ("spec.tolerations", reversed),
        ("spec.topologySpreadConstraints", reversed),
    ],
)
def test_another_way_of_writing_is_no_other_template(path: str, value: Any) -> None:
    assert canonical_hash(with_(path, value)) == canonical_hash(TEMPLATE)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.containers", reversed),
        ("spec.containers.0.env", reversed),
        ("spec.containers.0.volumeMounts", reversed),
        ("spec.hostAliases", reversed),
        ("spec.volumes.0.emptyDir", None),
        ("spec.containers.0.securityContext.seccompProfile", {}),
        ("spec.containers.1.image", "proxy:2"),
        ("spec.containers.1.resources", {"limits": {"cpu": 1}}),
        ("spec.automountServiceAccountToken", False),
        ("metadata.annotations", {"a": ""}),
    ],
)
def test_what_may_mean_something_is_another_template(path: str, value: Any) -> None:
    assert canonical_hash(with_(path, value)) != canonical_hash(TEMPLATE)


def test_of_tolerations_that_end_the_first_counts() -> None:
    timed = [{"key": "a", "tolerationSeconds": 5}, {"key": "a", "tolerationSeconds": 50}]
    assert canonical_hash(with_("spec.tolerations", timed)) != canonical_hash(
        with_("spec.tolerations", timed[::-1])
    )


def test_an_empty_object_may_mean_something() -> None:
    """An empty namespaceSelector selects all namespaces."""
    term = {"topologyKey": "zone", "namespaceSelector": {}}
    anywhere = with_("spec.affinity", {"podAffinity": {"terms": [term]}})
    here = with_("spec.affinity", {"podAffinity": {"terms": [{"topologyKey": "zone"}]}})
    assert canonical_template(anywhere) != canonical_template(here)


@pytest.mark.parametrize(
    "strange",
    [
        {},
        {"spec": None},
        {"spec": []},
        {"spec": {"containers": "web", "volumes": {}, "tolerations": 1}},
        {"spec": {"containers": ["web", None], "tolerations": ["a"], "affinity": "no"}},
        {"spec": {"containers": [{"ports": "80", "resources": 1, "securityContext": []}]}},
    ],
)
def test_a_template_that_is_none_is_for_the_api_server_to_refuse(strange: JSON) -> None:
    assert canonical_hash(strange)


def test_the_mark_on_replica_sets_is_the_same_in_every_version_of_ours() -> None:
    """Otherwise an upgrade would be a release of every template that was written anew since."""
    assert canonical_hash(TEMPLATE) == "wsatot36ga"
