"""
The specs and statuses of Rollouts as models: parsed once, until their JSON changes.

A status is written many times in a release, and a settled Rollout is looked at because something
around it has changed. The spec of either is the same, and validating it costs more than all
that a decision asks of it.
"""

from dataclasses import dataclass

from rollouts.controller.status_store import read_status
from rollouts.core.effective_spec import without_template
from rollouts.errors import InvalidSpec
from rollouts.model.kinds import JSON, FrozenJSON
from rollouts.model.rollout_key import Key
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import RolloutStatus
from rollouts.model.unchecked_json import mapping
from rollouts.model.validation import parse_rollout


@dataclass(frozen=True, slots=True)
class ParsedSpec:
    """The spec of a Rollout: its JSON, and that parsed, or what is wrong with it."""

    generation: object
    raw: object
    spec: RolloutSpec | InvalidSpec
    spec_json: JSON
    """As status keeps it: without the template."""

    def error(self) -> InvalidSpec:
        """Return what is wrong with it, to be raised: without a trace of where it was raised before."""
        assert isinstance(self.spec, InvalidSpec)
        # An error that is raised again keeps the frames of each time, and all that is in them.
        return self.spec.with_traceback(None)


class ParseCache:
    """Keeps one spec and one status of each Rollout, until it is forgotten."""

    def __init__(self) -> None:
        self._specs: dict[Key, ParsedSpec] = {}
        self._statuses: dict[Key, tuple[object, RolloutStatus | None]] = {}

    def spec(self, rollout: FrozenJSON) -> ParsedSpec:
        """Return the spec of a Rollout, whether it is valid or not."""
        key, raw = Key.of(rollout), rollout.get("spec")
        generation = rollout["metadata"].get("generation")
        known = self._specs.get(key)
        # By both: a cluster that comes back from a backup counts generations anew, and to Python 1 is True.
        if known is None or known.generation != generation or differ(known.raw, raw):
            known = ParsedSpec(generation, raw, _parsed(rollout), without_template(mapping(raw)))
            self._specs[key] = known
        return known

    def status(self, rollout: FrozenJSON) -> RolloutStatus | None:
        """Return the status of a Rollout; None when somebody has made it unreadable."""
        key, raw = Key.of(rollout), rollout.get("status")
        known = self._statuses.get(key)
        if known is None or differ(known[0], raw):
            known = (raw, read_status(rollout))
            self._statuses[key] = known
        return known[1]

    def forget(self, key: Key) -> None:
        """Let go of a Rollout that is gone."""
        self._specs.pop(key, None)
        self._statuses.pop(key, None)


def differ(one: object, other: object) -> bool:
    """Return whether two things are not the same, as far as that can be told."""
    try:
        return one != other
    except RecursionError:  # a template may be too deep to be compared
        return True


def _parsed(rollout: FrozenJSON) -> RolloutSpec | InvalidSpec:
    try:
        return parse_rollout(rollout)
    except InvalidSpec as error:
        return error
