import pytest

from rollouts.core.world import (
    Aborted,
    FirstDeploy,
    KeptWarm,
    NotBegun,
    Settled,
    Stage,
    UnderWay,
    World,
    kept_warm,
    stage_of,
    under_way,
)
from rollouts.model.evidence import Evidence
from rollouts.model.status import Abort, Retiring, RolloutStatus
from tests.unit.core.worlds import NEW, NOW, OLD, at, observed, replica_set, revision, spec_of

STABLE, CURRENT = revision(OLD), revision(NEW)
ABORT = Abort(at=NOW, by="anna", reason="too slow")


@pytest.mark.parametrize(
    ("status", "stage"),
    [
        (RolloutStatus(), NotBegun()),
        (RolloutStatus(current_revision=CURRENT), FirstDeploy(CURRENT)),
        (RolloutStatus(stable_revision=STABLE, current_revision=STABLE), Settled(STABLE)),
        (
            RolloutStatus(stable_revision=STABLE, current_revision=CURRENT),
            UnderWay(STABLE, CURRENT),
        ),
        (
            RolloutStatus(stable_revision=STABLE, current_revision=CURRENT, abort=ABORT),
            Aborted(STABLE, CURRENT, ABORT),
        ),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_status_is_in_one_stage(status: RolloutStatus, stage: Stage) -> None:
    assert stage_of(status) == stage
    assert under_way(status) == (stage if isinstance(stage, UnderWay) else None)


def warm(status: RolloutStatus, old: int) -> KeptWarm | None:
    sets = {OLD: replica_set(OLD, 4, old), NEW: replica_set(NEW, 4)}
    return kept_warm(World(spec_of(), observed(NEW, replica_sets=sets), Evidence(), NOW), status)


SWITCHED = RolloutStatus(
    stable_revision=CURRENT,
    current_revision=CURRENT,
    previous_revision=STABLE,
    retiring=[Retiring(hash=OLD, delay_seconds=30, at=at(30))],
)


def test_the_revision_before_is_kept_warm_until_its_time_has_come() -> None:
    assert warm(SWITCHED, 4) == KeptWarm(CURRENT, STABLE)
    gone = SWITCHED.evolve(retiring=[Retiring(hash=OLD, delay_seconds=30, at=at(0))])
    assert warm(gone, 4) is None


def test_a_revision_without_a_ready_pod_is_not_warm() -> None:
    assert warm(SWITCHED, 0) is None


def test_nothing_is_kept_warm_while_a_release_is_under_way() -> None:
    assert warm(SWITCHED.evolve(stable_revision=STABLE), 4) is None
