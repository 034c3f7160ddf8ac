"""The chart says what `rollouts manifests` says, and its CRD is that of the models."""

import json

import pytest
import yaml

from rollouts.controller.manifests import CLUSTER_RULES, Installation, manifests
from rollouts.model.crd import crd
from rollouts.model.kinds import JSON
from tests.chart import CHART, rendered


def by_name(objects: list[JSON]) -> dict[tuple[str, str], JSON]:
    return {(each["kind"], each["metadata"]["name"]): each for each in objects}


def test_the_crd_of_the_chart_is_that_of_the_models() -> None:
    written = (CHART / "crds" / "rollouts.yaml").read_text()

    assert written == yaml.safe_dump(crd(), sort_keys=False, width=100), "run `make crd`"


def test_the_permissions_of_the_chart_are_those_of_the_manifests() -> None:
    written = (CHART / "rules.yaml").read_text()
    assert written == yaml.safe_dump(CLUSTER_RULES, sort_keys=False, width=100), "run `make crd`"


def test_the_chart_and_the_manifests_are_the_same() -> None:
    here = Installation(name="canaries", namespace="delivery")
    plain = [
        each
        for each in manifests(here)
        if each["kind"] not in {"Namespace", "CustomResourceDefinition"}
    ]

    assert by_name(rendered()) == by_name(plain)


def test_values_reach_the_deployment() -> None:
    objects = rendered(
        extraArgs=["--workers=4"],
        prometheus={"url": "http://thanos:9090"},
        replicas=2,
        metricsService=True,
    )

    found = by_name(objects)
    spec = found["Deployment", "canaries"]["spec"]
    arguments = spec["template"]["spec"]["containers"][0]["args"]
    assert spec["replicas"] == 2
    assert "--workers=4" in arguments
    assert "--prometheus=http://thanos:9090" in arguments
    assert ("Service", "canaries") in found


def test_a_secret_of_prometheus_is_mounted_where_the_options_look_for_it() -> None:
    found = by_name(rendered(prometheusSecret="prometheus-login"))

    pod = found["Deployment", "canaries"]["spec"]["template"]["spec"]
    assert pod["volumes"] == [{"name": "prometheus", "secret": {"secretName": "prometheus-login"}}]
    (mount,) = pod["containers"][0]["volumeMounts"]
    assert mount == {
        "name": "prometheus",
        "mountPath": "/etc/rollouts/prometheus",
        "readOnly": True,
    }


def test_manifests_are_plain_json_without_shared_parts() -> None:
    objects = manifests()

    assert json.loads(json.dumps(objects)) == objects
    assert "&id" not in yaml.safe_dump_all(json.loads(json.dumps(objects)))


@pytest.mark.parametrize("values", [{}, {"metricsService": True, "refuseForegroundDeletion": True}])
def test_every_object_names_what_it_belongs_to(values: JSON) -> None:
    for each in rendered(**values):
        assert each["metadata"]["labels"]["app.kubernetes.io/instance"] == "canaries"
