"""How many pods each revision has to have."""

from rollouts.model.spec import RolloutSpec
from rollouts.model.status import RolloutStatus


def canary_replicas(total: int, weight_percent: int) -> int:
    """
    Return how many canary pods `weight_percent` of the traffic needs.

    Rounds up, and is at least one as soon as any traffic is sent.

    Raises:
        ValueError: `weight_percent` is outside 0..100.
    """
    if not 0 <= weight_percent <= 100:
        raise ValueError(f"a weight is 0 to 100 percent, got {weight_percent}")
    if weight_percent == 0:
        return 0
    return max(1, -(-total * weight_percent // 100))


def stable_replicas(spec: RolloutSpec, status: RolloutStatus) -> int:
    """
    Return how many pods the stable revision has to have.

    While a rollout is under way that is at least what it had at the start: traffic may
    come back at any moment.
    """
    return max(spec.replicas, status.stable_floor)


def needed(spec: RolloutSpec, status: RolloutStatus) -> int:
    """
    Return how many canary pods have to be available before the desired weight may be applied.

    A canary size that was set by hand (setCanaryScale) counts instead of the weight's.
    """
    by_weight = canary_replicas(stable_replicas(spec, status), status.weights.desired)
    if status.canary_scale is not None and status.weights.desired < 100:
        return max(status.canary_scale, 1 if status.weights.desired else 0)
    return by_weight


def scale_of(spec: RolloutSpec, status: RolloutStatus, index: int) -> int | None:
    """Return the canary size that the last setCanaryScale at or before step `index` sets, or None."""
    for step in reversed(spec.steps[: index + 1]):
        scale = step.set_canary_scale
        if scale is None:
            continue
        if scale.match_traffic_weight:
            return None
        if scale.replicas is not None:
            return scale.replicas
        return canary_replicas(stable_replicas(spec, status), scale.weight or 0)
    return None
