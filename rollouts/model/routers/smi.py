"""What a spec says to a mesh that follows SMI: which Service its clients call."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from rollouts.errors import FieldError
from rollouts.model.base import Name, ServiceName
from rollouts.model.header_and_mirror_routes import SetHeaderRoute, SetMirrorRoute
from rollouts.model.kinds import Kind
from rollouts.model.routers.spec import RouterSpec
from rollouts.model.unchecked_json import mapping

TRAFFIC_SPLIT = Kind("split.smi-spec.io", "v1alpha4", "trafficsplits", "TrafficSplit")
TRAFFIC_SPLIT_VERSIONS = ("v1alpha4", "v1alpha3", "v1alpha2", "v1alpha1")
"""What a cluster may serve of TrafficSplits, the best first."""


class SMIRouting(RouterSpec):
    """Weights in an SMI TrafficSplit, which we own."""

    field: ClassVar[str] = "smi"
    is_called_by_address: ClassVar[bool] = True

    root_service: ServiceName | None = None
    """The Service that clients call; default stableService."""
    traffic_split_name: Name | None = None
    """Default: the Rollout's name."""

    @classmethod
    def names_in(cls, raw: object, rollout: str) -> Iterator[tuple[Kind, str]]:
        """Yield the TrafficSplit, which is ours, and has the Rollout's name by default."""
        yield TRAFFIC_SPLIT, str(mapping(raw).get("trafficSplitName") or rollout)

    def objects(self) -> dict[str, str]:
        return {"TrafficSplit": f"{self.traffic_split_name} {self.root_service}"}

    def header_route_errors(
        self, _route: SetHeaderRoute, _active: Mapping[str, SetHeaderRoute], where: str
    ) -> Iterator[FieldError]:
        yield FieldError(where, "a TrafficSplit can't route by header; use nginx or gatewayAPI")

    def mirror_route_errors(self, _route: SetMirrorRoute, where: str) -> Iterator[FieldError]:
        yield FieldError(where, "a TrafficSplit can't mirror; use nginx or gatewayAPI")
