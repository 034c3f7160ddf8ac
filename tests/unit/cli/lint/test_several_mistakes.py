"""One mistake in a file does not hide the others."""

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from rollouts.model.kinds import JSON
from tests.unit.cli.conftest import Ran

CANARY = (Path(__file__).parents[4] / "examples" / "canary-nginx.yaml").read_text()
OTHER_PODS = "error: spec.strategy.canary.stableService: Service checkout selects none of the pods"


@pytest.fixture
def found() -> dict[str, JSON]:
    """Return the objects of the canary by kind, with a Service that selects other pods."""
    objects = {each["kind"]: each for each in yaml.safe_load_all(CANARY)}
    objects["Service"]["spec"]["selector"] = {"app": "cart"}
    return objects


@pytest.fixture
def linted(rollouts: Callable[..., Ran], tmp_path: Path) -> Callable[..., str]:
    def lint(*objects: JSON) -> str:
        file = tmp_path / "all.yaml"
        file.write_text(yaml.safe_dump_all(copy.deepcopy(objects), sort_keys=False))
        return rollouts("lint", file).out

    return lint


def change(obj: JSON, field: str, value: object) -> None:
    """Set a field of an object, named as in a message; None takes it out."""
    *path, last = field.split(".")
    for part in path:
        obj = obj[part]
    if value is None:
        del obj[last]
    else:
        obj[last] = value


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("metadata.name", None, "error: metadata.name: is missing"),
        ("metadata.name", "A_b", "error: metadata.name: has to consist of"),
        ("metadata", "checkout", "error: metadata.name: is missing"),
        ("metadata.labels", ["a"], "error: metadata: metadata or status is malformed"),
        ("status", "new", "error: metadata: metadata or status is malformed"),
        ("apiVersion", "rollouts.dev/v1", "error: apiVersion: expected rollouts.dev/v1alpha1"),
        ("spec.replicas", "many", "error: spec.replicas: expected an integer"),
        ("spec.replcas", 3, "error: spec.replcas: unknown field; did you mean replicas?"),
        (
            "spec.strategy.canary.steps",
            [{"setWeight": 130}],
            "error: spec.strategy.canary.steps[0].setWeight: expected at most 100",
        ),
        (
            "spec.successCriteria",
            [{"name": "errors"}],
            "error: spec.successCriteria[0]: ",
        ),
    ],
)
def test_a_wrong_field_of_the_rollout_hides_nothing(
    linted: Callable[..., str], found: dict[str, JSON], field: str, value: object, told: str
) -> None:
    change(found["Rollout"], field, value)
    out = linted(*found.values())
    assert told in out
    assert OTHER_PODS in out
    assert "2 errors, no warnings" in out


def test_what_a_wrong_field_was_about_is_not_guessed(
    linted: Callable[..., str], found: dict[str, JSON]
) -> None:
    del found["Service"], found["Ingress"]
    change(found["Rollout"], "spec.successCriteria", "none")
    assert "there are no success criteria" not in linted(*found.values())
    canary = found["Rollout"]["spec"]["strategy"]["canary"]
    canary["trafficRoutin"] = canary.pop("trafficRouting")
    out = linted(*found.values())
    assert "trafficRoutin: unknown field; did you mean trafficRouting?" in out
    assert "RoundedWeights" not in out


def test_an_object_that_can_t_be_read_hides_no_other(
    linted: Callable[..., str], found: dict[str, JSON]
) -> None:
    found["Ingress"]["spec"] = 3
    second = copy.deepcopy(found["Ingress"])
    second["metadata"]["name"] = "second"
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "budget"},
        "spec": {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "checkout"}}},
    }
    other = copy.deepcopy(found["Rollout"])
    other["metadata"]["name"] = "other"
    out = linted(*found.values(), second, budget, other)
    for name in ("checkout", "second"):
        told = f"error: Ingress {name} is malformed, and an API server would refuse it; correct it"
        assert out.count(told) == 1, "once, however many Rollouts meet it"
    assert OTHER_PODS in out
    assert "warning: BudgetForbidsAll: PodDisruptionBudget budget never lets a pod go" in out
    assert "is not in these files" not in out


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("metadata.name", None, "error: metadata.name: is missing or is not text"),
        ("metadata.name", 7, "error: metadata.name: is missing or is not text"),
        ("metadata.namespace", 7, "error: metadata.namespace: is 7, which is not text; put it"),
    ],
)
def test_a_neighbour_that_can_t_be_told_by_its_name_is_an_error(
    linted: Callable[..., str], found: dict[str, JSON], field: str, value: object, told: str
) -> None:
    change(found["Ingress"], field, value)
    out = linted(*found.values())
    assert told in out
    assert OTHER_PODS in out


def test_what_is_no_neighbour_needs_no_name(
    linted: Callable[..., str], found: dict[str, JSON]
) -> None:
    kustomization = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"generateName": "smoke-"}}
    assert "metadata.name" not in linted(kustomization, job, *found.values())


def test_where_nothing_was_checked_is_an_error(
    rollouts: Callable[..., Ran], tmp_path: Path
) -> None:
    file = tmp_path / "x.yaml"
    for text, said in (
        ("", "there is no Rollout of rollouts.dev in what was given: nothing was checked"),
        ("kind: Job\napiVersion: batch/v1\n", "nothing was checked"),
        (
            "kind: Canary\napiVersion: rollouts.dev/v1alpha1\n",
            "kind: rollouts.dev has no kind Canary",
        ),
        (
            "kind: ReleaseRecord\napiVersion: rollouts.dev/v1alpha1\nmetadata: {name: a}\n",
            "note: kind: rollouts.dev/v1alpha1 ReleaseRecord is not checked: the controller writes it",
        ),
    ):
        file.write_text(text)
        ran = rollouts("lint", file)
        assert (ran.code, said in ran.out) == (1, True)
