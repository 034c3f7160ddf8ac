"""What the monitor has to know of a release to measure it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from rollouts.core.world import under_way
from rollouts.model.rollout_key import Key
from rollouts.model.sources import VARIABLE
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import Revision, RolloutStatus
from rollouts.ports import MetricsPage


@dataclass(frozen=True, slots=True)
class ExposedCanary:
    """One exposed canary: evidence counts since `exposed_at`, the served share since `applied_at`."""

    key: Key
    spec: RolloutSpec
    exposed_at: datetime
    applied_at: datetime | None
    canary: Revision
    stable: Revision
    weight_percent: int | None = None
    """The share of the traffic that the routes give the canary; None: it is not known."""
    pages: tuple[MetricsPage, ...] = ()
    """Where the canary's pods show their counters themselves, as far as they can be read."""
    pods: int = 0
    """How many pods of the canary there are to be read."""
    why_unread: str = ""
    """Why they can't be read, in words, or nothing."""
    router_pages: tuple[MetricsPage, ...] = ()
    """Where a router's data plane shows its counters itself, as far as it can be read."""
    why_router_unread: str = ""

    def variables(self) -> Mapping[str, str]:
        """Return what `{{ }}` in a query may name (`rollouts.model.validation.PROMQL_VARIABLES`)."""
        filled = {
            "rollout": self.key.name,
            "namespace": self.key.namespace,
            "canary.hash": self.canary.hash,
            "canary.revision": str(self.canary.number),
            "canary.service": self.spec.canary_service,
            "stable.hash": self.stable.hash,
            "stable.revision": str(self.stable.number),
            "stable.service": self.spec.stable_service,
        }
        return {name: value for name, value in filled.items() if value is not None}

    def fill(self, query: str) -> str:
        """Return a query with its `{{ }}` variables filled in."""
        variables = self.variables()
        return VARIABLE.sub(lambda match: variables.get(match[1], match[0]), query)


def exposed_canary(key: Key, spec: RolloutSpec, status: RolloutStatus) -> ExposedCanary | None:
    """
    Return what is to be measured, or None while no canary is exposed.

    Blue-green's new revision stays one for as long as the one before it is kept warm.
    """
    canary, stable = status.current_revision, status.stable_revision
    if status.abort is None and status.previous_revision is not None:
        stable = status.previous_revision
    elif not under_way(status):
        return None
    if status.exposed_at is None or canary is None or stable is None:
        return None
    weights = status.weights
    return ExposedCanary(
        key,
        spec,
        status.exposed_at,
        weights.applied_at,
        canary,
        stable,
        weight_percent=weights.applied,
    )
