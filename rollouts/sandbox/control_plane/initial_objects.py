"""What a new, real control plane is given before anybody uses it: a node, and manifests."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rollouts.errors import Permanent, Unavailable
from rollouts.model.kinds import CRD, JSON, Kind, served_version
from rollouts.sandbox.apiserver.builtins import BUILTIN, NODE, SERVICE_ACCOUNT
from rollouts.sandbox.apiserver.etcd import utc_now
from rollouts.sandbox.apiserver.objects import timestamp
from rollouts.sandbox.control_plane.client import MERGE, Client, path_of

_SERVED_WITHIN_SECONDS = 30.0
_A_YEAR_SECONDS = 365 * 24 * 3600
_ROOM = {"cpu": "1000", "memory": "1000Gi", "pods": "10000"}
"""What the node says it has: nothing is limited there."""


@dataclass(frozen=True, slots=True)
class NodeEntry:
    """The node that the sandbox is, as it stands in the API; its kubelet answers at `address`:`port`."""

    name: str
    address: str
    port: int

    @property
    def metadata(self) -> JSON:
        return {"name": self.name, "labels": {"kubernetes.io/hostname": self.name}}

    @property
    def status(self) -> JSON:
        now = timestamp(utc_now())
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "ready"}
        return {
            "conditions": [ready | {"lastTransitionTime": now, "lastHeartbeatTime": now}],
            "addresses": [{"type": "InternalIP", "address": self.address}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self.port}},
            "capacity": _ROOM,
            "allocatable": _ROOM,
        }


async def create_initial_objects(admin: Client, node: NodeEntry, manifests: Sequence[JSON]) -> None:
    """
    Make the node and the manifests, and return when their kinds are served.

    Raises:
        ApiError: one is refused.
        Permanent: there is no such kind.
        Unavailable: the API server does not answer, or never serves a kind.
    """
    await _create(admin, NODE, {"metadata": node.metadata})
    path = path_of(NODE, "", node.name, "status")
    await admin.request("PATCH", path, {"status": node.status}, MERGE)
    for manifest in manifests:
        await _create(admin, _kind_of(manifest), manifest)
    await _until_served(admin, [each for each in manifests if each["kind"] == CRD.name])


async def token_of(admin: Client, namespace: str, name: str) -> str:
    """Return a token with which one is that service account, for a year."""
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": _A_YEAR_SECONDS},
    }
    path = path_of(SERVICE_ACCOUNT, namespace, name, "token")
    return str((await admin.request("POST", path, body))["status"]["token"])


def _kind_of(manifest: JSON) -> Kind:
    wanted = (manifest["apiVersion"], manifest["kind"])
    for resource in BUILTIN:
        if (resource.kind.api_version, resource.kind.name) == wanted:
            return resource.kind
    raise Permanent(
        f"a sandbox can't begin with a {manifest['kind']} ({manifest['apiVersion']}), only with built-in kinds that"
        " it has itself; create it when the sandbox is ready"
    )


async def _create(admin: Client, kind: Kind, body: JSON) -> None:
    whole = {"apiVersion": kind.api_version, "kind": kind.name, **body}
    await admin.request("POST", path_of(kind, body["metadata"].get("namespace", "")), whole)


async def _until_served(admin: Client, definitions: Iterable[JSON]) -> None:
    left = list(definitions)
    try:
        async with asyncio.timeout(_SERVED_WITHIN_SECONDS):
            while left:
                left = [each for each in left if not await _is_served(admin, each)]
                await asyncio.sleep(0.05)
    except TimeoutError:
        missing = ", ".join(each["metadata"]["name"] for each in left)
        raise Unavailable(
            f"the API server does not serve {missing} within {_SERVED_WITHIN_SECONDS:g} s of its definition; see"
            " its log, in the sandbox's directory under logs/"
        ) from None


async def _is_served(admin: Client, definition: JSON) -> bool:
    path = path_of(CRD, "", definition["metadata"]["name"])
    versions = [each["name"] for each in definition["spec"]["versions"]]
    return served_version(await admin.get(path), versions) is not None
