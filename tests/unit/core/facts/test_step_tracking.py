"""Steps are known by what they were."""

import pytest

from rollouts.core.facts import named_step, resumes_at
from rollouts.model.kinds import JSON
from rollouts.model.step_labels import entered_steps, step_labels
from tests.unit.core.worlds import spec_of


def weight(percent: int) -> JSON:
    return {"setWeight": percent}


WAS = [weight(5), {"pause": {}}, weight(25), {"pause": {}}, weight(50)]


@pytest.mark.parametrize(
    ("now", "index", "words"),
    [
        ([weight(5), weight(50), weight(75)], 1, "step 2/3 (setWeight 50)"),
        ([weight(1), weight(50)], 0, "step 1/2 (setWeight 1)"),
        ([weight(5)], 1, "the promotion"),
    ],
)
def test_it_goes_on_after_the_last_step_up_to_which_nothing_has_changed(
    now: list[JSON], index: int, words: str
) -> None:
    steps = step_labels(spec_of(now))
    assert resumes_at(entered_steps(spec_of(WAS), 3), steps) == index
    assert named_step(steps, index) == words
