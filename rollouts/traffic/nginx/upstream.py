"""
Annotations that shape the connection to a Service's pods, which a canary Ingress needs as well.

Facts, from ingress-nginx's controller (`createUpstreams`, `mergeAlternativeBackend`): a canary's
Service is an upstream of its own, made from the canary Ingress: `service-upstream`,
`load-balance`, `upstream-hash-by…` and `affinity-canary-behavior` are read there, and do not
come from the main Ingress as all else does. From Higress' annotation handlers: it keeps for
each Service what `backend-protocol`, `proxy-ssl-…`, `affinity` and `session-cookie-…` say on an
Ingress that leads to it; ingress-nginx ignores these on a canary. Traefik takes all from the
main Ingress. So a canary Ingress says what the stable one does.

`upstream-vhost` is the main Ingress's for both: there is no other host for the canary.
"""

from collections.abc import Iterator

from rollouts.model.kinds import FrozenJSON
from rollouts.model.route import Problem
from rollouts.traffic.nginx.ingresses import annotation, annotations

AFFINITY = "affinity"
CANARY_AFFINITY = "affinity-canary-behavior"
_KEYS = ("service-upstream", "load-balance", "backend-protocol", AFFINITY, "affinity-mode")
_BEGINNINGS = (CANARY_AFFINITY, "upstream-hash-by", "proxy-ssl-", "session-cookie-")
_HOST = "upstream-vhost"


def shaping(ingress: FrozenJSON, prefix: str) -> dict[str, str]:
    """Return the annotations of an Ingress that shape the connection to its Service's pods."""
    return {
        key: str(value)
        for key, value in annotations(ingress).items()
        if key.startswith(f"{prefix}/") and _shapes(key.removeprefix(f"{prefix}/"))
    }


def problems(name: str, ingress: FrozenJSON, prefix: str, service: str | None) -> Iterator[Problem]:
    """Yield the host by which a mesh would send the canary's requests to the stable Service."""
    host = annotation(ingress, prefix, _HOST)
    if host is not None and service is not None and host.split(".")[0] == service:
        yield Problem(
            "UpstreamHostOfStable",
            f"Ingress {name} sends requests with the host {host} ({_HOST}), those for the canary too; a mesh"
            f" that goes by the host takes all of them to Service {service}: take {_HOST} away if there is one",
            blocking=False,
        )


def _shapes(key: str) -> bool:
    return key in _KEYS or key.startswith(_BEGINNINGS)
