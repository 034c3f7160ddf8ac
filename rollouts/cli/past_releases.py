"""The releases of a Rollout that are over, as far as there are records of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from rollouts.cli.output import plain_object
from rollouts.cli.session import ReadRequests
from rollouts.core.world import FirstDeploy, UnderWay, stage_of
from rollouts.errors import NotFound
from rollouts.model.durations import format_duration
from rollouts.model.kinds import RELEASE_RECORD, ROLLOUT_LABEL, FrozenJSON
from rollouts.model.status import CriterionStatus, ReleaseRecord, Revision, RolloutStatus

NO_KIND = (
    "this cluster keeps no records of releases, since it does not know the kind ReleaseRecord;"
    " install it: `rollouts crd | kubectl apply --server-side -f -`"
)


@dataclass(frozen=True, slots=True)
class PastReleases:
    """What is on record, the latest release first; every text in it is plain."""

    records: tuple[ReleaseRecord, ...] = ()
    missing: tuple[int, ...] = ()
    """The revisions between these whose record is gone."""
    unreadable: tuple[str, ...] = ()
    """The names of objects that are no records as they should be."""
    kept: bool = True
    """The cluster knows the kind."""

    def of(self, number: int | None, hash_: str) -> list[ReleaseRecord]:
        """Return the attempts at one revision, the latest first; a hash says more than a number."""
        by_hash = [each for each in self.records if hash_ and each.revision.hash == hash_]
        return by_hash or [each for each in self.records if each.revision.number == number]

    @property
    def gaps(self) -> str:
        """What is not there, in words; empty when nothing is missing."""
        told = []
        if not self.kept:
            told.append(NO_KIND)
        if self.missing:
            numbers = ", ".join(map(str, self.missing))
            plural = "s" if len(self.missing) > 1 else ""
            told.append(f"there is no record of revision{plural} {numbers}")
        if self.unreadable:
            names = ", ".join(self.unreadable)
            told.append(f"what is in {names} can't be read as a record, and is left out")
        return "; ".join(told)


async def read_past_releases(requests: ReadRequests, rollout: FrozenJSON) -> PastReleases:
    """
    Return what is on record of a Rollout's releases.

    Raises:
        Forbidden: records may not be listed.
    """
    metadata = rollout["metadata"]
    labels = {ROLLOUT_LABEL: metadata["name"]}
    try:
        found, kept = await requests.select(RELEASE_RECORD, metadata["namespace"], labels), True
    except NotFound:
        found, kept = [], False
    return past_releases_of(rollout, found, kept=kept)


def past_releases_of(
    rollout: FrozenJSON, objects: Sequence[FrozenJSON], *, kept: bool = True
) -> PastReleases:
    """Return what these objects, and the Rollout's own status, have on record."""
    name = str(rollout["metadata"]["name"])
    status = RolloutStatus.model_validate(plain_object(rollout.get("status") or {}))
    known: dict[str, ReleaseRecord] = {}
    unreadable = []
    for each in objects:
        try:
            record = ReleaseRecord.model_validate(plain_object(each.get("spec") or {}))
        except ValidationError:
            unreadable.append(str(each["metadata"]["name"]))
        else:
            known[record.object_name(name)] = record
    known |= {each.object_name(name): each for each in status.unrecorded}
    records = sorted(known.values(), key=lambda each: each.started_at, reverse=True)
    missing = tuple(_missing(records, status))
    return PastReleases(tuple(records), missing, tuple(sorted(unreadable)), kept)


def _missing(records: Sequence[ReleaseRecord], status: RolloutStatus) -> Iterator[int]:
    """Yield the numbers between the oldest record and the present revision of which there is none."""
    numbers = {each.revision.number for each in records}
    current = status.current_revision
    if current is None or not numbers:
        return
    open_ = isinstance(stage_of(status), UnderWay | FirstDeploy)  # which has none yet
    newest = max(*numbers, current.number - 1 if open_ else current.number)
    yield from (each for each in range(min(numbers), newest) if each not in numbers)
    if newest not in numbers and not _is_known_otherwise(status, current, newest):
        yield newest


def _is_known_otherwise(status: RolloutStatus, current: Revision, newest: int) -> bool:
    """Return whether the present revision was found, or gone back to, and not released."""
    found = any(each.reason in ("StableFound", "BackToStable") for each in status.history)
    return newest == current.number and found


def is_under_way(rollout: FrozenJSON, number: int | None, hash_: str) -> bool:
    """Return whether a revision, by number or hash, is the one that is being released."""
    status = RolloutStatus.model_validate(rollout.get("status") or {})
    match stage_of(status):
        case UnderWay(_, current) | FirstDeploy(current):
            return current.number == number or current.hash == hash_
    return False


def who(record: ReleaseRecord) -> str:
    """Return who had a hand in a release, as they say themselves: `started by bob, aborted by alice`."""
    by = {
        "started": record.started_by,
        "promoted": record.promoted_by,
        "aborted": record.aborted_by if record.aborted_by != "rollouts" else "",
    }
    return ", ".join(f"{what} by {name}" for what, name in by.items() if name)


def why(record: ReleaseRecord) -> str:
    """Return why it ended so, in words."""
    return record.reason or record.message


def took(record: ReleaseRecord) -> str:
    """Return how long it took, such as `1m30s`."""
    return in_words((record.ended_at - record.started_at).total_seconds())


def in_words(seconds: float) -> str:
    """Return a duration in whole seconds, also one of none."""
    return format_duration(round(seconds)) or "0s"


def criterion_words(criterion: CriterionStatus) -> str:
    """Return what a criterion said at the end, or what it had counted."""
    if criterion.message:
        return criterion.message
    return f"{criterion.failures:,} of {criterion.requests:,} requests count against it"
