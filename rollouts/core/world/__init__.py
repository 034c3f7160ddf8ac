"""
The nouns of a decision: what is wanted, seen and measured; the stage of a release; what carries its weight.

Nothing here decides anything.
"""

from rollouts.core.world.carrier import (
    attainable_weight,
    current_route,
    pods_needed,
    pods_serving,
    reaches_canary,
)
from rollouts.core.world.move import (
    SERVICE_FOLLOWED,
    Move,
    Occurrence,
    describe,
    drift_corrected_lately,
    drift_pause_ends,
    next_revision_number,
)
from rollouts.core.world.observed import (
    DETACH,
    FINALIZERS,
    REVERT,
    Command,
    Observed,
    Pod,
    ReplicaSet,
    Service,
    Workload,
    by_whom,
)
from rollouts.core.world.sizes import (
    MOST_EVICTIONS,
    Fleet,
    RestartPace,
    canary_replicas,
    canary_scale_at,
    enough_pods,
    enough_pods_at_rest,
    enough_pods_by_threshold,
    max_unavailable,
    next_sizes,
    pod_shares,
    restart_pace,
    share_percent,
    split_of,
    stable_pods_beside,
    stable_replicas,
)
from rollouts.core.world.stage import attempt, frozen, has_just_left, is_warm, under_way, waived
from rollouts.core.world.world import Hold, World

__all__ = [
    "DETACH",
    "FINALIZERS",
    "MOST_EVICTIONS",
    "REVERT",
    "SERVICE_FOLLOWED",
    # observed
    "Command",
    # sizes
    "Fleet",
    # world
    "Hold",
    # move
    "Move",
    "Observed",
    "Occurrence",
    "Pod",
    "ReplicaSet",
    "RestartPace",
    "Service",
    "Workload",
    "World",
    # carrier
    "attainable_weight",
    # stage
    "attempt",
    "by_whom",
    "canary_replicas",
    "canary_scale_at",
    "current_route",
    "describe",
    "drift_corrected_lately",
    "drift_pause_ends",
    "enough_pods",
    "enough_pods_at_rest",
    "enough_pods_by_threshold",
    "frozen",
    "has_just_left",
    "is_warm",
    "max_unavailable",
    "next_revision_number",
    "next_sizes",
    "pod_shares",
    "pods_needed",
    "pods_serving",
    "reaches_canary",
    "restart_pace",
    "share_percent",
    "split_of",
    "stable_pods_beside",
    "stable_replicas",
    "under_way",
    "waived",
]
