"""Lint knows which fields a pod has."""

import json
from pathlib import Path

import pytest

from rollouts.cli import lint
from rollouts.cli.lint.pod_fields import field_findings
from rollouts.model.kinds import JSON
from rollouts.sandbox import apiserver
from tests.control_plane.fields import of_pods


def table(package: str | None, name: str) -> JSON:
    assert package
    found: JSON = json.loads(Path(package).with_name(name).read_text())
    return found


def test_the_table_is_that_of_the_sandboxs_api_server() -> None:
    assert table(lint.__file__, "pod_fields.json") == of_pods(
        table(apiserver.__file__, "fields.json")
    )


@pytest.mark.parametrize(
    ("spec", "field", "hint"),
    [
        ({"containers": [{"name": "web", "imagePulPolicy": "Always"}]}, "containers[0].imagePulPolicy", "imagePullPolicy?"),
        ({"containers": [{"name": "web", "lifecyle": {}}]}, "containers[0].lifecyle", "lifecycle?"),
        ({"containers": [{"name": "web", "resouces": {}}]}, "containers[0].resouces", "resources?"),
        ({"volumes": [{"name": "a", "emptyDir": {"colour": 1}}]}, "volumes[0].emptyDir.colour", "refused"),
        ({"frobnicate": 1}, "frobnicate", "refused"),
    ],
)  # fmt: skip
def test_a_field_that_no_pod_has_is_said(spec: JSON, field: str, hint: str) -> None:
    [found] = field_findings({"spec": spec})
    assert (found.severity, found.field) == ("warning", f"spec.template.spec.{field}")
    assert found.message.endswith(hint)


@pytest.mark.parametrize(
    ("template", "field", "hint"),
    [
        ({"metadata": {"annotation": {"a": "b"}}}, "metadata.annotation", "annotations?"),
        ({"specs": {}}, "specs", "spec?"),
    ],
)
def test_so_is_one_around_the_pods_spec(template: JSON, field: str, hint: str) -> None:
    """The ReplicaSet is made with it, and refused for it, as for one of the pod's."""
    [found] = field_findings(template)
    assert (found.severity, found.field) == ("warning", f"spec.template.{field}")
    assert found.message.endswith(hint)


@pytest.mark.parametrize(
    "spec",
    [
        {"nodeSelector": {"any": "key"}, "overhead": {"cpu": "1"}},
        {"containers": [{"resources": {"limits": {"example.dev/gpu": 1}}}]},
        {"containers": "none", "volumes": [None, 3]},
        None,
    ],
)
def test_what_is_free_or_of_another_shape_is_no_field(spec: JSON) -> None:
    assert list(field_findings({"spec": spec})) == []
