"""A Deployment's rolling update stays within its limits and always comes to its end."""

import random

import pytest

from rollouts.sandbox.workloads.rolling_update import Limits, Size, limits, next_sizes


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        (4, "25%", "25%", Limits(4, 1, 1)),
        (10, "25%", "25%", Limits(10, 3, 2)),
        (1, "25%", "25%", Limits(1, 1, 0)),
        (3, 0, 0, Limits(3, 0, 1)),
        (3, 2, 5, Limits(3, 2, 3)),
    ],
)
def test_limits(replicas: int, surge: int | str, unavailable: int | str, expected: Limits) -> None:
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    assert limits({"replicas": replicas, "strategy": {"rollingUpdate": rolling}}) == expected


def test_a_first_deploy_goes_to_full_size_at_once() -> None:
    assert next_sizes(Size("new", 0, 0), [], limits({"replicas": 4})) == {"new": 4}


def test_scaling_down_is_at_once() -> None:
    assert next_sizes(Size("new", 6, 6), [], limits({"replicas": 2})) == {"new": 2}


def test_old_pods_that_are_not_available_go_first() -> None:
    old = [Size("good", 2, 2), Size("bad", 2, 0)]
    sizes = next_sizes(Size("new", 1, 0), old, Limits(4, 1, 1))
    assert sizes == {"bad": 1}


@pytest.mark.parametrize("seed", range(50))
def test_limits_hold_at_every_step(seed: int) -> None:
    """Whatever order pods become available in, and whatever was interrupted."""
    chance = random.Random(seed)
    replicas = chance.randint(1, 8)
    allowed = Limits(replicas, chance.randint(0, 3), 0)
    allowed = Limits(replicas, allowed.surge, chance.randint(0 if allowed.surge else 1, replicas))
    wanted = {"old": replicas, "new": 0}
    available = dict(wanted)
    for _ in range(500):
        new, old = (Size(name, wanted[name], available[name]) for name in ("new", "old"))
        wanted |= next_sizes(new, [old], allowed)
        assert sum(wanted.values()) <= replicas + allowed.surge
        available = {name: min(available[name], wanted[name]) for name in wanted}
        assert sum(available.values()) >= replicas - allowed.unavailable
        if chance.random() < 0.5 and available["new"] < wanted["new"]:
            available["new"] += 1
    assert wanted == {"old": 0, "new": replicas}
