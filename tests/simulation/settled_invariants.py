"""What is left once a Rollout is settled: nothing that it does not need."""

from collections.abc import Iterator

from rollouts.core.world import under_way
from rollouts.model.kinds import HASH_LABEL, SERVICE
from rollouts.model.routers.gateway import HTTP_ROUTE
from rollouts.model.routers.nginx import INGRESS
from rollouts.model.routers.smi import TRAFFIC_SPLIT
from rollouts.model.status import RolloutStatus
from tests.simulation.dataplane import NAMESPACE, is_ours
from tests.simulation.known_gaps import is_known_gap
from tests.simulation.snapshot import (
    Watched,
    is_by_replicas,
    led_to,
    names,
    strategy_of,
    take_snapshot,
)


def is_over(status: RolloutStatus) -> bool:
    """Return whether nothing is released any more, and nobody is asked to do something first."""
    asked = status.phase == "Degraded" and status.abort is None and status.pinned is None
    return not (under_way(status) or asked)


def not_cleaned_up(story: Watched) -> list[str]:
    """Return what is there of ours, or of our writing, that a settled Rollout does not need."""
    snapshot = take_snapshot(story)
    if snapshot.sizes.get(snapshot.stable) and not any(
        each.get(snapshot.stable) for each in snapshot.ready.values()
    ):
        return []  # whatever is still there answers while stable does not
    return [*_routes(story), *_keys(story), *_pods(story)]


def _routes(story: Watched) -> Iterator[str]:
    caches = story.caches
    for each in caches.select(INGRESS, NAMESPACE):
        if is_ours(each):
            yield f"Ingress {each['metadata']['name']}"
    for each in caches.select(HTTP_ROUTE, NAMESPACE):
        noted = any("rollouts.dev/" in key for key in each["metadata"].get("annotations") or {})
        known = is_known_gap("unnamed rules") and is_by_replicas(strategy_of(story.status))
        if is_ours(each) or (noted and not known):
            yield f"HTTPRoute {each['metadata']['name']}"
    for each in caches.select(TRAFFIC_SPLIT, NAMESPACE):
        if each["spec"]["service"] == each["spec"]["backends"][0]["service"]:
            yield f"TrafficSplit {each['metadata']['name']}"


def _keys(story: Watched) -> Iterator[str]:
    """Yield the Services of the users' that have our key, and that no spec names, nor leads to."""
    named = names(story) | led_to(story)
    for each in story.caches.select(SERVICE, NAMESPACE):
        name = str(each["metadata"]["name"])
        kept = HASH_LABEL in each["spec"]["selector"] and not is_ours(each)
        if kept and name not in named and not is_known_gap("named no longer"):
            yield f"the key in Service {name}"


def _pods(story: Watched) -> Iterator[str]:
    sizes = take_snapshot(story).sizes
    running = [hash_ for hash_, size in sizes.items() if hash_ and size]
    if len(running) > 1:
        yield f"pods of {', '.join(running)}"
    for each in story.status.retiring:
        yield f"{each.hash}, which is still to go"
