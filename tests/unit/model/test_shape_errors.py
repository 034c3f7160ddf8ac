"""A value of the wrong shape is answered in the words of YAML, with what to write."""

import re
from typing import Any

import pytest

from rollouts.errors import InvalidSpec
from rollouts.model.validation import parse_rollout
from tests.fakes.kubernetes import rollout

EMPTY_STEP = "is empty; set exactly one of setWeight, pause"
CASES: list[tuple[Any, str]] = [
    ({"pause": 60}, "expected a map, got 60; write pause: {duration: 60}"),
    ({"pause": "1x"}, "expected a map, got '1x'; write pause: {duration: 5m}"),
    ({"analysis": "10m"}, "expected a map, got '10m'; write analysis: {duration: 10m}"),
    ({"setWeight": "20"}, "expected an integer, got '20'; write setWeight: 20"),
    ({"setWeight": "20%"}, "expected an integer, got '20%'; write setWeight: 20"),
    ({"setWeight": 5.5}, "expected an integer, got 5.5"),
    ({"setWeight": 101}, "expected at most 100, got 101"),
    ({"setCanaryScale": 3}, "expected a map, got 3; write setCanaryScale: {replicas: 3}"),
    ({}, EMPTY_STEP),
    ({"pause": None}, EMPTY_STEP),
    ("setWeight", "expected a map, got 'setWeight'; write setWeight: 20, or pause: {}"),
]
CRITERIA: list[tuple[Any, str]] = [
    ({"errorRate": "1%"}, "expected a map, got '1%'; write errorRate: {max: 1%}"),
    ({"latency": 500}, "got 500; write latency: {quantile: 0.99, max: 500ms}"),
    ({"query": "up"}, "expected a map, got 'up'; write query: {promql: …, max: 0.01}"),
]


@pytest.mark.parametrize(("step", "said"), CASES)
def test_a_step_of_another_shape(step: Any, said: str) -> None:
    with pytest.raises(InvalidSpec, match=re.escape(said)):
        parse_rollout(rollout([step]))


@pytest.mark.parametrize(("criterion", "said"), CRITERIA)
def test_a_criterion_of_another_shape(criterion: Any, said: str) -> None:
    with pytest.raises(InvalidSpec, match=re.escape(said)):
        parse_rollout(rollout([], successCriteria=[{"name": "x", **criterion}]))


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("paused", "yes", "expected true or false, got 'yes'; write paused: true"),
        ("replicas", [], "expected an integer"),
        ("selector", "app", "expected a map, got 'app'; write selector: {matchLabels: {app: …}}"),
        ("revisionHistoryLimit", -1, "expected at least 0, got -1"),
    ],
)
def test_another_field_of_another_shape(field: str, value: Any, said: str) -> None:
    with pytest.raises(InvalidSpec, match=re.escape(said)):
        parse_rollout(rollout([], **{field: value}))
