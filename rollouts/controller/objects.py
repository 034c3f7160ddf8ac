"""How to read plain JSON objects of Kubernetes: labels, what a spec names, times."""

from datetime import UTC, datetime

from rollouts.errors import Conflict
from rollouts.model.kinds import JSON, FrozenJSON, Ref
from rollouts.model.moments import parse_time
from rollouts.model.unchecked_json import mapping
from rollouts.ports import Cluster

_NEVER = datetime.fromtimestamp(0, UTC)


def required_object(cluster: Cluster, ref: Ref) -> JSON:
    """
    Return an object without which an action can't be carried out.

    Raises:
        Conflict: it has gone since the action was decided.
    """
    found = cluster.get(ref)
    if found is None:
        raise Conflict(f"{ref} has gone since it was decided to use it")
    return found


def labels_of(obj: FrozenJSON) -> FrozenJSON:
    """Return the labels; empty when there are none."""
    return obj["metadata"].get("labels") or {}


def named_services(rollout: FrozenJSON) -> tuple[str, ...]:
    """Return the Services that a Rollout's spec names, the users' first, however wrong it is."""
    spec = mapping(rollout.get("spec"))
    strategy = mapping(spec.get("strategy"))
    canary, blue_green = mapping(strategy.get("canary")), mapping(strategy.get("blueGreen"))
    active, preview = blue_green.get("activeService"), blue_green.get("previewService")
    if isinstance(active, str):
        return (active, preview) if isinstance(preview, str) else (active,)
    stable = canary.get("stableService")
    if not isinstance(stable, str):
        return ()
    return stable, str(canary.get("canaryService") or f"{stable}-canary")


def named_workload(rollout: FrozenJSON) -> str:
    """Return the name of the Deployment that a Rollout's workloadRef names; empty without one."""
    return str(mapping(mapping(rollout.get("spec")).get("workloadRef")).get("name") or "")


def time_of(value: object) -> datetime:
    """Return a Kubernetes time; the beginning of time for what is none."""
    return parse_time(value) or _NEVER
