"""What a spec says to ingress-nginx: which Ingresses get a canary beside them."""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from rollouts.errors import FieldError
from rollouts.model.base import Name
from rollouts.model.header_and_mirror_routes import SetHeaderRoute, SetMirrorRoute
from rollouts.model.kinds import Kind
from rollouts.model.routers.spec import RouterSpec

INGRESS = Kind("networking.k8s.io", "v1", "ingresses", "Ingress")
_OUR_ANNOTATIONS = ("canary", "canary-weight", "canary-weight-total")
_HEADER_ANNOTATIONS = ("canary-by-header", "canary-by-header-value", "canary-by-header-pattern")


class NginxRouting(RouterSpec):
    """Weights in canary annotations of ingress-nginx (also Traefik from 3.7, and Higress)."""

    field: ClassVar[str] = "nginx"
    lists: ClassVar[Mapping[str, Kind]] = {"stableIngresses": INGRESS}
    counts_requests: ClassVar[bool] = True
    fails_without_stable: ClassVar[str] = "ingress-nginx"

    stable_ingresses: Annotated[list[Name], Field(min_length=1, max_length=32)]
    """The Ingresses that route to stableService today; all move together."""
    annotation_prefix: Annotated[str, Field(min_length=1, max_length=253)] = (
        "nginx.ingress.kubernetes.io"
    )
    canary_ingress_annotations: dict[str, str] = Field(default_factory=dict)
    """More annotations for the canary Ingress; a key without a slash gets the prefix."""

    @property
    def extra(self) -> dict[str, str]:
        """Those annotations with their prefix."""
        return {
            key if "/" in key else f"{self.annotation_prefix}/{key}": value
            for key, value in self.canary_ingress_annotations.items()
        }

    def objects(self) -> dict[str, str]:
        """Return the Ingresses; another prefix of their annotations is another ingress controller."""
        return dict.fromkeys(super().objects(), self.annotation_prefix)

    @property
    def chooses_users(self) -> bool:
        """Whether the user's own annotations choose by header or cookie."""
        return any(
            part in key
            for key in self.canary_ingress_annotations
            for part in ("canary-by-header", "canary-by-cookie")
        )

    def cross_field_errors(self, where: str) -> Iterator[FieldError]:
        """Yield the annotations that are ours to write."""
        for key in self.canary_ingress_annotations:
            if key.removeprefix(f"{self.annotation_prefix}/") in _OUR_ANNOTATIONS:
                yield FieldError(
                    f"{where}.canaryIngressAnnotations.{key}",
                    "is set by the controller; use the steps' setWeight, which is in percent",
                )

    def header_route_errors(
        self, route: SetHeaderRoute, active: Mapping[str, SetHeaderRoute], where: str
    ) -> Iterator[FieldError]:
        """Yield what it takes more than one header for, and what the user's annotations have taken."""
        if len(active) > 1:
            others = ", ".join(sorted(set(active) - {route.name}))
            yield FieldError(
                where,
                f"ingress-nginx has one header route at a time, and {others} is still there; end it"
                " with a setHeaderRoute of that name without match first",
            )
        if len(route.match) > 1:
            yield FieldError(f"{where}.match", "ingress-nginx looks at one header only; give one")
        given = {
            key.removeprefix(f"{self.annotation_prefix}/")
            for key in self.canary_ingress_annotations
        }
        taken = given & set(_HEADER_ANNOTATIONS)
        if taken:
            yield FieldError(
                where,
                f"canaryIngressAnnotations has {', '.join(sorted(taken))} already; choose one",
            )

    def mirror_route_errors(self, route: SetMirrorRoute, where: str) -> Iterator[FieldError]:
        """Yield that it mirrors all requests, or none."""
        if route.match:
            yield FieldError(
                f"{where}.match", "ingress-nginx mirrors all requests; leave match out"
            )
        if route.percentage not in (None, 0, 100):
            yield FieldError(
                f"{where}.percentage", "ingress-nginx mirrors all requests or none; give 100 or 0"
            )
