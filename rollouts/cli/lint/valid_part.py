"""What can be read of a Rollout with mistakes in it, so that one mistake does not hide the others."""

import copy
from dataclasses import dataclass
from typing import Any

from rollouts.errors import InvalidSpec
from rollouts.model.finding import Finding
from rollouts.model.kinds import JSON, FrozenJSON
from rollouts.model.spec import RolloutSpec
from rollouts.model.unchecked_json import mapping
from rollouts.model.validation import parse_rollout

STAND_IN = "name"
"""What a Rollout is called that has no name."""
_DECIDES_WHAT_IS_AROUND = (
    "selector",
    "template",
    "workloadRef",
    "strategy",
    "stableService",
    "canaryService",
    "activeService",
    "previewService",
    "trafficRouting",
)
"""Without such a field it would be another Rollout: what is found around that would not be true."""


@dataclass(frozen=True, slots=True)
class ValidPart:
    """A Rollout without the fields that are wrong, its spec, and which fields those are."""

    rollout: FrozenJSON
    spec: RolloutSpec
    left_out: tuple[str, ...] = ()

    def speaks_of(self, field: str) -> bool:
        """Return whether what is found of this field is about what is written in the file."""
        return not any(_is_within(field, each) or _is_within(each, field) for each in self.left_out)


def errors_in(content: FrozenJSON) -> list[Finding]:
    """Return what is wrong in a Rollout by itself."""
    try:
        parse_rollout(content)
    except InvalidSpec as invalid:
        return [Finding("error", "", each.reason, each.field) for each in invalid.errors]
    return []


def valid_part(content: FrozenJSON) -> ValidPart | None:
    """Return what can be read of a Rollout: all of it, mostly; None when too much is wrong."""
    rollout: JSON = copy.deepcopy(dict(content))
    rollout["metadata"] = {**mapping(content.get("metadata"))}
    if not _is_name(rollout["metadata"].get("name")):
        rollout["metadata"]["name"] = STAND_IN
    try:
        return ValidPart(rollout, parse_rollout(rollout))
    except InvalidSpec as invalid:
        fields = {each.field.partition("[")[0] for each in invalid.errors} - {"metadata.name"}
    if not all(_take_out(rollout, field) for field in fields):
        return None
    try:
        spec = parse_rollout({**rollout, "metadata": {"name": STAND_IN}})
    except InvalidSpec:
        return None
    return ValidPart(rollout, spec, tuple(sorted(fields)))


def _is_name(name: object) -> bool:
    return isinstance(name, str) and bool(name)


def _is_within(field: str, other: str) -> bool:
    """Return whether a field is the other one, or a part of it."""
    return field == other or field.startswith((f"{other}.", f"{other}["))


def _take_out(rollout: JSON, field: str) -> bool:
    """Take a field out; return whether it was there, and the Rollout is the same without it."""
    *path, last = field.split(".")
    within: Any = rollout
    for part in path:
        within = within.get(part) if isinstance(within, dict) else None
    if last in _DECIDES_WHAT_IS_AROUND or not isinstance(within, dict) or last not in within:
        return False
    del within[last]
    return True
