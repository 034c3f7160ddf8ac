"""Where stories begin: a setup, and its first version stable."""

from typing import Any

from tests.simulation.setups import SETUPS
from tests.simulation.story import Story


def deployed(setup: str, seed: int, **changes: Any) -> Story:
    """Return a story whose first version is stable; `changes` are fields of the spec."""
    story = Story(SETUPS[setup], seed, **changes)
    assert story.settle().phase == "Healthy", "\n".join(story.log)
    return story


def healthy(seed: int, **changes: Any) -> Story:
    """Return a story with a canary of four weights with short pauses, on one router."""
    return deployed("router", seed, **changes)


def blue_green(seed: int, **changes: Any) -> Story:
    return deployed("blue-green", seed, **changes)


def by_replicas(seed: int, **changes: Any) -> Story:
    return deployed("replicas", seed, **changes)


def dynamic(seed: int, **changes: Any) -> Story:
    return deployed("dynamic", seed, **changes)
