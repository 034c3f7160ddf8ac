"""
What became of one revision: pure, from the Rollout object alone.

A revision is meant by its hash or number. Without one, it is the revision that the
object's present template is, whether or not a controller has seen it yet.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import IntEnum

from rollouts.cli.past_releases import PastReleases
from rollouts.cli.send_command import shown_step
from rollouts.core.template import identify, template_hash
from rollouts.model.durations import parse_duration
from rollouts.model.kinds import HASH_LABEL, REVISION_LABEL, FrozenJSON
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import ReleaseRecord, Revision, RolloutStatus

HASH_LENGTH = 10


class Exit(IntEnum):
    """The exit statuses of `wait`: documented, and never given another meaning."""

    PROMOTED = 0
    FAILED = 1
    USAGE = 2
    TIMED_OUT = 3
    PAUSED = 4
    SUPERSEDED = 5


@dataclass(frozen=True, slots=True)
class WaitOutcome:
    """How it ended, in one word and one sentence."""

    exit: Exit
    word: str
    message: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """The revision that is waited for: `hash`, `number`, or both."""

    hash: str = ""
    number: int | None = None
    numbers: Mapping[str, int] = field(default_factory=dict)
    """Numbers of revisions by hash, from the ReplicaSets that exist."""
    generation: int = 0
    """Of a Deployment that has the template: no status speaks of it that has seen less."""
    written: str = ""
    """The hash of the Rollout's own template as it is written, where that is what is waited for."""

    def __str__(self) -> str:
        named = self.number if self.number is not None else self.hash
        return f"revision {named}" if named != "" else "the revision"


def parse_revision(text: str, replica_sets: list[dict[str, object]]) -> Wanted:
    """Return the revision that `text` means: digits are a number, unless there are as many as in a hash."""
    numbers = dict(_numbered(replica_set) for replica_set in replica_sets)
    if text.isdigit() and len(text) < HASH_LENGTH:
        return Wanted(number=int(text), numbers=numbers)
    return Wanted(hash=text, numbers=numbers)


def _numbered(replica_set: FrozenJSON) -> tuple[str, int]:
    metadata = replica_set.get("metadata") or {}
    labels = metadata.get("labels") or {}
    told = {**(metadata.get("annotations") or {}), **labels}
    number = str(told.get(REVISION_LABEL, ""))
    return str(labels.get(HASH_LABEL, "")), int(number) if number.isdigit() else 0


def present_revision(rollout: FrozenJSON, replica_sets: Sequence[FrozenJSON] = ()) -> Wanted:
    """Return the revision that the object's present generation means; `replica_sets` are its own."""
    template = (rollout.get("spec") or {}).get("template")
    if not template:
        return Wanted()
    return Wanted(identify(template, rollout, replica_sets), written=template_hash(template))


def status_of(rollout: FrozenJSON) -> RolloutStatus:
    """Return the status, empty when there is none yet."""
    return RolloutStatus.model_validate(rollout.get("status") or {})


def is_observed(rollout: FrozenJSON, wanted: Wanted | None = None) -> bool:
    """Return whether a controller has seen the object's present generation, and what is wanted."""
    generation = int((rollout.get("metadata") or {}).get("generation") or 0)
    status = status_of(rollout)
    if wanted is not None and wanted.generation:
        seen = status.adoption.observed_generation if status.adoption is not None else 0
        if seen < wanted.generation:
            return False
    return status.observed_generation >= generation


def pin(rollout: FrozenJSON, wanted: Wanted) -> Wanted:
    """Return `wanted` with the number (and hash) that it has, once it is seen to be the current one."""
    current = status_of(rollout).current_revision
    if current is None or not _means(wanted, current, observed=is_observed(rollout, wanted)):
        return wanted
    return replace(wanted, hash=current.hash, number=current.number)


def _means(wanted: Wanted, current: Revision, *, observed: bool) -> bool:
    if wanted.hash:
        return wanted.hash == current.hash
    if wanted.number is not None:
        return wanted.number == current.number
    return observed  # whatever the present generation means


