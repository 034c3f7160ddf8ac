"""
ResourceQuotas: how many objects of a kind a namespace may have, and has.

Objects are counted: pods, services, configmaps, secrets, and `count/PLURAL.GROUP` of any kind.
What pods ask for, such as requests.cpu, is not, and limits nothing here; that is logged.
Source: "Resource Quotas" in the Kubernetes documentation.
"""

from collections.abc import Iterator

import structlog

from rollouts.model.kinds import JSON, POD, SERVICE, FrozenJSON
from rollouts.sandbox.apiserver.builtins import CONFIG_MAP, RESOURCE_QUOTA, SECRET
from rollouts.sandbox.apiserver.errors import Cause, forbidden, qualified, shown
from rollouts.sandbox.apiserver.etcd import Etcd
from rollouts.sandbox.apiserver.objects import get_path
from rollouts.sandbox.apiserver.registry import Resource

log = structlog.get_logger()

_BY_PLURAL = (POD, SERVICE, CONFIG_MAP, SECRET)
_ENDED = ("Succeeded", "Failed")


def quotas_of(etcd: Etcd, namespace: str) -> list[FrozenJSON]:
    """Return the quotas of a namespace. Not to be changed."""
    return etcd.scan(etcd.registry.of(RESOURCE_QUOTA), namespace)


def _names(resource: Resource) -> list[str]:
    """Return the names under which a quota may count objects of a kind."""
    kind = resource.kind
    counted = f"count/{qualified(kind.plural, kind.group)}"
    return [counted, kind.plural] if kind in _BY_PLURAL else [counted]


def _used(etcd: Etcd, resource: Resource, name: str, namespace: str) -> int:
    found = etcd.scan(resource, namespace)
    if name == POD.plural:
        found = [pod for pod in found if get_path(pod, "status.phase") not in _ENDED]
    return len(found)


def completed(etcd: Etcd, quota: JSON) -> list[Cause]:
    """Fill in, in place, what there is of what a quota counts; return what is wrong with it."""
    hard = {name: str(limit) for name, limit in get_path(quota, "spec.hard", {}).items()}
    if hard:
        quota["spec"]["hard"] = hard
    resources = {name: each for each in etcd.registry for name in _names(each)}
    if unknown := sorted(hard.keys() - resources):
        log.warning("quota not enforced", quota=quota["metadata"]["name"], resources=unknown)
    namespace = quota["metadata"]["namespace"]
    counted = {name: each for name, each in resources.items() if name in hard}
    used = {name: str(_used(etcd, each, name, namespace)) for name, each in counted.items()}
    quota["status"] = {"hard": hard, "used": used}
    return [cause for name in counted for cause in _limit_causes(name, hard[name])]


def _limit_causes(name: str, limit: str) -> Iterator[Cause]:
    if not limit.isdecimal():
        negative = limit.startswith("-")
        why = "must be greater than or equal to 0" if negative else "must be an integer"
        yield Cause(f"spec.hard[{name}]", f"Invalid value: {shown(limit)}: {why}")


def check_quotas(etcd: Etcd, resource: Resource, obj: FrozenJSON) -> None:
    """
    See that there is room for one object more.

    Raises:
        ApiError: 403, a quota allows no more.
    """
    if not resource.namespaced:
        return
    namespace = obj["metadata"]["namespace"]
    for quota in quotas_of(etcd, namespace):
        hard = get_path(quota, "spec.hard", {})
        used = {
            name: _used(etcd, resource, name, namespace)
            for name in sorted(_names(resource))
            if name in hard
        }
        full = [name for name, count in used.items() if count >= int(hard[name])]
        if full:
            kind, name = resource.kind, obj["metadata"]["name"]
            why = (
                f"exceeded quota: {quota['metadata']['name']}"
                f", requested: {','.join(f'{each}=1' for each in full)}"
                f", used: {','.join(f'{each}={used[each]}' for each in full)}"
                f", limited: {','.join(f'{each}={hard[each]}' for each in full)}"
            )
            raise forbidden(kind.plural, kind.group, name, why)
