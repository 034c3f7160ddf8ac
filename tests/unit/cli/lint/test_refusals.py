"""Lint finds what an API server refuses, and takes what one takes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Ran

Run = Callable[..., Ran]
CANARY = (Path(__file__).parents[4] / "examples" / "canary-nginx.yaml").read_text()
ROLLOUT = CANARY.split("\n---\n")[2]
LABELS = "spec.template.metadata.labels"


@pytest.mark.parametrize(
    ("old", "new", "field", "message"),
    [
        ("  name: checkout", "  name: n", "metadata.name", "is not text"),
        ("  name: checkout", "  name: checkout\n  label: {}", "metadata.label", "did you mean labels?"),
        ("- name: web", "- name: Web", "spec.template.spec.containers[0].name", "no name of a container"),
        ("labels:\n", "labels:\n        team: a b\n", f"{LABELS}.team", "no value of a label"),
        ("labels:\n", "labels:\n        team: 7\n", f"{LABELS}.team", "put it in quotes"),
        ("port: http", "port: 99999", "spec.template.spec.containers[0].readinessProbe.httpGet.port", "1 to 65535"),
    ],
)  # fmt: skip
def test_what_the_api_server_refuses_is_found(
    rollouts: Run, tmp_path: Path, *, old: str, new: str, field: str, message: str
) -> None:
    assert old in ROLLOUT
    (tmp_path / "bad.yaml").write_text(ROLLOUT.replace(old, new, 1))
    report = json.loads(rollouts("lint", tmp_path / "bad.yaml", "--output", "json").out)
    errors = {
        each["field"]: each["message"] for each in report["findings"] if each["severity"] == "error"
    }
    assert list(errors) == [field]
    assert message in errors[field]


@pytest.mark.parametrize(
    ("quantity", "is_one"),
    [("250m", True), ("64Mi", True), ("1e3", True), ("0.5", True), ("1x", False), ("1 Gi", False)],
)
def test_a_quantity_is_a_number_with_a_unit(
    rollouts: Run, tmp_path: Path, quantity: str, is_one: bool
) -> None:
    resources = f"resources: {{requests: {{cpu: {quantity}}}}}\n          ports:"
    assert "ports:" in ROLLOUT
    (tmp_path / "any.yaml").write_text(ROLLOUT.replace("ports:", resources, 1))
    ran = rollouts("lint", tmp_path / "any.yaml")
    assert ("is no quantity" in ran.out) is not is_one


def test_what_the_api_server_takes_is_no_mistake(rollouts: Run, tmp_path: Path) -> None:
    """A whole number with a point is one in JSON, and a field without a value counts as left out."""
    text = ROLLOUT.replace("setWeight: 5\n", "setWeight: 5.0\n", 1)
    text = text.replace("  replicas: 4\n", "  replicas: 4.0\n  progressDeadlineSeconds:\n", 1)
    (tmp_path / "good.yaml").write_text(text)
    assert rollouts("lint", tmp_path / "good.yaml").out.endswith("no errors, no warnings\n")
