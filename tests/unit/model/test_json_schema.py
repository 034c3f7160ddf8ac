"""The JSON Schema takes what the models take, and refuses a wrong field or value where they do."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft7Validator

from rollouts.errors import InvalidSpec
from rollouts.model.json_schema import json_schema
from rollouts.model.kinds import JSON
from rollouts.model.validation import parse_rollout
from tests.fakes.kubernetes import rollout

SCHEMA = json_schema()
EXAMPLES = sorted((Path(__file__).parents[3] / "examples").rglob("*.yaml"))


def errors(obj: JSON) -> list[str]:
    """Return the paths of what is wrong, each once."""
    found = Draft7Validator(SCHEMA).iter_errors(obj)
    return sorted({".".join(map(str, each.absolute_path)) for each in found})


def rollouts_in(file: Path) -> Iterator[JSON]:
    for each in yaml.safe_load_all(file.read_text(encoding="utf-8")):
        if each["kind"] == "Rollout":
            yield each


def test_it_is_a_schema_of_its_draft() -> None:
    Draft7Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_every_example_is_as_it_says(file: Path) -> None:
    assert [errors(each) for each in rollouts_in(file)] == [[]]


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"replica": 3}, "spec"),
        ({"replicas": "3"}, "spec.replicas"),
        ({"replicas": -1}, "spec.replicas"),
        (
            {"strategy": {"canary": {"steps": [{"setWeight": 101}]}}},
            "spec.strategy.canary.steps.0.setWeight",
        ),
        (
            {"strategy": {"canary": {"steps": [{"pause": {"durations": "1m"}}]}}},
            "spec.strategy.canary.steps.0.pause",
        ),
        ({"strategy": {"canary": {"stableService": "Web"}}}, "spec.strategy.canary.stableService"),
        ({"revisionHistoryLimit": None}, "spec.revisionHistoryLimit"),
    ],
)
def test_what_it_refuses_the_models_refuse(spec: JSON, path: str) -> None:
    good = rollout([{"setWeight": 5}])
    assert errors(good) == []
    canary = {**good["spec"]["strategy"]["canary"], **spec.get("strategy", {}).get("canary", {})}
    wrong = {**good, "spec": {**good["spec"], **spec, "strategy": {"canary": canary}}}
    assert path in errors(wrong)
    with pytest.raises(InvalidSpec):
        parse_rollout(wrong)


@pytest.mark.parametrize("field", ["apiVersion", "kind"])
def test_another_kind_is_none(field: str) -> None:
    assert errors({**rollout([{"setWeight": 5}]), field: "Canary"}) == [field]
