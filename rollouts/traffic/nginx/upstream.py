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

With cookie affinity, ingress-nginx's balancer keeps who has stable's cookie on stable, whatever
the weight is, and who has the canary's on the canary, also at weight 0. `legacy` in the canary
Ingress makes that one give out no cookies, and forget those that it gave; stable keeps its own.
"""

from collections.abc import Iterator

from rollouts.model.finding import Finding
from rollouts.model.kinds import FrozenJSON
from rollouts.model.routers.nginx import NginxRouting
from rollouts.traffic.nginx.ingresses import annotation, annotations

LEGACY = "legacy"
_AFFINITY = "affinity"
_BEHAVIOUR = "affinity-canary-behavior"
_KEYS = ("service-upstream", "load-balance", "backend-protocol", _AFFINITY, "affinity-mode")
_BEGINNINGS = (_BEHAVIOUR, "upstream-hash-by", "proxy-ssl-", "session-cookie-")
_HOST = "upstream-vhost"


def connection_annotations(ingress: FrozenJSON, prefix: str) -> dict[str, str]:
    """Return the annotations of an Ingress that shape the connection to its Service's pods."""
    return {
        key: str(value)
        for key, value in annotations(ingress).items()
        if key.startswith(f"{prefix}/") and _shapes(key.removeprefix(f"{prefix}/"))
    }


def has_affinity(ingress: FrozenJSON, prefix: str) -> bool:
    """Return whether users who have the cookie of an Ingress stay where they are."""
    return annotation(ingress, prefix, _AFFINITY) == "cookie"


def keeps_canary_users(canary: FrozenJSON, prefix: str) -> bool:
    """Return whether users who have been on the canary stay there at any weight."""
    return has_affinity(canary, prefix) and annotation(canary, prefix, _BEHAVIOUR) != LEGACY


def legacy_affinity(stable: FrozenJSON, prefix: str) -> dict[str, str]:
    """Return what a canary Ingress has to say to let go of users who have its cookie."""
    return {f"{prefix}/{_BEHAVIOUR}": LEGACY} if has_affinity(stable, prefix) else {}


def behaviour(stable: FrozenJSON, routing: NginxRouting) -> str | None:
    """Return what the canary Ingress says of affinity: the user's own word, or the stable one's."""
    own = routing.extra.get(f"{routing.annotation_prefix}/{_BEHAVIOUR}")
    return own or annotation(stable, routing.annotation_prefix, _BEHAVIOUR)


def findings(name: str, ingress: FrozenJSON, prefix: str, service: str | None) -> Iterator[Finding]:
    """Yield the host by which a mesh would send the canary's requests to the stable Service."""
    host = annotation(ingress, prefix, _HOST)
    if host is not None and service is not None and host.split(".")[0] == service:
        yield Finding(
            "warning",
            "UpstreamHostOfStable",
            (
                f"Ingress {name} sends requests with the host {host} ({_HOST}), those for the canary too; a mesh"
                f" that goes by the host takes all of them to Service {service}: take {_HOST} away if there is one"
            ),
        )


def _shapes(key: str) -> bool:
    return key in _KEYS or key.startswith(_BEGINNINGS)
