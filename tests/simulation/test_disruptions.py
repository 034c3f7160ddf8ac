"""What befalls pods in any cluster is no release's fault, whatever it befalls."""

import random

import pytest

from tests.simulation.cluster_faults import end, evict, lose_a_node
from tests.simulation.known_gaps import is_known_gap
from tests.simulation.kubelets import Behaviour, hash_of, is_ready
from tests.simulation.random_events import drain
from tests.simulation.setups import SETUPS
from tests.simulation.starting_points import deployed
from tests.simulation.story import Story, told


def blink_beside_others(story: Story, chance: random.Random) -> None:
    """A pod misses a probe, of a revision that has another; two at once would be no accident."""
    if not all(map(is_ready, story.kubelets.pods())):
        return
    for pod in story.kubelets.pods():
        others = [each for each in story.kubelets.pods(hash_of(pod)) if is_ready(each)]
        if len(others) > 1 and is_ready(pod) and chance.random() < 0.3:
            story.say(f"{pod['metadata']['name']} is not ready for a moment")
            story.kubelets.blink(pod, chance.choice([1.0, 3.0]))
            return


KINDS = {"evict": evict, "node": lose_a_node, "blink": blink_beside_others, "drain": drain}
FEW = 2
"""A canary that is all gone more often than that in ten minutes is not waited for any longer."""
CELLS = [
    pytest.param(setup, kind, seed, marks=[] if seed < 1 else [pytest.mark.nightly])
    for setup in SETUPS
    for kind in KINDS
    for seed in range(8)
]


@pytest.mark.parametrize(("setup", "kind", "seed"), CELLS)
def test_no_disruption_rolls_a_good_release_back(setup: str, kind: str, seed: int) -> None:
    if is_known_gap(f"{kind} alone"):
        pytest.skip("known")
    chance = random.Random(f"{setup} {kind} {seed}")
    story = deployed(setup, seed)
    with told(f"{setup} {kind} {seed}", story):
        story.release("shop:2", Behaviour(ready_after=chance.choice([0.2, 2.0, 6.0])))
        left = FEW if kind in ("evict", "node") else 100
        for _ in range(100):
            if left and chance.random() < 0.1:
                left -= 1
                KINDS[kind](story, chance)
            story.round()
            assert story.status.abort is None, story.status.abort
            story.tick(chance.choice([0.1, 0.5, 1.0]))
        end(story)
        assert story.settle().phase == "Healthy"
        assert story.status.stable_revision is not None
        assert story.status.stable_revision.images == ["shop:2"]
