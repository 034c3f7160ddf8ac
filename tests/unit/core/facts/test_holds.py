from typing import Any

import pytest

from rollouts.core.facts import hold_of, is_held
from rollouts.core.world import Hold, Workload, World
from rollouts.model.evidence import Evidence
from rollouts.model.spec import WorkloadRef
from rollouts.model.status import PauseCondition, Pinned, RolloutStatus
from tests.unit.core.worlds import NOW, observed, spec_of

COMMAND = PauseCondition(reason="Command", at=NOW, by="anna")
EDITED = Hold("StrategyChanged", "the strategy was changed")
INVALID = Hold("InvalidSpec", "spec.replicas is no number")


def found(edit: Hold | None = None, *, paused: bool = False, **status: Any) -> Hold | None:
    world = World(spec_of(paused=paused), observed(), Evidence(), NOW, edit=edit)
    held = hold_of(world, RolloutStatus(**status))
    assert is_held(world, RolloutStatus(**status)) == (held is not None)
    return held


def test_nothing_holds_a_release_by_itself() -> None:
    assert found() is None


def test_who_holds_a_release_is_named() -> None:
    assert found(held_by=COMMAND) == Hold(
        "Command", "a pause command of anna: `resume` ends it", by="anna"
    )
    assert found(paused=True) == Hold("SpecPaused", "spec.paused: set it to false")


def test_an_edit_comes_before_a_person() -> None:
    assert found(EDITED, paused=True, held_by=COMMAND) is EDITED


@pytest.mark.parametrize("paused", [True, False])
def test_an_invalid_spec_does_not_hold_a_revision_that_was_gone_back_to(
    paused: bool,
) -> None:
    pinned = Pinned(hash="old", instead_of="new", at=NOW)
    assert found(INVALID) is INVALID
    assert (found(INVALID, paused=paused, pinned=pinned) is INVALID) == paused
    held = found(INVALID, pinned=pinned, held_by=COMMAND)
    assert held is not None
    assert held.reason == "Command"


def test_without_a_template_nothing_goes_forward() -> None:
    spec = spec_of().model_copy(update={"workload_ref": WorkloadRef(name="checkout")})
    world = World(spec, observed(workload=Workload("checkout")), Evidence(), NOW)
    held = hold_of(world, RolloutStatus())
    assert held is not None
    assert held.reason == "WorkloadMissing"
    assert held.why.startswith("a missing template: Deployment checkout does not exist")
