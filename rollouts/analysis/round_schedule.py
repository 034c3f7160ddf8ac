"""
When the next look at a canary comes: right after a new sample can be there; pure.

The samples' own times tell when each process that shows the canary is scraped. The next sample of
one is expected a scrape interval after its last, and can be read a little later, as looks have found
out. As long as no process is known, one is overdue, or others may have come, nothing is expected of
this alone: then the caller's own beat is kept as well.

All times are unix seconds.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

RETRIES = 2
"""So often a sample that is not there yet is asked for again, before the beat has to find it."""
TOGETHER_SECONDS = 0.5
"""Samples that come so near each other are waited for, and looked at together."""
SILENT_SCRAPES = 3
"""After so many scrapes of which nothing is seen, nothing is expected any more."""
FIRST_DELAY_SECONDS = 0.25
LEAST_DELAY_SECONDS = 0.1
_GROWTH_SECONDS = 0.1
_STRIDE = 4
"""So many times as late as what was too early is tried next, where nothing is known in between."""
_DECAY_SECONDS = 0.005
"""By so little a look is earlier than the one before: one in twenty is too early then, and tells that it is."""


@dataclass
class SampleDelay:
    """
    After how long a sample can be read, counted from its own time by our clock.

    It has the scrape's duration in it, the way to whoever is asked, and the difference of the clocks.
    """

    seconds: float = FIRST_DELAY_SECONDS
    """So long a look waits for a sample."""
    _least: float = 0.0
    """So old one was when it was not there yet."""

    def seen(self, age: float, not_at: float) -> None:
        """Note that a sample could be read at `age` seconds, and not yet at `not_at`; below 0, nobody had looked."""
        if not_at >= self.seconds - _GROWTH_SECONDS / 2:
            self._least, self.seconds = not_at, min(age, _STRIDE * max(not_at, FIRST_DELAY_SECONDS))
        fallen = min(self._least - _DECAY_SECONDS, age)
        self._least = max(0.0, fallen, min(not_at, self.seconds))
        least = max(LEAST_DELAY_SECONDS, self._least + _GROWTH_SECONDS)
        earlier = max(_DECAY_SECONDS, (self.seconds - least) / 8)
        self.seconds = max(least, min(self.seconds - earlier, age))


@dataclass
class _Process:
    """One process that is scraped."""

    newest: float
    vain: int = 0
    """So many looks did not find the sample after it, when it should have been there."""


@dataclass
class RoundSchedule:
    """When to look at one canary."""

    delay: SampleDelay = field(default_factory=SampleDelay)
    _interval: float = 0.0
    _looked: float = 0.0
    _read: float = 0.0
    """When the last look was that had an answer."""
    _processes: dict[str, _Process] = field(default_factory=dict)
    _open_until: float = 0.0
    """Until then a process may come that nobody has seen."""

    def others_may_come(self, at: float) -> None:
        """Note that processes may be new from now on, whose first sample nobody can expect."""
        self._open_until = max(self._open_until, at + self._interval)

    def looked(
        self,
        at: float,
        newest: Mapping[str, float],
        scrape_interval_seconds: float,
        *,
        has_read: bool = True,
    ) -> None:
        """
        Note a look, and the newest sample that it found of each process; before the exposure, of what was scraped then.

        Where it had no answer, it says nothing of when a sample could be read.
        """
        self._interval = scrape_interval_seconds
        due = self._interval + self.delay.seconds
        late = [name for name, each in self._processes.items() if each.newest + due <= at]
        for name, sample in newest.items():
            process = self._processes.get(name)
            if process is None:
                if self._processes:
                    self.others_may_come(at)
                self._processes[name] = _Process(sample)
            elif sample > process.newest:
                self.delay.seen(at - sample, self._read - sample)
                self._processes[name] = _Process(sample)
            elif name in late:
                process.vain += 1
        self._looked = at
        if has_read:
            self._read = at
        self._forget_the_gone(at)

    def _forget_the_gone(self, at: float) -> None:
        last = max((each.newest for each in self._processes.values()), default=0.0)
        gone = [
            name
            for name, each in self._processes.items()
            if each.newest + 2 * self._interval + self.delay.seconds < last
        ]
        for name in gone:
            del self._processes[name]
        if gone:
            self.others_may_come(at)

    def next_at(self, beat: float) -> float:
        """Return when to look next, with `beat` for when nobody can know."""
        if not self._interval or not self._processes:
            return beat
        expected = _together(map(self._expected, self._processes.values()))
        overdue = math.isinf(expected) or any(
            each.vain > RETRIES for each in self._processes.values()
        )
        return min(expected, beat) if overdue or self._looked < self._open_until else expected

    def _expected(self, process: _Process) -> float:
        """Return when the next sample of a process can be read; infinity: it is silent."""
        first = process.newest + self._interval + self.delay.seconds
        if 0 < process.vain <= RETRIES:
            again = min(FIRST_DELAY_SECONDS, self.delay.seconds)
            return self._looked + again * 2.0 ** (process.vain - 1)
        missed = max(0.0, (self._looked - first) // self._interval + 1)
        return first + missed * self._interval if missed <= SILENT_SCRAPES else math.inf


def _together(moments: Iterable[float]) -> float:
    """Return the last of those that are not long after the first."""
    found: list[float] = sorted(moments)
    return max((each for each in found if each <= found[0] + TOGETHER_SECONDS), default=math.inf)