def outcome(
    rollout: FrozenJSON, wanted: Wanted, *, now: datetime, fail_on_pause: bool = False
) -> WaitOutcome | None:
    """Return what became of the revision, or None as long as that is open."""
    status, observed = status_of(rollout), is_observed(rollout, wanted)
    current = status.current_revision
    if current is not None and _means(wanted, current, observed=observed):
        asks = fail_on_pause and needs_person(rollout, status, now)
        return _of_current(rollout, status, asks=asks)
    if not observed:
        present = present_revision(rollout)
        same = present.hash == wanted.hash or (
            present.written and present.written == wanted.written
        )
        asked_for_now = wanted.generation > 0 or same
        return None if asked_for_now else _of_past(status, wanted)
    invalid = _invalid(status)
    if invalid is not None:
        return WaitOutcome(Exit.FAILED, "invalid", invalid)
    absent = still_to_come(rollout, wanted)
    if current is not None and absent and _is_beyond_the_next(status, wanted):
        return WaitOutcome(Exit.USAGE, "unknown", absent)
    if current is None or (wanted.number is not None and wanted.number > current.number):
        return None
    if wanted.hash and wanted.numbers and wanted.hash not in wanted.numbers:
        known = ", ".join(f"{number} ({hash_})" for hash_, number in wanted.numbers.items())
        text = f"there is no revision {wanted.hash}; those that exist: {known}"
        return WaitOutcome(Exit.USAGE, "unknown", text)
    return _of_past(status, wanted) or _superseded(status, wanted, current)


def still_to_come(rollout: FrozenJSON, wanted: Wanted) -> str:
    """Return that a revision that is meant by its number does not exist yet; empty if it does."""
    if wanted.number is None:
        return ""
    newest = _newest(status_of(rollout), wanted)
    if wanted.number <= newest:
        return ""
    others = f"the newest is {newest}" if newest else "there is none so far"
    return f"revision {wanted.number} does not exist yet; {others}"


def _newest(status: RolloutStatus, wanted: Wanted) -> int:
    known = [each.number for each in (status.current_revision, status.stable_revision) if each]
    known += [each.revision for each in status.history if each.revision is not None]
    return max((*known, *wanted.numbers.values()), default=0)


def _is_beyond_the_next(status: RolloutStatus, wanted: Wanted) -> bool:
    """Return whether other releases would have to come first: who waits for that has mistyped it."""
    return wanted.number is not None and wanted.number > _newest(status, wanted) + 1


def _superseded(status: RolloutStatus, wanted: Wanted, current: Revision) -> WaitOutcome:
    """Return that it is not the current one any more, and no more than is known."""
    newer = f"revision {current.number} ({', '.join(current.images) or current.hash})"
    number, stable = _number_of(wanted), status.stable_revision
    forgotten = not any(number is not None and each.revision == number for each in status.history)
    if forgotten and stable is not None and (number is None or number < stable.number):
        text = f"what became of {wanted} is not known any more; {newer} is the current one"
    else:
        text = f"{wanted} was superseded by {newer}"
    return WaitOutcome(Exit.SUPERSEDED, "superseded", text)


def _number_of(wanted: Wanted) -> int | None:
    return wanted.number if wanted.number is not None else wanted.numbers.get(wanted.hash)


def needs_person(rollout: FrozenJSON, status: RolloutStatus, now: datetime) -> bool:
    """
    Return whether it is paused until a person acts.

    Evidence that is missing at an analysis comes by itself, with requests: a person is asked after
    `inconclusiveWaitSeconds`, as of evidence that leans.
    """
    pause = status.pause
    if pause is None or pause.reason != "Inconclusive" or status.leaning_since is not None:
        return pause is not None
    if shown_step(rollout) == "promotion":
        return True  # nothing at all was measured
    spec = status.effective_spec or rollout.get("spec") or {}
    try:
        seconds = parse_duration(spec["inconclusiveWaitSeconds"])
    except (KeyError, ValueError):
        seconds = RolloutSpec.model_fields["inconclusive_wait_seconds"].default
    return now >= pause.at + timedelta(seconds=seconds)


def _of_current(rollout: FrozenJSON, status: RolloutStatus, *, asks: bool) -> WaitOutcome | None:
    current = status.current_revision
    assert current is not None
    name = f"revision {current.number} ({', '.join(current.images) or current.hash})"
    if status.abort is not None:
        return WaitOutcome(
            Exit.FAILED, "rolled-back", f"{name} was rolled back: {status.abort.reason}"
        )
    if not is_observed(rollout):
        return None
    invalid = _invalid(status)
    if invalid is not None:
        return WaitOutcome(Exit.FAILED, "invalid", invalid)
    if status.phase == "Degraded":
        return WaitOutcome(Exit.FAILED, "degraded", f"{name} is degraded: {status.message}")
    stable = status.stable_revision
    if status.phase == "Healthy" and stable is not None and stable.hash == current.hash:
        return WaitOutcome(Exit.PROMOTED, "promoted", f"{name} is promoted")
    if asks:
        return WaitOutcome(Exit.PAUSED, "paused", f"{name} is paused: {status.message}")
    return None


