"""What is told of a promotion."""

from tests.unit.core.worlds import at, evidence, spec_of, under_way


def test_a_promotion_names_the_criteria_of_which_nothing_was_measured() -> None:
    query = {"name": "sales", "query": {"promql": "up", "min": 1}, "onInconclusive": "proceed"}
    scene = under_way(100).with_(
        current_step_index=3,
        step_started_at=at(-10),
        spec=spec_of(successCriteria=[query]),
        evidence=evidence(),
    )
    (event,) = scene.decide().events
    assert event.message.endswith("; nothing was measured for sales")
