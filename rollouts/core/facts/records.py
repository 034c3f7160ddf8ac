"""Which past releases are kept on record: the latest ones, as many as `revisionHistoryLimit` says."""

from rollouts.core.world import SeenRecord, World
from rollouts.model.status import ReleaseRecord, RolloutStatus


def records_to_write(world: World, status: RolloutStatus) -> list[ReleaseRecord]:
    """Return the records that are to be kept, and are not there yet as they are to be."""
    seen, kept = world.observed.records, _kept(world, status)
    found = []
    for record in status.unrecorded:
        name = record.object_name(world.observed.name)
        there = seen.get(name) if seen is not None else None
        if name in kept and (there is None or there.outcome != record.outcome):
            found.append(record)
    return found


def surplus_records(world: World, status: RolloutStatus) -> list[SeenRecord]:
    """Return the records beyond the limit, the oldest first."""
    seen, kept = world.observed.records or {}, _kept(world, status)
    surplus = [record for name, record in seen.items() if name not in kept]
    return sorted(surplus, key=lambda record: record.begun)


def _kept(world: World, status: RolloutStatus) -> set[str]:
    """Return the names of the latest records, of those that are there and those that are to be."""
    names = {record.object_name(world.observed.name) for record in status.unrecorded}
    names |= set(world.observed.records or {})
    latest = sorted(names, key=_begun, reverse=True)
    return set(latest[: world.spec.revision_history_limit])


def _begun(name: str) -> str:
    return name.rpartition("-")[2]
