"""What `kubectl get pods` says of a pod."""

from datetime import datetime

from rollouts.model.kinds import JSON, FrozenJSON
from rollouts.sandbox.apiserver.durations import ago
from rollouts.sandbox.apiserver.objects import get_path


def _statuses(pod: FrozenJSON) -> list[JSON]:
    return get_path(pod, "status.containerStatuses", [])  # type: ignore[no-any-return]


def ready(pod: FrozenJSON, _now: datetime) -> str:
    """Return how many of its containers are ready, `1/2`."""
    total = len(get_path(pod, "spec.containers", []))
    return f"{sum(1 for status in _statuses(pod) if status.get('ready'))}/{total}"


def status(pod: FrozenJSON, _now: datetime) -> str:
    """Return its phase, or what is more telling: why a container waits, how one ended."""
    word = str(get_path(pod, "status.reason") or get_path(pod, "status.phase") or "Unknown")
    for container in reversed(_statuses(pod)):
        state = container.get("state") or {}
        if get_path(state, "waiting.reason"):
            word = state["waiting"]["reason"]
        elif get_path(state, "terminated.reason"):
            word = state["terminated"]["reason"]
        elif "terminated" in state:
            word = f"ExitCode:{state['terminated'].get('exitCode', 0)}"
    if get_path(pod, "metadata.deletionTimestamp"):
        return "Terminating"
    return word


def restarts(pod: FrozenJSON, now: datetime) -> str:
    """Return how often its containers were restarted, and when last: `3 (20s ago)`."""
    count = sum(container.get("restartCount", 0) for container in _statuses(pod))
    ends = [get_path(container, "lastState.terminated.finishedAt") for container in _statuses(pod)]
    last = max(filter(None, ends), default=None)
    return f"{count} ({ago(last, now)} ago)" if count and last else str(count)
