"""Whatever happens, on every way that traffic goes: hundreds of seeded stories in virtual time."""

import random
from collections.abc import Callable
from contextlib import suppress

import pytest

from rollouts.core.observed import Command
from tests.simulation.simulator import Behaviour, DiedError, Simulation
from tests.simulation.starts import blue_green, by_replicas, dynamic, healthy, several_routers
from tests.simulation.ways import Dynamic

WAYS: dict[str, tuple[Callable[..., Simulation], range]] = {
    "router": (healthy, range(100)),
    "several routers": (several_routers, range(60)),
    "blue-green": (blue_green, range(60)),
    "replicas": (by_replicas, range(60)),
    "dynamic": (dynamic, range(40)),
}
BY_DAY = 30
VERSIONS = [
    Behaviour(),
    Behaviour(ready_after=10),
    Behaviour(error_rate=0.3),
    Behaviour(crashes=True),
    Behaviour(ready_after=100_000),
    Behaviour(error_rate=0.002),
]
VERBS = ["promote", "promote-full", "abort", "retry", "pause", "resume", "rollback", "nonsense"]


@pytest.mark.parametrize(
    ("way", "seed"),
    [
        pytest.param(way, seed, marks=[] if seed < BY_DAY else [pytest.mark.nightly])
        for way, (_, seeds) in WAYS.items()
        for seed in seeds
    ],
)
def test_whatever_happens_the_invariants_hold_and_it_ends(way: str, seed: int) -> None:
    """Faults, releases, commands and deaths at random; then peace: it must come to an end."""
    chance = random.Random(seed)
    simulation = WAYS[way][0](seed, progressDeadlineSeconds=60)
    if isinstance(simulation, Dynamic):
        simulation.disturbed = True
    try:
        for number in range(chance.randint(20, 200)):
            _misfortune(simulation, chance, number)
            simulation.die_after = chance.choice([None, None, None, 0, 1, 2, 3])
            try:
                simulation.reconcile()
            except DiedError:
                simulation.say("its successor carries on")
            simulation.tick(chance.choice([0.1, 0.5, 1.0, 5.0]))
        simulation.die_after, simulation.metrics_answer = None, True
        simulation.raw_spec["paused"] = False
        simulation.raw_spec["replicas"] = max(1, simulation.raw_spec["replicas"])
        status = simulation.settle(4000)
        assert status.phase in ("Healthy", "Paused", "Degraded")
        before = simulation.writes
        simulation.settle(60)
        if status.phase != "Paused":  # with traffic, a held canary's sample goes on growing
            assert simulation.writes == before, "a settled Rollout writes"
    except AssertionError:
        print(f"{way} {seed}\n" + "\n".join(simulation.log[-80:]))
        raise


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("way", WAYS)
def test_good_releases_that_overtake_each_other_are_never_rolled_back(way: str, seed: int) -> None:
    """Whenever the next one comes, and whenever the controller dies: only the last is promoted."""
    chance = random.Random(f"{way} {seed}")
    simulation = WAYS[way][0](seed)
    try:
        for number in range(chance.randint(2, 6)):
            behaviour = Behaviour(ready_after=chance.choice([0.2, 2.0, 6.0]))
            last = simulation.release(f"app:{number + 2}", behaviour)
            simulation.say(f"release {last}")
            for _ in range(chance.randint(1, 40)):
                simulation.die_after = chance.choice([None, None, 0, 1, 2])
                with suppress(DiedError):
                    simulation.reconcile()
                assert simulation.status.abort is None, simulation.status.abort
                simulation.tick(chance.choice([0.1, 0.3, 1.0]))
        simulation.die_after = None
        assert simulation.settle().phase == "Healthy"
        assert simulation.status.stable_revision is not None
        assert simulation.status.stable_revision.hash == last
    except AssertionError:
        print(f"{way} {seed}\n" + "\n".join(simulation.log[-80:]))
        raise


def _misfortune(simulation: Simulation, chance: random.Random, number: int) -> None:
    event = chance.random()
    if event < 0.06:
        image = f"app:{chance.choice([1, 2, 3, number + 10])}"
        known = simulation.behaviour
        hash_before = set(known)
        hash_ = simulation.release(image, chance.choice(VERSIONS))
        if hash_ in hash_before and _is_good(simulation, hash_):
            simulation.behaviour[hash_] = Behaviour()
        simulation.say(f"release {image} {hash_} {simulation.behaviour[hash_]}")
    elif event < 0.16:
        verb = chance.choice(VERBS)
        simulation.command = Command(id="" if chance.random() < 0.5 else f"id-{number}", verb=verb)
        simulation.say(f"command {verb}")
    elif event < 0.2:
        simulation.metrics_answer = not simulation.metrics_answer
    elif event < 0.23:
        simulation.raw_spec["paused"] = not simulation.raw_spec.get("paused", False)
    elif event < 0.26:
        simulation.raw_spec["replicas"] = chance.randint(0, 8)
    elif event < 0.3:
        _evict(simulation, chance)
    elif event < 0.33 and simulation.route is not None:
        simulation.route = chance.choice([0, 3, None])
        simulation.say(f"somebody sets the route to {simulation.route}")


def _is_good(simulation: Simulation, hash_: str) -> bool:
    """Say whether it has traffic, or is what traffic goes back to: known versions don't turn bad."""
    stable = simulation.status.stable_revision
    return hash_ in simulation.shares() or (stable is not None and stable.hash == hash_)


def _evict(simulation: Simulation, chance: random.Random) -> None:
    """A node is drained: a pod goes and is made anew, but never a revision's last."""
    found = chance.choice(list(simulation.replica_sets.values()))
    if len(found.pods) > 1:
        found.pods.pop()
        simulation.fill(found)
