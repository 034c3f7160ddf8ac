"""
How long to wait before what has failed is tried again.

A number and no loop: a queue, a timer, a watch and a virtual clock each wait in a way of their own.
"""

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True, slots=True)
class Backoff:
    """
    Waits that double with each failure in a row, from `first_seconds` up to `longest_seconds`.

    `jitter` is the share of a wait that chance may take away, so that many that failed at one
    moment do not come back at one moment: 0.5 leaves between half of it and all.
    """

    first_seconds: float
    longest_seconds: float
    jitter: float = 0.5

    def delay(
        self,
        failures: int,
        source: random.Random | None = None,
        *,
        at_least_seconds: float | None = None,
    ) -> float:
        """
        Return how long to wait after so many failures in a row, at least one.

        `at_least_seconds` is what the other side asks for, such as by Retry-After: it is obeyed up
        to `longest_seconds`. `source` is where chance comes from.
        """
        doubled = self.first_seconds * 2.0 ** min(failures - 1, 64)
        drawn = (source or random).uniform(1 - self.jitter, 1.0)
        delay = min(doubled, self.longest_seconds) * drawn
        return max(delay, min(at_least_seconds or 0.0, self.longest_seconds))


def retry_after_seconds(header: str | None, *, now: datetime) -> float | None:
    """
    Return how long a Retry-After header asks to wait; None when there is none, or none that can be read.

    It is a number of whole seconds, or a date (RFC 9110, 10.2.3), of which one that is past asks for nothing.
    """
    said = (header or "").strip()
    if said.isascii() and said.isdigit():
        return float(said)
    try:
        date = parsedate_to_datetime(said)
    except ValueError:
        return None
    # Without a zone it is in UTC, as HTTP's dates are.
    until = date if date.tzinfo is not None else date.replace(tzinfo=UTC)
    return max((until - now).total_seconds(), 0.0)
