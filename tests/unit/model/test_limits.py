"""Limits of success criteria that a slip of the unit would make worthless."""

import pytest

from rollouts.errors import InvalidSpec
from rollouts.model.kinds import JSON
from rollouts.model.validation import parse_rollout
from tests.fakes.kubernetes import rollout


@pytest.mark.parametrize(
    ("criterion", "said"),
    [
        ({"errorRate": {"max": 1}}, "max: 1 means 100%: every request may fail; write 1%"),
        ({"errorRate": {"max": "100%"}}, "max: '100%' means 100%: every request may fail"),
        ({"latency": {"quantile": 0.99, "max": 500}}, "max: 500 has no unit; write 500ms or 500s"),
        ({"latency": {"quantile": 0.99, "max": "2"}}, "max: '2' has no unit; write 2ms or 2s"),
    ],
)
def test_a_limit_that_a_missing_unit_lets_everything_pass_is_refused(
    criterion: JSON, said: str
) -> None:
    with pytest.raises(InvalidSpec, match=said):
        parse_rollout(rollout([], successCriteria=[{"name": "x", **criterion}]))
