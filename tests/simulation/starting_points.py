"""Where stories begin: a setup, and its first version stable; or another story, as far as it has come."""

import copy
from typing import Any

from tests.simulation.setups import SETUPS
from tests.simulation.story import Story


def deployed(setup: str, seed: int, **changes: Any) -> Story:
    """Return a story whose first version is stable; `changes` are fields of the spec."""
    story = Story(SETUPS[setup], seed, **changes)
    assert story.settle().phase == "Healthy", "\n".join(story.log)
    return story


def twin(story: Story) -> Story:
    """Return a story in the same state, with the same controller; it goes its own way from here."""
    present = story.present
    shared = (story.setup, story.reconciler.metrics, *present.writes, *present.objects())
    return copy.deepcopy(story, {id(each): each for each in shared})


def healthy(seed: int, **changes: Any) -> Story:
    """Return a story with a canary of four weights with short pauses, on one router."""
    return deployed("router", seed, **changes)


def blue_green(seed: int, **changes: Any) -> Story:
    return deployed("blue-green", seed, **changes)


def by_replicas(seed: int, **changes: Any) -> Story:
    return deployed("replicas", seed, **changes)


def dynamic(seed: int, **changes: Any) -> Story:
    return deployed("dynamic", seed, **changes)
