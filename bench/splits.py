"""What share of the answers the new version gave, and whether chance can explain the difference."""

import math
from dataclasses import dataclass

DEVIATIONS = 5.0
"""Further off by chance: once in 1.7 million."""


@dataclass(frozen=True)
class Split:
    """Of `answers` to a stream, at least one, `new` were the new version's; `percent` should be."""

    stream: str
    percent: int
    answers: int
    new: int

    @property
    def observed_percent(self) -> float:
        return 100 * self.new / self.answers

    @property
    def is_off(self) -> bool:
        """Whether it is further from `percent` than chance allows; of 0 and 100 none may differ."""
        share = self.percent / 100
        deviation = math.sqrt(share * (1 - share) * self.answers)
        return abs(self.new - share * self.answers) > DEVIATIONS * deviation
