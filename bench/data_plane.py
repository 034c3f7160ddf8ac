"""A data plane that is compared with others: how a Rollout names it, and what leads users to it."""

from dataclasses import dataclass, replace

from bench import setups
from bench.manifests import NAME, Body, ingress, metadata
from bench.setups import Place, Setup
from rollouts.model.kinds import JSON
from rollouts.model.routers.gateway import HTTP_ROUTE


@dataclass(frozen=True, slots=True)
class DataPlane:
    """
    One that serves Ingresses, or routes of the Gateway API, of its own.

    `own` is its IngressClass, or the Gateway in `default` that its routes have as a parent.
    """

    name: str
    version: str
    url: str
    own: str
    is_gateway: bool

    @property
    def routing(self) -> JSON:
        """How a Rollout names the route of `route`."""
        if self.is_gateway:
            return {"gatewayAPI": {"httpRoutes": [NAME]}}
        cookie = {"canary-by-cookie": "try"}
        return {"nginx": {"stableIngresses": [NAME], "canaryIngressAnnotations": cookie}}

    def place(self, namespace: str) -> Place:
        return Place(namespace, self.url, self.url)

    def route(self, namespace: str, host: str, name: str = NAME, service: str = NAME) -> Body:
        """Return what leads a host to a Service."""
        if not self.is_gateway:
            kind, body = ingress(namespace, host, name)
            body["spec"]["ingressClassName"] = self.own
            (path,) = body["spec"]["rules"][0]["http"]["paths"]
            path["backend"]["service"]["name"] = service
            return kind, body
        rule = {"backendRefs": [_port_80(service)]}
        parents = [{"name": self.own, "namespace": "default"}]
        spec = {"parentRefs": parents, "hostnames": [host], "rules": [rule]}
        return HTTP_ROUTE, {"metadata": metadata(namespace, name), "spec": spec}

    def mirrored(self, namespace: str, host: str, target: str) -> Body:
        """Return a route of its own to the app that copies its requests to the Service `target`."""
        kind, body = self.route(namespace, host, "mirrored")
        if self.is_gateway:
            filters = [{"type": "RequestMirror", "requestMirror": {"backendRef": _port_80(target)}}]
            body["spec"]["rules"][0]["filters"] = filters
        else:
            url = f"http://{target}.{namespace}.svc.cluster.local:80$request_uri"
            body["metadata"]["annotations"] = {"nginx.ingress.kubernetes.io/mirror-target": url}
        return kind, body

    def setup(self, namespace: str) -> Setup:
        """Return the matrix' setup for this kind of router, on this data plane."""
        place = self.place(namespace)
        made = (setups.http_route if self.is_gateway else setups.nginx)(place)
        route = self.route(namespace, place.host)
        before = [route if kind == route[0] else (kind, body) for kind, body in made.before]
        return setups.judged_by_its_own_counters(replace(made, before=before))


def _port_80(service: str) -> JSON:
    return {"name": service, "port": 80}
