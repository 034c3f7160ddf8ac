"""How fast an autoscaler follows: windows, policies, and the largest and smallest size."""

import datetime as dt

import pytest

from rollouts.model.kinds import JSON
from rollouts.sandbox.apiserver import autoscalers
from rollouts.sandbox.autoscaling.behaviour import ScaleHistory, allowed_scale

BEGAN = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)


class Scaler:
    """An autoscaler of which each recommendation is followed as far as it may be."""

    def __init__(self, size: int, behaviour: JSON | None = None, **spec: int) -> None:
        body: JSON = {"spec": {"minReplicas": 1, "maxReplicas": 100, **spec}}
        if behaviour is not None:
            body["spec"]["behavior"] = behaviour
        autoscalers.defaulted(body)
        self.spec = body["spec"]
        self.size = size
        self.history = ScaleHistory([(BEGAN, size)])
        self.now = BEGAN
        self.reasons = ("", "")

    def wants(self, recommended: int, *, after: float = 1) -> int:
        """Return the size after a recommendation that comes some seconds later."""
        self.now += dt.timedelta(seconds=after)
        allowed = allowed_scale(self.spec, self.history, self.size, recommended, self.now)
        if allowed.replicas != self.size:
            self.history.resized(self.size, allowed.replicas, self.now)
        self.size, self.reasons = allowed.replicas, (allowed.able, allowed.limit)
        return self.size


def test_without_a_behaviour_pods_double_at_most() -> None:
    scaler = Scaler(1)
    assert [scaler.wants(50) for _ in range(4)] == [4, 8, 16, 32]
    assert scaler.reasons == ("ReadyForNewScale", "ScaleUpLimit")
    assert scaler.wants(50) == 50
    assert scaler.reasons[1] == "DesiredWithinRange"


def test_without_a_behaviour_the_highest_wish_of_five_minutes_counts() -> None:
    scaler = Scaler(10)
    assert scaler.wants(2) == 10
    assert scaler.reasons[0] == "ScaleDownStabilized"
    assert scaler.wants(6, after=100) == 10
    assert scaler.wants(2, after=199) == 6
    assert scaler.wants(2, after=101) == 2


def test_sizes_stay_between_the_smallest_and_the_largest() -> None:
    scaler = Scaler(3, minReplicas=2, maxReplicas=4)
    assert scaler.wants(9) == 4
    assert scaler.reasons[1] == "TooManyReplicas"
    scaler.wants(0, after=301)
    assert scaler.wants(0, after=301) == 2
    assert scaler.reasons[1] == "TooFewReplicas"


def test_a_window_of_nothing_follows_at_once() -> None:
    scaler = Scaler(8, {"scaleDown": {"stabilizationWindowSeconds": 0}})
    assert scaler.wants(3) == 3


def test_growing_waits_for_its_window_too() -> None:
    scaler = Scaler(2, {"scaleUp": {"stabilizationWindowSeconds": 60}})
    assert scaler.wants(4, after=30) == 2
    assert scaler.reasons[0] == "ScaleUpStabilized"
    assert scaler.wants(6, after=31) == 4
    assert scaler.wants(6, after=60) == 6


def test_policies_count_what_was_done_in_their_period() -> None:
    down = {
        "stabilizationWindowSeconds": 0,
        "policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}],
    }
    scaler = Scaler(10, {"scaleDown": down})
    assert [scaler.wants(1) for _ in range(3)] == [8, 8, 8]
    assert scaler.reasons[1] == "ScaleDownLimit"
    assert scaler.wants(1, after=60) == 6


@pytest.mark.parametrize(("select", "size"), [("Max", 14), ("Min", 11), ("Disabled", 10)])
def test_of_several_policies(select: str, size: int) -> None:
    policies = [
        {"type": "Pods", "value": 4, "periodSeconds": 60},
        {"type": "Percent", "value": 10, "periodSeconds": 60},
    ]
    scaler = Scaler(10, {"scaleUp": {"selectPolicy": select, "policies": policies}})
    assert scaler.wants(50) == size
    assert scaler.wants(50) == size, "the period is not over"
