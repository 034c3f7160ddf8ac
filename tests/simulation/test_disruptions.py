"""What befalls pods in any cluster is no release's fault, whatever it befalls."""

import random

import pytest

from tests.simulation.faults import end, evict, lose_a_node
from tests.simulation.known import spared
from tests.simulation.kubelets import Behaviour, hash_of, is_ready
from tests.simulation.misfortunes import drain
from tests.simulation.starts import deployed
from tests.simulation.story import Story, told
from tests.simulation.ways import WAYS


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
    pytest.param(way, kind, seed, marks=[] if seed < 1 else [pytest.mark.nightly])
    for way in WAYS
    for kind in KINDS
    for seed in range(8)
]


@pytest.mark.parametrize(("way", "kind", "seed"), CELLS)
def test_no_disruption_rolls_a_good_release_back(way: str, kind: str, seed: int) -> None:
    if spared(f"{kind} alone"):
        pytest.skip("known")
    chance = random.Random(f"{way} {kind} {seed}")
    story = deployed(way, seed)
    with told(f"{way} {kind} {seed}", story):
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
