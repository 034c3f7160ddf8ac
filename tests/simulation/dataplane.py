"""
Where users' requests go, by the objects alone, as a data plane reads them.

An entry is what users know: the host of an Ingress, a rule of an HTTPRoute, a Service that others
in the cluster call. Each leads to Services by weight, and a Service to the ready pods behind it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from rollouts.model.kinds import (
    ENDPOINT_SLICE,
    HASH_LABEL,
    JSON,
    MANAGED_BY_LABEL,
    POD,
    REPLICA_SET,
    SERVICE,
    STABLE_LABEL,
    FrozenJSON,
    Kind,
    Ref,
)
from rollouts.model.routers.gateway import HTTP_ROUTE
from rollouts.model.routers.nginx import INGRESS
from rollouts.model.routers.smi import TRAFFIC_SPLIT
from rollouts.ports import Cluster
from tests.fakes.kubernetes import has_ended
from tests.simulation.kubelets import going, hash_of, is_ready

NAMESPACE = "shop"
CALLED = ("checkout", "checkout-root", "other")
"""The Services that others in the cluster call by their name."""
INSIDE = "Service "
"""How the names of entries begin that only the cluster itself uses, beside those from outside."""
BESIDE = ("second.test", "other.test", f"{INSIDE}other")
"""Entrances beside those that the releases are about; hardly anybody uses them."""
LOST = "nobody"
"""Who gets the requests to a Service without a ready pod."""
Shares = dict[str, float]
"""Of the requests to one entry: each Service's, or each revision's share, from 0 to 1."""
Ready = Mapping[str, Mapping[str, int]]
"""How many ready pods each Service has, by revision; a pod that is no revision's has none, ""."""


@dataclass(frozen=True)
class EntryPoints:
    """What each entry leads to, by weight."""

    backends: Mapping[str, Shares]

    def shares(self, ready: Ready) -> dict[str, Shares]:
        """Return who gets the requests to each entry."""
        return {name: _served(shares, ready) for name, shares in self.backends.items()}


def entry_points(
    read: Cluster, rules: Callable[[FrozenJSON], list[JSON]] | None = None
) -> EntryPoints:
    """Return the entries; `rules` says what a Gateway makes of an HTTPRoute, if not what it says."""
    found = dict(_routes(read, rules or rules_of))
    for entries in ENTRY_POINTS:
        found.update(entries(read))
    return EntryPoints(found)


def rules_of(route: FrozenJSON) -> list[JSON]:
    return list(route["spec"]["rules"])


def is_ours(obj: FrozenJSON) -> bool:
    """Return whether the controller made it."""
    return MANAGED_BY_LABEL in (obj["metadata"].get("labels") or {})


def _hosts(read: Cluster) -> Iterator[tuple[str, Shares]]:
    ingresses = read.select(INGRESS, NAMESPACE)
    canaries = {_host(each): each for each in ingresses if is_canary(each)}
    for each in ingresses:
        if is_canary(each):
            continue
        host, stable = _host(each), _backend(each)
        if host not in canaries:
            yield host, {stable: 1.0}
            continue
        percent = weight_of(canaries[host])
        shares = Counter({stable: (100 - percent) / 100})
        shares[_backend(canaries[host])] += percent / 100  # type: ignore[assignment]
        yield host, {name: share for name, share in shares.items() if share}


def is_canary(ingress: FrozenJSON) -> bool:
    return _annotation(ingress, "canary") == "true"


def weight_of(ingress: FrozenJSON) -> int:
    """Return the weight that a canary Ingress says; no number is none."""
    text = _annotation(ingress, "canary-weight")
    return int(text) if text.isdecimal() else 0


def _annotation(ingress: FrozenJSON, key: str) -> str:
    """Return an annotation under whichever prefix: there is a controller for each."""
    found = ingress["metadata"].get("annotations") or {}
    return next((str(text) for name, text in found.items() if name.endswith(f"/{key}")), "")


def _host(ingress: FrozenJSON) -> str:
    return str(ingress["spec"]["rules"][0]["host"])


def _backend(ingress: FrozenJSON) -> str:
    path = ingress["spec"]["rules"][0]["http"]["paths"][0]
    return str(path["backend"]["service"]["name"])


def _routes(
    read: Cluster, rules: Callable[[FrozenJSON], list[JSON]]
) -> Iterator[tuple[str, Shares]]:
    for route in read.select(HTTP_ROUTE, NAMESPACE):
        if is_ours(route):
            continue  # it is for testers, who send a header
        for number, rule in enumerate(rules(route)):
            weights: Counter[str] = Counter()
            for ref in rule["backendRefs"]:
                weights[ref["name"]] += ref.get("weight", 1)
            yield f"{route['metadata']['name']} {number}", _normal(weights)


