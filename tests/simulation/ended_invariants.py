"""What must be kept of releases that are over: of each exactly one record, and no more than are wanted."""

from dataclasses import dataclass
from typing import Any

from rollouts.core.world import Aborted, FirstDeploy, Settled, UnderWay, attempt, stage_of
from rollouts.model.kinds import OUTCOME_LABEL, RELEASE_RECORD
from rollouts.model.status import RolloutStatus
from tests.simulation.dataplane import NAMESPACE
from tests.simulation.snapshot import KEY, Watched

_USUAL_LIMIT = 10
_WAITING = 3
"""So many records may wait in status for a cluster that takes no writes."""


@dataclass(frozen=True)
class _Attempt:
    """One that was under way at a write of status."""

    id: tuple[Any, str]
    revision: int

    @property
    def name(self) -> str:
        begun = self.id[0]
        milliseconds = begun.microsecond // 1000
        return f"{KEY.name}-{self.revision}-{begun:%Y%m%d%H%M%S}{milliseconds:03d}"


class EndedReleases:
    """Is shown every status that is written; knows which releases have ended, and how."""

    def __init__(self, story: Watched) -> None:
        self.story = story
        self._open: _Attempt | None = None
        self._uid = ""
        self.ended: dict[str, str] = {}
        """The outcomes of the latest, by the name of their record."""

    def check(self, status: RolloutStatus) -> None:
        uid = str(self.story.rollout["metadata"]["uid"])
        if uid != self._uid:
            self._uid, self._open, self.ended = uid, None, {}
        if self._open is not None:
            outcome = self._outcome(self._open, status)
            if outcome:
                self.ended[self._open.name] = outcome
        taken_back = _taken_back(status)
        if taken_back is not None and taken_back.name in self.ended:
            self.ended[taken_back.name] = "RolledBack"
        self._open = _open(status)
        if len(status.unrecorded) == _WAITING:
            self.ended = {}  # what was before them may have been dropped
        latest = list(self.ended.items())
        self.ended = dict(latest[len(latest) - min(len(latest), self.limit(status)) :])
        assert len(status.unrecorded) <= _WAITING

    def limit(self, status: RolloutStatus) -> int:
        """Return how many records are wanted, by the spec that is in force."""
        return int((status.effective_spec or {}).get("revisionHistoryLimit", _USUAL_LIMIT))

    def missing(self) -> list[str]:
        """Return what is wrong with the records that there are, once nothing is left to do."""
        status = self.story.status
        kept = {
            str(each["metadata"]["name"]): str(each["metadata"]["labels"][OUTCOME_LABEL])
            for each in self.story.caches.select(RELEASE_RECORD, NAMESPACE)
        }
        # An attempt that is over in the decision that begins it is in no status that was written.
        known = sorted({*kept, *self.ended}, key=_begun, reverse=True)[: self.limit(status)]
        found = [
            f"{name} is {kept.get(name, 'nowhere')}, and was {outcome}"
            for name, outcome in self.ended.items()
            if name in known and kept.get(name) != outcome
        ]
        if len(kept) > self.limit(status):
            found.append(f"{len(kept)} records, and {self.limit(status)} are wanted")
        return found

    def _outcome(self, before: _Attempt, status: RolloutStatus) -> str:
        """Return how an attempt has ended that was open, as far as this status says; empty: it goes on."""
        stage = stage_of(status)
        if attempt(status) == before.id:
            if isinstance(stage, Aborted):
                return "RolledBack"
            return "Promoted" if isinstance(stage, Settled) else ""
        back = isinstance(stage, Settled) and status.started_at == before.id[0]
        return "Withdrawn" if back else "Superseded"


def _begun(name: str) -> str:
    return name.rpartition("-")[2]


def _open(status: RolloutStatus) -> _Attempt | None:
    match stage_of(status):
        case UnderWay(_, current) | FirstDeploy(current):
            return _Attempt(attempt(status), current.number)
    return None


def _taken_back(status: RolloutStatus) -> _Attempt | None:
    """Return the attempt that was stopped, also where it had been promoted, and the one before was kept warm."""
    match stage_of(status):
        case Aborted(_, current):
            return _Attempt(attempt(status), current.number)
    return None
