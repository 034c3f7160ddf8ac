"""Who gets users' requests on a `FakeCluster`: by Ingresses, Services and pods, as a data plane would."""

from rollouts.model.kinds import (
    ENDPOINT_SLICE,
    HASH_LABEL,
    JSON,
    MANAGED_BY_LABEL,
    POD,
    SERVICE,
    FrozenJSON,
    Ref,
)
from rollouts.model.routers.nginx import INGRESS
from tests.fakes.cluster import FakeCluster

_CANARY_WEIGHT = "nginx.ingress.kubernetes.io/canary-weight"


def shares(cluster: FakeCluster, hash_: str) -> dict[str, float]:
    """Return a revision's share of the requests to each host, from 0 to 1."""
    canaries = {_host(each): each for each in cluster.select(INGRESS, "shop") if _is_ours(each)}
    found = {}
    for each in cluster.select(INGRESS, "shop"):
        if _is_ours(each):
            continue
        stable, canary = _share(cluster, _backend(each), hash_), canaries.get(_host(each))
        if canary is None:
            found[_host(each)] = stable
            continue
        weight = int(canary["metadata"]["annotations"][_CANARY_WEIGHT]) / 100
        new = _share(cluster, _backend(canary), hash_)
        found[_host(each)] = stable * (1 - weight) + new * weight
    return found


def endpoints(cluster: FakeCluster, service: str) -> list[str]:
    """Return the names of the pods that are ready endpoints of a Service."""
    return [
        each["targetRef"]["name"]
        for found in cluster.select(ENDPOINT_SLICE, "shop", {"kubernetes.io/service-name": service})
        for each in found["endpoints"]
        if each["conditions"]["ready"]
    ]


def routing_objects(cluster: FakeCluster) -> list[str]:
    """Return the names of the routing objects that are a Rollout's own."""
    return [each["metadata"]["name"] for each in cluster.select(INGRESS, "shop") if _is_ours(each)]


def _share(cluster: FakeCluster, service: str, hash_: str) -> float:
    """Return a revision's share of the ready pods that a Service selects."""
    found = cluster.get(Ref(SERVICE, "shop", service))
    if found is None:
        return 0.0
    pods = [
        pod["metadata"]["labels"].get(HASH_LABEL, "")
        for pod in cluster.select(POD, "shop", found["spec"]["selector"])
        if pod["status"]["conditions"][0]["status"] == "True"
    ]
    return pods.count(hash_) / len(pods) if pods else 0.0


def _is_ours(obj: FrozenJSON) -> bool:
    return MANAGED_BY_LABEL in (obj["metadata"].get("labels") or {})


def _rule(ingress: FrozenJSON) -> JSON:
    rule: JSON = ingress["spec"]["rules"][0]
    return rule


def _host(ingress: FrozenJSON) -> str:
    return str(_rule(ingress)["host"])


def _backend(ingress: FrozenJSON) -> str:
    return str(_rule(ingress)["http"]["paths"][0]["backend"]["service"]["name"])
