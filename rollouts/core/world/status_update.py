"""A status on its way to become the next one, and how that is put on record."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from rollouts.core.world.observed import Service
from rollouts.core.world.world import World
from rollouts.model.status import HistoryEntry, Revision, RolloutStatus
from rollouts.model.truncation import first_of


@dataclass(frozen=True, slots=True)
class Event:
    """What is said as a Kubernetes Event, in history and to the notifier."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


HISTORY_LENGTH = 20
BEGINS = ("RolloutStarted", "FirstDeploy")
"""Said when an attempt at a revision begins."""
DRIFT_CORRECTED = "DriftCorrected"
"""Said when what somebody else has changed is put back."""
SERVICE_SYNCED = "ServiceSynced"
"""Said when a Service of ours was made as its stable Service is."""
DRIFT_ROUNDS = 3
DRIFT_WITHIN = timedelta(seconds=60)
DRIFT_PAUSE = timedelta(seconds=15)
MOST_IMAGES_NAMED = 5
"""So many in a sentence: what a revision is called is in status a dozen times, and in each record."""


@dataclass(frozen=True, slots=True)
class StatusUpdate:
    """
    A status on its way to become the next one.

    `retreat`: traffic has to go back to stable before anything else, status included.
    """

    before: RolloutStatus
    """The status that was read."""

    status: RolloutStatus
    events: tuple[Event, ...] = ()
    retreat: bool = False
    requeue_times: tuple[datetime, ...] = ()
    ends_traffic: bool = False
    """A write of this decision takes everything from the revision that the routes send to."""
    synced_services: tuple[str, ...] = ()
    """The Services that a write of this decision brings in line with their stable Service."""
    services_to_bind: tuple[str, ...] = ()
    """The user's Services that the next decision binds."""

    @classmethod
    def of(cls, status: RolloutStatus) -> "StatusUpdate":
        """Return the update that begins with this status."""
        return cls(before=status, status=status)

    def evolve(self, **changes: Any) -> "StatusUpdate":
        """Return the update with these fields of its status changed."""
        # A dozen times in each decision; `replace` would look for each field by its name.
        return StatusUpdate(
            self.before,
            self.status.evolve(**changes),
            self.events,
            self.retreat,
            self.requeue_times,
            self.ends_traffic,
            self.synced_services,
            self.services_to_bind,
        )

    def requeue_at(self, at: datetime) -> "StatusUpdate":
        """Return the update, to be looked at again at `at` whatever happens."""
        return replace(self, requeue_times=(*self.requeue_times, at))

    def as_retreat(self) -> "StatusUpdate":
        """Return the update as a retreat."""
        return replace(self, retreat=True)

    def event(
        self, world: World, reason: str, message: str, kind: Literal["Normal", "Warning"] = "Normal"
    ) -> "StatusUpdate":
        """Return the update with this decision put on record: message, history and event."""
        current = self.status.current_revision
        entry = HistoryEntry(
            at=world.now,
            reason=reason,
            message=message,
            revision=current.number if current else None,
        )
        history = _bounded([*self.status.history, entry], self.status.started_at)
        told = replace(self, events=(*self.events, Event(kind, reason, message)))
        return told.evolve(message=message, history=history)


def _bounded(history: list[HistoryEntry], started_at: datetime | None) -> list[HistoryEntry]:
    """Return the latest decisions, and in any case the one by which the present attempt began."""
    kept = history[-HISTORY_LENGTH:]
    begun = [each for each in history if each.at == started_at and each.reason in BEGINS]
    return kept if not begun or begun[-1] in kept else [begun[-1], *kept[1:]]


def next_revision_number(numbers: Iterable[int]) -> int:
    """Return the number of a new revision, given those that exist."""
    return max(numbers, default=0) + 1


def describe(revision: Revision) -> str:
    """Return what people call it: `revision 4 (shop/checkout:1.4)`; of many images the first."""
    named = first_of(revision.images, MOST_IMAGES_NAMED) or revision.hash
    return f"revision {revision.number} ({named})"


def drift_corrected_lately(
    status: RolloutStatus, now: datetime, reason: str = DRIFT_CORRECTED
) -> list[datetime]:
    """Return when something was put back, or what else has this reason, in the last minute."""
    return [
        entry.at
        for entry in status.history
        if entry.reason == reason and now - entry.at < DRIFT_WITHIN
    ]


def drift_pause_ends(
    status: RolloutStatus, now: datetime, reason: str = DRIFT_CORRECTED
) -> datetime | None:
    """
    Return until when to keep our hands off what somebody else keeps changing; None for now.

    Putting back at once is right for a slip of the hand. Against another program it would
    be a war of writes, so after a few rounds in a minute it is done now and then.
    """
    rounds = drift_corrected_lately(status, now, reason)
    if len(rounds) < DRIFT_ROUNDS:
        return None
    ends = rounds[-1] + DRIFT_PAUSE
    return ends if ends > now else None


def selector_drift(
    world: World, update: StatusUpdate, service: Service, wanted: Revision
) -> StatusUpdate:
    """Return the update that says what somebody else made a Service select, and what it is put back to."""
    seen = f"Service {service.name} selected {service.selected_hash or 'all revisions'}"
    text = f"{seen}; the controller puts it back to {wanted.hash}"
    return update.event(world, DRIFT_CORRECTED, text, "Warning")
