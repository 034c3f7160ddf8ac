"""Which writes the records of past releases need."""

from collections.abc import Iterator

from rollouts.core.facts import records_to_write, surplus_records
from rollouts.core.plan.actions import Action, DeleteRecord, KeepRecord
from rollouts.core.world import World
from rollouts.model.status import RolloutStatus


def record_writes(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Yield keeping what has ended, and the removal of what is beyond revisionHistoryLimit, oldest first."""
    if world.observed.records is None:
        return
    for record in records_to_write(world, status):
        yield KeepRecord(record)
    for surplus in surplus_records(world, status):
        yield DeleteRecord(surplus.name, surplus.uid)
