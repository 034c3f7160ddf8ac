"""
Which labels and annotations of a Service say how data planes reach its pods, whichever Service it is.

Facts, from the data planes' documentation: Traefik reads `traefik.ingress.kubernetes.io/service.*` from Services, Contour
`projectcontour.io/max-*` and `upstream-protocol.*`, Linkerd `config.linkerd.io/opaque-ports` and its timeouts, retries and
balancers, GKE `backend-config` and `app-protocols`, Kong and the AWS load balancer controller all that is under their
prefix, Istio the labels `istio.io/use-waypoint*`. Others are not for a second Service: `cloud.google.com/neg` may give
a group of endpoints a name, which two can't share; `haproxy.org/route-acl` and `getambassador.io/config` make routes.
"""

from collections.abc import Mapping

_PREFIXES = (
    "alb.ingress.kubernetes.io/",
    "balancer.linkerd.io/",
    "config.linkerd.io/",
    "istio.io/",
    "konghq.com/",
    "projectcontour.io/",
    "retry.linkerd.io/",
    "timeout.linkerd.io/",
    "traefik.ingress.kubernetes.io/service.",
)
_KEYS = (
    "beta.cloud.google.com/backend-config",
    "cloud.google.com/app-protocols",
    "cloud.google.com/backend-config",
    "haproxy-ingress.github.io/backend-protocol",
    "haproxy-ingress.github.io/secure-backends",
    "haproxy.org/server-proto",
    "haproxy.org/server-ssl",
    "ingress.kubernetes.io/service-upstream",
    "service.alpha.kubernetes.io/app-protocols",
    "service.kubernetes.io/service-proxy-name",
    "service.kubernetes.io/topology-mode",
)


def read_by_data_planes(given: Mapping[str, str]) -> dict[str, str]:
    """Return those of a Service's labels or annotations that a data plane reads of any backend, sorted."""
    return {
        key: value
        for key, value in sorted(given.items())
        if key in _KEYS or key.startswith(_PREFIXES)
    }
