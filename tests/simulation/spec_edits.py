"""People who edit the spec: any field, to something valid or not, and back."""

import random
from typing import Any

from rollouts.model.merge_patch import difference
from tests.simulation.random_events import RandomEvent
from tests.simulation.story import Story
from tests.unit.controller.edits import EDITS, patch_of

FIELDS = sorted(EDITS)
_RELEASES = ("template", "replicas", "paused")
"""They are random events of their own."""


def edit(story: Story, chance: random.Random) -> None:
    """Somebody gives a field another value, as a rule one that the strategy has."""
    field = chance.choice([each for each in FIELDS if each not in _RELEASES and _fits(story, each)])
    value: Any = chance.choice(EDITS[field])
    story.say(f"edit: {field} = {value}")
    story.edit(patch_of(field, value))
    story.lenient = story.lenient or field in ("successCriteria", "appMetrics")


def _fits(story: Story, field: str) -> bool:
    adopted = ("workloadRef", "revertOnDeletion")
    if field in adopted or field == "selector":
        return story.setup.adopts == (field in adopted)
    strategies = story.rollout["spec"].get("strategy") or {}
    _, _, rest = field.partition("strategy.")
    return not rest or rest.partition(".")[0] in strategies


def undo(story: Story, _: random.Random) -> None:
    """Somebody puts back everything but the template, as it was at the beginning."""
    before = story.rollout["spec"]
    kept = {key: before[key] for key in ("template", "replicas", "paused") if key in before}
    story.say("the spec is as it was")
    story.edit({"spec": difference(before, {**story.first_spec, **kept})})


EDITING = [RandomEvent("edit", 0.06, edit), RandomEvent("undo", 0.04, undo)]