def _services(read: Cluster) -> Iterator[tuple[str, Shares]]:
    splits = {
        each["spec"]["service"]: {
            backend["service"]: int(backend["weight"]) for backend in each["spec"]["backends"]
        }
        for each in read.select(TRAFFIC_SPLIT, NAMESPACE)
    }
    for name in CALLED:
        found = read.get(Ref(SERVICE, NAMESPACE, name))
        if found is not None and not is_ours(found):
            yield f"{INSIDE}{name}", _normal(splits.get(name, {name: 1}))


ENTRY_POINTS: tuple[Callable[[Cluster], Iterator[tuple[str, Shares]]], ...] = (_hosts, _services)
"""What each data plane makes of its objects, but for a Gateway's, which takes its time."""


def _normal(weights: Mapping[str, int]) -> Shares:
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items() if weight}


def _served(shares: Shares, ready: Ready) -> Shares:
    if not shares:  # where all weights are 0, a Gateway answers 500 itself
        return {LOST: 1.0}
    found: Shares = {}
    for service, share in shares.items():
        pods = ready.get(service) or {LOST: 1}
        total = sum(pods.values())
        for hash_, count in pods.items():
            found[hash_] = found.get(hash_, 0.0) + share * count / total
    return found


def shown(read: Cluster) -> Ready:
    """Return the ready pods that EndpointSlices show."""
    pods = {pod["metadata"]["name"]: pod for pod in read.select(POD, NAMESPACE)}
    return {
        each["metadata"]["labels"]["kubernetes.io/service-name"]: _counts(
            hash_of(pods[name])
            for endpoint in each["endpoints"]
            if endpoint["conditions"]["ready"]
            and (name := endpoint["targetRef"]["name"]) in pods
            and not has_ended(pods[name])
        )
        for each in read.select(ENDPOINT_SLICE, NAMESPACE)
    }


def to_come(read: Cluster) -> dict[str, Counter[str]]:
    """Return the ready pods that each Service will have, when everybody has done what objects say."""
    doomed = {pod["metadata"]["name"] for pod in leaving(read)}
    staying = [
        pod
        for pod in read.select(POD, NAMESPACE)
        if pod["metadata"]["name"] not in doomed and not has_ended(pod) and is_ready(pod)
    ]
    return {
        service["metadata"]["name"]: Counter(
            hash_of(pod) for pod in staying if _selects(service, pod)
        )
        for service in read.select(SERVICE, NAMESPACE)
    }


def _counts(hashes: Iterable[str]) -> dict[str, int]:
    """Return how many pods there are of each revision; a `Counter` takes longer to begin than to count these."""
    found: dict[str, int] = {}
    for hash_ in hashes:
        found[hash_] = found.get(hash_, 0) + 1
    return found


def _selects(service: FrozenJSON, pod: FrozenJSON) -> bool:
    return bool(service["spec"]["selector"].items() <= pod["metadata"]["labels"].items())


def leaving(read: Cluster) -> Iterator[JSON]:
    """Yield the pods that ReplicaSets will remove, by the size that they have."""
    pods: dict[str, list[JSON]] = {}
    for pod in read.select(POD, NAMESPACE):
        if not has_ended(pod):
            pods.setdefault(pod["metadata"]["ownerReferences"][0]["uid"], []).append(pod)
    for replica_set in read.select(REPLICA_SET, NAMESPACE):
        owned = pods.pop(replica_set["metadata"]["uid"], [])
        yield from going(owned, replica_set["spec"]["replicas"])


def selected(read: Cluster, service: str) -> str:
    """
    Return the revision that a Service selects; empty for all, or without the Service.

    One that Git owns selects what has the label of stable: a revision, if no other has it.
    """
    found = read.get(Ref(SERVICE, NAMESPACE, service))
    selector = found["spec"]["selector"] if found is not None else {}
    if HASH_LABEL in selector or STABLE_LABEL not in selector:
        return str(selector.get(HASH_LABEL, ""))
    labelled = {hash_of(pod) for pod in read.select(POD, NAMESPACE, selector) if not has_ended(pod)}
    for each in read.select(REPLICA_SET, NAMESPACE):
        if each["spec"]["template"]["metadata"]["labels"].get(STABLE_LABEL):
            labelled.add(each["metadata"]["labels"][HASH_LABEL])
    return labelled.pop() if len(labelled) == 1 else ""


def is_by_label(read: Cluster, service: str) -> bool:
    """Return whether a Service is one that Git owns: it is switched pod by pod, and a switch that has begun goes on."""
    found = read.get(Ref(SERVICE, NAMESPACE, service))
    return found is not None and STABLE_LABEL in found["spec"]["selector"]


def names(read: Cluster, kind: Kind) -> list[str]:
    return [each["metadata"]["name"] for each in read.select(kind, NAMESPACE)]
