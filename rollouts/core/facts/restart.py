"""Which pods a restart has to replace still, and how many are there meanwhile."""

from datetime import datetime

from rollouts.core.world import Pod, ReplicaSet, World
from rollouts.model.status import Restart

RESTARTING = "restarting: "


def without_restart_words(message: str) -> str:
    return message.partition(f"; {RESTARTING}")[0]


def pods_to_restart(stable: ReplicaSet, wish: Restart) -> list[Pod]:
    return [pod for pod in stable.pods if _is_old(pod, wish.at)]


def _is_old(pod: Pod, at: datetime) -> bool:
    return pod.created_at <= at


def available_to_users(world: World, stable: ReplicaSet) -> int:
    """Return how many pods are available, and found by who asks the stable Service."""
    service = world.stable_service
    if service is None or service.selected_hash not in ("", stable.hash):
        return stable.available
    return min(stable.available, service.ready_endpoints.get(stable.hash, 0))
