"""
What was observed of each Rollout, for as long as all that was read for it is the same.

As a rule a Rollout is looked at because time has passed, or its criteria were measured: of the
cluster nothing has changed. To ask for the same objects again is a tenth of the work of
counting what is in them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from operator import is_

from rollouts.controller.observation_input import ObservationInput
from rollouts.controller.observe import observe
from rollouts.controller.parse_cache import differ
from rollouts.core.world import Observed
from rollouts.model.kinds import JSON, FrozenJSON, Kind, Ref
from rollouts.model.rollout_key import Key
from rollouts.ports import Reads

_Query = tuple[Kind, str, tuple[tuple[str, str], ...]]


class RecordedReads:
    """Objects of a cluster, and which were asked for: each is asked for once."""

    def __init__(self, cluster: Reads) -> None:
        self._cluster = cluster
        self._got: dict[Ref, JSON | None] = {}
        self._selected: dict[_Query, list[JSON]] = {}
        self._refused: dict[tuple[Kind, str], str] = {}

    def get(self, ref: Ref) -> JSON | None:
        if ref not in self._got:
            self._got[ref] = self._cluster.get(ref)
        return self._got[ref]

    def select(
        self, kind: Kind, namespace: str, labels: Mapping[str, str] | None = None
    ) -> list[JSON]:
        query = (kind, namespace, tuple((labels or {}).items()))
        if query not in self._selected:
            self._selected[query] = self._cluster.select(kind, namespace, labels)
        return self._selected[query]

    def refusal(self, kind: Kind, namespace: str) -> str:
        asked = (kind, namespace)
        if asked not in self._refused:
            self._refused[asked] = self._cluster.refusal(*asked)
        return self._refused[asked]

    def hold(self) -> bool:
        """Return whether the cluster would answer all of it with the same objects now."""
        return (
            all(self._cluster.get(ref) is found for ref, found in self._got.items())
            and all(
                _same(self._cluster.select(kind, namespace, dict(labels)), found)
                for (kind, namespace, labels), found in self._selected.items()
            )
            and all(self._cluster.refusal(*asked) == why for asked, why in self._refused.items())
        )


def _same(one: list[JSON], other: list[JSON]) -> bool:
    return len(one) == len(other) and all(map(is_, one, other))


@dataclass(frozen=True, slots=True)
class _Known:
    rollout: FrozenJSON
    inputs: ObservationInput
    reads: RecordedReads
    seen: Observed


class Observations:
    """Observes Rollouts, each anew when anything that was read for it has changed."""

    def __init__(self) -> None:
        self._known: dict[Key, _Known] = {}

    def observe(
        self, cluster: Reads, rollout: FrozenJSON, inputs: ObservationInput, *, quiet_seconds: float
    ) -> Observed:
        """Return what `observe` returns."""
        key = Key.of(rollout)
        known = self._known.get(key)
        if (
            known is None
            or known.rollout is not rollout
            or differ(known.inputs, inputs)
            or not known.reads.hold()
        ):
            reads = RecordedReads(cluster)
            seen = observe(reads, rollout, inputs, quiet_seconds=quiet_seconds)
            known = self._known[key] = _Known(rollout, inputs, reads, seen)
        return replace(known.seen, quiet_seconds=quiet_seconds)

    def forget(self, key: Key) -> None:
        """Let go of what is known of a Rollout: it is gone, or settled, when only a change brings it back."""
        self._known.pop(key, None)
