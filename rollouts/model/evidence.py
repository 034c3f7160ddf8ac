"""Evidence: what was measured, before anyone judged it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from rollouts.model.criteria import Criterion
from rollouts.model.status import CriterionStatus, Exposure, Readings


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests of one arm, and those of them that count against it (failed, or too slow)."""

    requests: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Interval:
    """What both arms counted in one short time, in which their shares of the traffic are one."""

    number: int
    """The moment of the fixed grid (see `Measurement.restarts`) that it comes after; 0: the exposure."""
    canary: Counts
    stable: Counts
    at_weight: bool = True
    """It is from after the weight that is applied now took effect."""


@dataclass(frozen=True, slots=True)
class RecentCounts:
    """The canary's counts of the last `seconds`, by the times of the samples that show them."""

    seconds: float
    canary: Counts
    at_weight: Counts | None = None
    """Those of them since the weight that is applied now took effect; None: all of them."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """
    What one criterion measures; `at` is its time, or that of the scrape that a last `window` ends with.

    `error` says why there is no answer; then nothing else means anything. `value` is the
    number that is shown and that the threshold judge compares; None means no data.
    `limit` is the limit that was really applied, where a histogram's boundary decides it.
    """

    at: datetime
    canary: Counts = Counts()
    stable: Counts = Counts()
    at_weight: Counts | None = None
    """Of `canary`, what came since the weight that is applied now took effect; None: all of it."""
    unseen: int = 0
    """About how many canary requests nobody saw at this weight, less those that were seen since."""
    recent: RecentCounts | None = None
    """What `value` is of, where it is of the last requests only; None: of all."""
    value: float | None = None
    limit: float | None = None
    note: str = ""
    error: str = ""
    no_data: str = ""
    """Why nothing was counted of the canary, in words, as far as it can be told."""
    restarts: tuple[tuple[int, Counts], ...] = ()
    """
    The canary's counts since later moments on a fixed grid, by their number (from 1) on it.

    The latest that has begun is among them; earlier ones may be left out.
    """
    intervals: tuple[Interval, ...] = ()
    """Those in which anything failed, for a comparison of the arms."""


@dataclass(frozen=True, slots=True)
class DirectMeasurement:
    """What a criterion measures by what the processes have shown themselves, since the last scrape too."""

    criterion: Criterion
    measurement: Measurement


@dataclass(frozen=True, slots=True)
class MeasurementRound:
    """The measurements of all criteria of one attempt at one time, and who served how much."""

    at: datetime
    exposed_at: datetime
    measurements: Mapping[str, Measurement] = field(default_factory=dict)
    criteria: Mapping[str, Criterion] = field(default_factory=dict)
    """What each measurement is of, by its name; absent: of the one that the spec has."""
    canary: Counts = Counts()
    stable: Counts = Counts()
    served_percent: float | None = None
    """The canary's share of the requests since the applied weight was applied."""
    scrape_interval_seconds: float = 0.0
    """How far apart scrapes were measured to be; 0 as long as nobody can know."""
    interval_seconds: float = 0.0
    """How far apart they should be, as the controller was told."""
    seen_at: datetime | None = None
    """When what is counted had last been scraped; None: it was no later than `at`, as far as is known."""
    direct_measurements: Mapping[str, DirectMeasurement] = field(default_factory=dict)
    """By the criterion's name; it can only speak against the release."""
    readings: Readings = field(default_factory=Readings)
    """How that is read."""

    @property
    def is_scraped(self) -> bool:
        """Whether anything was measured by what was scraped: before, there are readings only."""
        return bool(self.measurements)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What decisions rest on: judged criteria, in the order of the spec; empty before the first measurement."""

    at: datetime | None = None
    criteria: tuple[CriterionStatus, ...] = ()
    exposure: Exposure = field(default_factory=Exposure)
    served_percent: float | None = None
    scrape_interval_seconds: float = 0.0
    """How far apart the scrapes are that it rests on, as measured, or else as they should be."""
