"""Why a controller reconciles: something has changed, was measured, or is due."""

import os
from datetime import datetime, timedelta

AT_EVERY_MOMENT = "ROLLOUTS_EVERY_MOMENT"
"""The environment variable with which reconciles without a reason are made at every moment, as by night."""


class ReconcileReasons:
    """
    Knows whether a reconcile now would have a reason, for a loop that has no queue.

    While there is none, one is asked for all the same at the first moment, the second, the fourth, the
    eighth and so on: it has to do nothing, however long that has lasted.
    """

    def __init__(self) -> None:
        self.was_measured = False
        self.requeue_after_seconds: float | None = None
        self._seen: object = None
        self._due: datetime | None = None
        self._moments = 0

    def has_one(self, seen: object, now: datetime) -> bool:
        """Return whether to reconcile; `seen` is equal to what it was as long as nothing has changed."""
        due = self._due is not None and self._due <= now
        if self.was_measured or due or seen != self._seen or AT_EVERY_MOMENT in os.environ:
            return True
        self._moments += 1
        return self._moments.bit_count() == 1

    def begin(self) -> None:
        """Have a reason for another reconcile, unless this one tells that it has ended."""
        self._seen, self.was_measured = None, False

    def end(
        self, seen: object, now: datetime, requeue_after_seconds: float | None, *, idle: bool
    ) -> None:
        """Wait for the next reason; `seen` is what this reconcile began with."""
        after = requeue_after_seconds
        self._seen, self.requeue_after_seconds = seen, after
        self._due = None if after is None else now + timedelta(seconds=after)
        if not idle:
            self._moments = 0
