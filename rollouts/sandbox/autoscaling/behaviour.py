"""
How fast an autoscaler may follow what its metrics ask for, and what it remembers for that.

Source: "Configurable scaling behavior" of Horizontal Pod Autoscaling in the Kubernetes
documentation, and its defaults; without a behavior, pods at most double (or become four), and
the highest recommendation of the last five minutes counts.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from rollouts.model.kinds import FrozenJSON

_SCALE_DOWN_WINDOW_SECONDS = 300
_WORDS = {
    "ReadyForNewScale": "recommended size matches current size",
    "ScaleUpStabilized": "recent recommendations were lower than current one, applying the lowest recent recommendation",
    "ScaleDownStabilized": "recent recommendations were higher than current one, applying the highest recent recommendation",
    "DesiredWithinRange": "the desired count is within the acceptable range",
    "TooManyReplicas": "the desired replica count is more than the maximum replica count",
    "TooFewReplicas": "the desired replica count is less than the minimum replica count",
    "ScaleUpLimit": "the desired replica count is increasing faster than the maximum scale rate",
    "ScaleDownLimit": "the desired replica count is decreasing faster than the maximum scale rate",
}

Dated = tuple[datetime, int]


def words(reason: str) -> str:
    """Return the message that a condition with this reason has."""
    return _WORDS[reason]


@dataclass
class ScaleHistory:
    """What was recommended for one autoscaler, and how it was scaled."""

    recommendations: list[Dated] = field(default_factory=list)
    scale_ups: list[Dated] = field(default_factory=list)
    scale_downs: list[Dated] = field(default_factory=list)

    def resized(self, before: int, after: int, now: datetime) -> None:
        """Remember a change of size."""
        if after > before:
            self.scale_ups.append((now, after - before))
        else:
            self.scale_downs.append((now, before - after))

    def forget(self, before: datetime) -> None:
        """Drop what is older."""
        for dated in (self.recommendations, self.scale_ups, self.scale_downs):
            dated[:] = [each for each in dated if each[0] >= before]


@dataclass(frozen=True, slots=True)
class AllowedScale:
    """What may be done now: the size, and the reasons of two conditions."""

    replicas: int
    able: str
    limit: str

    @property
    def limited(self) -> bool:
        return self.limit != "DesiredWithinRange"


def allowed_scale(
    spec: FrozenJSON, history: ScaleHistory, current: int, recommended: int, now: datetime
) -> AllowedScale:
    """Return how far a recommendation may be followed, and remember it."""
    steady = _stabilized(spec, history, current, recommended, now)
    history.recommendations.append((now, recommended))
    behaviour = spec.get("behavior")
    if behaviour:
        rate = Rate(history, current, now)
        most, least = rate.most(behaviour["scaleUp"]), rate.least(behaviour["scaleDown"])
    else:
        most, least = max(2 * current, 4), 0
    allowed, limit = _limited(spec, steady, most, least)
    if steady == recommended:
        return AllowedScale(allowed, "ReadyForNewScale", limit)
    return AllowedScale(
        allowed, "ScaleUpStabilized" if recommended >= current else "ScaleDownStabilized", limit
    )


def _stabilized(
    spec: FrozenJSON, history: ScaleHistory, current: int, recommended: int, now: datetime
) -> int:
    """Return the lowest recommendation of the window for growing, the highest of that for shrinking."""
    behaviour = spec.get("behavior") or {}
    up = (behaviour.get("scaleUp") or {}).get("stabilizationWindowSeconds") or 0
    down = (behaviour.get("scaleDown") or {}).get("stabilizationWindowSeconds")
    down = _SCALE_DOWN_WINDOW_SECONDS if down is None else down
    lowest = min([recommended, *_since(history.recommendations, now, up)])
    highest = max([recommended, *_since(history.recommendations, now, down)])
    return min(max(current, lowest), highest)


def _since(dated: Sequence[Dated], now: datetime, seconds: float) -> list[int]:
    return [value for at, value in dated if at > now - timedelta(seconds=seconds)]


def _limited(spec: FrozenJSON, recommended: int, most: int, least: int) -> tuple[int, str]:
    highest, lowest = spec["maxReplicas"], spec.get("minReplicas", 1)
    if recommended > min(highest, most):
        return min(highest, most), "ScaleUpLimit" if most < highest else "TooManyReplicas"
    if recommended < max(lowest, least):
        return max(lowest, least), "ScaleDownLimit" if least > lowest else "TooFewReplicas"
    return recommended, "DesiredWithinRange"


@dataclass(frozen=True, slots=True)
class Rate:
    """How far policies let the size go now, given what changed within their periods."""

    history: ScaleHistory
    current: int
    now: datetime

    def most(self, rules: FrozenJSON) -> int:
        """Return the largest size that scaleUp's policies allow, never less than the current."""
        return max(self.current, self._bound(rules, 1, max, min))

    def least(self, rules: FrozenJSON) -> int:
        """Return the smallest size that scaleDown's policies allow, never more than the current."""
        return min(self.current, self._bound(rules, -1, min, max))

    def _bound(
        self,
        rules: FrozenJSON,
        way: int,
        freest: Callable[[list[int]], int],
        strictest: Callable[[list[int]], int],
    ) -> int:
        chosen = rules.get("selectPolicy", "Max")
        if chosen == "Disabled" or not rules.get("policies"):
            return self.current
        bounds = [self._bound_of(policy, way) for policy in rules["policies"]]
        return strictest(bounds) if chosen == "Min" else freest(bounds)

    def _bound_of(self, policy: dict[str, Any], way: int) -> int:
        seconds: int = policy["periodSeconds"]
        value: int = policy["value"]
        scale_ups = sum(_since(self.history.scale_ups, self.now, seconds))
        scale_downs = sum(_since(self.history.scale_downs, self.now, seconds))
        start = self.current - scale_ups + scale_downs
        if policy["type"] == "Pods":
            return start + way * value
        size = start * (100 + way * value) / 100
        return math.ceil(size) if way > 0 else math.floor(size)
