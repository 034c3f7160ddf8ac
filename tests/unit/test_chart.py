"""The chart says what `rollouts manifests` says, its CRD is that of the models, and each of its values does something."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from rollouts.controller.manifests import CLUSTER_RULES, Installation, kept_crds, manifests
from rollouts.model.kinds import JSON
from tests.chart import CHART, NAMESPACE, RELEASE, rendered, template
from tests.helm.values import DEFAULTS, SETTINGS, choices

CHOICES = tuple(choices())
NOT_THE_CONTROLLERS = {"Namespace", "CustomResourceDefinition"}


def by_name(objects: list[JSON]) -> dict[tuple[str, str], JSON]:
    return {(each["kind"], each["metadata"]["name"]): each for each in objects}


def container_of(objects: list[JSON]) -> JSON:
    spec = by_name(objects)["Deployment", RELEASE]["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    return dict(container)


def security_of(objects: list[JSON]) -> Iterator[JSON]:
    """Yield every security context of the objects."""
    for each in objects:
        pod = (
            each["spec"]
            if each["kind"] == "Pod"
            else each.get("spec", {}).get("template", {}).get("spec")
        )
        if pod:
            yield pod["securityContext"]
            yield from (container["securityContext"] for container in pod["containers"])


def test_the_crds_of_the_chart_are_those_of_the_models_and_are_left_behind() -> None:
    written = (CHART / "files" / "crd.yaml").read_text()
    assert written == yaml.safe_dump_all(kept_crds(), sort_keys=False, width=100), "run `make crd`"
    for each in kept_crds():
        assert each["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_the_permissions_of_the_chart_are_those_of_the_manifests() -> None:
    written = (CHART / "files" / "rules.yaml").read_text()
    assert written == yaml.safe_dump(CLUSTER_RULES, sort_keys=False, width=100), "run `make crd`"


def test_the_chart_and_the_manifests_are_the_same() -> None:
    here = Installation(name=RELEASE, namespace=NAMESPACE)
    plain = [each for each in manifests(here) if each["kind"] not in NOT_THE_CONTROLLERS]
    chart = [each for each in rendered() if each["kind"] not in {*NOT_THE_CONTROLLERS, "Pod"}]

    assert by_name(chart) == by_name(plain)
    assert all(each in rendered() for each in kept_crds())


def test_secrets_are_files_and_no_arguments() -> None:
    container = container_of(
        rendered(
            prometheus=SETTINGS["prometheus"]["prometheus"], notifications={"secretName": "hooks"}
        )
    )
    there = "/etc/rollouts/prometheus"
    assert [each for each in container["args"] if "file" in each] == [
        f"--prometheus-ca-file={there}/ca.crt",
        f"--prometheus-cert-file={there}/tls.crt",
        f"--prometheus-key-file={there}/tls.key",
        f"--prometheus-password-file={there}/password",
        "--notify-webhook-file=/etc/rollouts/notifications/url",
    ]
    assert [each["mountPath"] for each in container["volumeMounts"]] == [
        there,
        "/etc/rollouts/notifications",
    ]
    assert all(each["readOnly"] for each in container["volumeMounts"])


def test_in_namespaces_of_its_own_it_has_roles_there_and_nothing_in_the_cluster() -> None:
    found = rendered(namespaces=["shop", "pay"])

    assert not [each for each in found if each["kind"].startswith("Cluster")]
    rules = {
        each["metadata"]["namespace"]: each["rules"] for each in found if each["kind"] == "Role"
    }
    assert rules["shop"] == rules["pay"] == CLUSTER_RULES
    assert {"--namespace=shop", "--namespace=pay"} <= set(container_of(found)["args"])


@pytest.mark.parametrize(("name", "values"), CHOICES, ids=[name for name, _ in CHOICES])
def test_each_value_alone_and_with_every_other_makes_sound_objects(name: str, values: JSON) -> None:
    done = template(values)
    assert done.code == 0, done.err
    objects = [each for each in yaml.safe_load_all(done.out) if each]
    assert len(
        {
            (each["kind"], each["metadata"]["name"], each["metadata"].get("namespace"))
            for each in objects
        }
    ) == (len(objects))
    for each in objects:
        if each["kind"] != "CustomResourceDefinition":
            instance = each["metadata"]["labels"]["app.kubernetes.io/instance"]
            assert instance == values.get("fullnameOverride", RELEASE)
    for context in security_of(objects):
        assert "runAsUser" not in context, "OpenShift chooses a user"
    if name != "none":
        assert done.out != template({}).out, f"{name} changes nothing"


def test_every_value_is_tried() -> None:
    assert {name.partition(" ")[0] for name in SETTINGS} == set(DEFAULTS)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"replicas": "two"}, "/replicas"),
        ({"replica": 2}, "'replica' not allowed"),
        ({"interval": 15}, "/interval"),
        ({"interval": "15"}, "/interval"),
        ({"prometheus": {"url": "prometheus:9090"}}, "/prometheus/url"),
        ({"prometheus": {"tokenKey": "token"}}, "say which in prometheus.secretName"),
        ({"namespaces": "shop"}, "/namespaces"),
        ({"extraArgs": ["workers=4"]}, "/extraArgs/0"),
        ({"image": {"digest": "latest"}}, "/image/digest"),
        ({"podLabels": {"x": 1}}, "/podLabels/x"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_its_name(values: JSON, words: str) -> None:
    done = template(values)
    assert done.code == 1
    assert words in done.err


def test_manifests_are_plain_json_without_shared_parts() -> None:
    objects: Any = manifests()

    assert json.loads(json.dumps(objects)) == objects
    assert "&id" not in yaml.safe_dump_all(json.loads(json.dumps(objects)))
