"""
Where the annotation `mirror-target` sends copies: a URL, with nginx's variables in it.

Pure. A Service's name of the cluster's DNS (`<service>.<namespace>.svc[.cluster.local]`) is
its endpoints; any other host has to be a pod's address: the sandbox resolves no names, and sends
nothing out.
"""

import re
from dataclasses import dataclass

from rollouts.sandbox.dataplane.endpoints import Backend
from rollouts.sandbox.network import PodNetwork

_TARGET = re.compile(r"http://(?P<host>[^/:$]+)(?::(?P<port>\d+))?(?P<uri>[/$].*)?")
_SERVICE = re.compile(r"(?P<name>[^.]+)\.(?P<namespace>[^.]+)\.svc(\.cluster\.local)?\.?")
DEFAULT_PORT = "80"


@dataclass(frozen=True, slots=True)
class Mirror:
    """
    A copy goes to a Service or to a pod; `uri` is empty for the request's own.

    `body` says whether the request's body goes along.
    """

    backend: Backend | None
    peer: str
    uri: str
    host: str
    body: bool = True


def mirror(target: str, network: PodNetwork, host: str = "", *, body: bool = True) -> Mirror | None:
    """
    Return what the annotation asks for; None when it can't be followed.

    `host` is the annotation `mirror-host`; without it the copy's Host is the target's.
    """
    found = _TARGET.fullmatch(target.strip())
    if not found:
        return None
    port = found["port"] or DEFAULT_PORT
    named = host or found["host"] + (f":{found['port']}" if found["port"] else "")
    service = _SERVICE.fullmatch(found["host"])
    if service:
        backend = Backend(service["namespace"], service["name"], port)
        return Mirror(backend, "", found["uri"] or "", named, body)
    address = network.reached(found["host"])
    if address is None:
        return None
    return Mirror(None, f"{address}:{port}", found["uri"] or "", named, body)
