"""Each step has one short name, which status keeps and later versions have to know again."""

import pytest

from rollouts.model.kinds import JSON
from rollouts.model.step_labels import step_labels
from rollouts.model.strategy import STEP_KINDS
from rollouts.model.validation import parse_rollout
from tests.fakes import kubernetes

TESTERS: JSON = {"headerName": "x-tester", "headerValue": {"exact": "yes"}}
NAMED: list[tuple[JSON, str]] = [
    ({"setWeight": 25}, "setWeight 25"),
    ({"pause": {}}, "pause"),
    ({"pause": {"duration": "120s"}}, "pause 2m"),
    ({"pause": {"duration": "2m"}}, "pause 2m"),
    ({"pause": {"duration": 0}}, "pause 0s"),
    ({"pause": {"duration": "2m", "waitForEvidence": False}}, "pause 2m by the clock"),
    ({"analysis": {"duration": "5m"}}, "analysis 5m"),
    ({"setCanaryScale": {"replicas": 3}}, "setCanaryScale replicas 3"),
    ({"setCanaryScale": {"weight": 30}}, "setCanaryScale weight 30"),
    ({"setCanaryScale": {"matchTrafficWeight": True}}, "setCanaryScale matchTrafficWeight"),
    (
        {"setHeaderRoute": {"name": "testers", "match": [TESTERS]}},
        "setHeaderRoute testers #a853d158",
    ),
    ({"setHeaderRoute": {"name": "testers"}}, "setHeaderRoute testers off"),
    ({"setMirrorRoute": {"name": "copy"}}, "setMirrorRoute copy off"),
    ({"setMirrorRoute": {"name": "copy", "percentage": 100}}, "setMirrorRoute copy #bebe76d8"),
]


@pytest.mark.parametrize(("step", "label"), NAMED)
def test_a_step_has_one_short_name_for_good(step: JSON, label: str) -> None:
    assert step_labels(parse_rollout(kubernetes.rollout([step]))) == [label]


def test_every_kind_of_step_has_a_name() -> None:
    """Steps without one would all be the same after an edit."""
    assert {label.split()[0] for _, label in NAMED} == set(STEP_KINDS)
