"""A week can be told again, and with fewer moments: what `make sim` promises of a failure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.simulation.failures import lived, numbers, simplified, written
from tests.simulation.invariants import Invariants
from tests.simulation.planted.patches import ROOT, Planted, apply, every_planted
from tests.simulation.shrinking import shrunk
from tests.simulation.snapshot import Snapshot
from tests.simulation.week import RELEASES, Week

SEED = 8


def test_a_seed_tells_the_same_week_again_with_four_releases_at_least() -> None:
    first, second = lived(Week.of(SEED)), lived(Week.of(SEED))
    assert first == second
    assert first.failure is None
    assert first.releases >= RELEASES


def test_a_failure_is_told_by_what_found_it_with_the_moments_that_it_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Here an invariant that no release can hold: one of a week's four is enough."""

    def nothing_is_released(_self: Invariants, _old: Snapshot, new: Snapshot) -> None:
        assert not new.stable or new.current == new.stable, "a release is under way"

    monkeypatch.setattr(Invariants, "_a_rise_is_due", nothing_is_released)
    failure = lived(Week.of(SEED)).failure
    assert failure is not None
    assert failure.message == "a release is under way"
    least = simplified(failure)
    assert least.kept is not None
    assert len(least.kept) == 1
    assert least.again == f"make sim SEED={SEED} ARGS='--moments {least.kept[0]}'"
    assert any("release shop:" in line for line in least.timeline)


@pytest.mark.parametrize("bug", every_planted(), ids=lambda bug: bug.name)
def test_a_planted_bug_is_one_of_the_code_as_it_is(bug: Planted) -> None:
    apply(bug.file, ROOT, only_check=True)


@given(needed=st.frozensets(st.integers(0, 60), max_size=6), length=st.integers(61, 90))
def test_shrinking_keeps_exactly_what_is_needed(needed: frozenset[int], length: int) -> None:
    assert shrunk(range(length), lambda kept: needed <= set(kept)) == sorted(needed)


@given(chosen=st.frozensets(st.integers(0, 200), min_size=1))
def test_moments_are_read_as_they_are_written(chosen: frozenset[int]) -> None:
    assert numbers(written(chosen)) == chosen