def _of_past(status: RolloutStatus, wanted: Wanted) -> WaitOutcome | None:
    """Return what is remembered of a revision that is not the current one."""
    number, stable = _number_of(wanted), status.stable_revision
    gone_back = _gone_back_from(status, wanted)
    if gone_back is not None:
        return gone_back
    if stable is not None and (stable.hash == wanted.hash or stable.number == number):
        return WaitOutcome(Exit.PROMOTED, "promoted", f"{wanted} is stable")
    for entry in reversed(status.history):
        if number is None or entry.revision != number:
            continue
        if entry.reason in ("Promoted", "StableFound"):
            return WaitOutcome(Exit.PROMOTED, "promoted", entry.message)
        if entry.reason == "RolledBack":
            return WaitOutcome(Exit.FAILED, "rolled-back", entry.message)
        if entry.reason == "FirstDeploy" and _became_stable(status, number):
            return WaitOutcome(Exit.PROMOTED, "promoted", f"{wanted} is stable, and was the first")
        if entry.reason == "RolloutStarted":
            return None  # its last attempt came to no end
    return None


def _gone_back_from(status: RolloutStatus, wanted: Wanted) -> WaitOutcome | None:
    """Return that it was promoted, and left again for one before it; None when it was not."""
    past = [each for each in status.past_revisions if each.rolled_back_from]
    left = next(
        (one for one in past if wanted.hash == one.hash or wanted.number == one.number), None
    )
    pinned = status.pinned
    if left is None and (pinned is None or wanted.hash != pinned.instead_of):
        return None
    name = (
        f"revision {left.number} ({', '.join(left.images) or left.hash})" if left else str(wanted)
    )
    text = f"{name} was promoted, and rolled back since"
    if pinned is not None:
        by = f" by {pinned.by}" if pinned.by else ""
        text = f"{name} was rolled back{by}: {status.message}"
    return WaitOutcome(Exit.FAILED, "rolled-back", text)


def on_record(
    past: PastReleases, wanted: Wanted, *, since: datetime | None = None
) -> WaitOutcome | None:
    """Return how the last release of a revision ended, by its record; None where there is none since then."""
    releases = past.of(_number_of(wanted), wanted.hash)
    found = [each for each in releases if since is None or each.started_at >= since]
    if not found:
        return None
    record = found[0]
    if record.outcome == "RolledBack":
        return WaitOutcome(Exit.FAILED, "rolled-back", record.message)
    if record.outcome != "Promoted":
        text = f"{wanted} was superseded before it was promoted: {record.message}"
        return WaitOutcome(Exit.SUPERSEDED, "superseded", text)
    left = _went_back(past, record)
    if left is None:
        return WaitOutcome(Exit.PROMOTED, "promoted", record.message)
    text = f"{wanted} was promoted, and rolled back since: {left.decisions[0].message}"
    return WaitOutcome(Exit.FAILED, "rolled-back", text)


def _went_back(past: PastReleases, record: ReleaseRecord) -> ReleaseRecord | None:
    """Return the release by which a person went back from this one, if one was promoted."""
    for each in past.records:
        replaced = each.stable is not None and each.stable.hash == record.revision.hash
        asked = bool(each.decisions) and each.decisions[0].command == "rollback"
        if replaced and asked and each.outcome == "Promoted" and each.ended_at > record.ended_at:
            return each
    return None


def _became_stable(status: RolloutStatus, first: int) -> bool:
    """Return whether a first deploy came to its end: only then the next revision is a rollout."""
    begun = [each for each in status.history if each.reason in ("FirstDeploy", "RolloutStarted")]
    after = [each.reason for each in begun if each.revision is not None and each.revision > first]
    return after[:1] == ["RolloutStarted"]


def _invalid(status: RolloutStatus) -> str | None:
    for condition in status.conditions:
        if condition.type == "InvalidSpec" and condition.status == "True":
            return f"the spec is invalid: {condition.message}"
    return None
