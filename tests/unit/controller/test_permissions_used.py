"""What the controller is granted is what its releases use: of every strategy, router and ending."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from rollouts.controller.manifests import CLUSTER_RULES
from rollouts.controller.watches import WATCHED
from rollouts.model.kinds import CRD, EVENT, JSON, POD, RELEASE_RECORD, FrozenJSON, Kind, Ref
from rollouts.model.routers.gateway import GRPC_ROUTE, HTTP_ROUTE
from rollouts.model.routers.smi import TRAFFIC_SPLIT
from rollouts.ports import Apply, Create, Delete, Evict, Patch, Record, Write
from tests.fakes.adopting_loop import AdoptingControlLoop
from tests.fakes.control_loop import STEPS, ControlLoop
from tests.fakes.crds import VERSIONS, definition
from tests.unit.traffic.routes import accepted, route

Permission = tuple[str, str, str]
"""A group, a resource with its subresource, and a verb."""
BY_HEADER = {
    "setHeaderRoute": {
        "name": "beta",
        "match": [{"headerName": "x-beta", "headerValue": {"exact": "yes"}}],
    }
}


class Gateways(ControlLoop):
    """Routes of both kinds, whose Gateway accepts whatever they say."""

    def __init__(self) -> None:
        super().__init__()
        for kind in (HTTP_ROUTE, GRPC_ROUTE):
            self.cluster.put(CRD, definition(kind, VERSIONS[kind][0]))
            self.cluster.put(kind, route(kind=kind)["web"])

    async def round(self) -> float | None:
        for kind in (HTTP_ROUTE, GRPC_ROUTE):
            for found in self.cluster.select(kind, "shop"):
                status = accepted(found)["status"]
                if found.get("status") != status:
                    self.cluster.edit(
                        Ref(kind, "shop", found["metadata"]["name"]), {"status": status}
                    )
        return await super().round()


def canary(routing: JSON | None, *steps: JSON, **more: Any) -> JSON:
    routed = {"trafficRouting": routing, "stableService": "checkout"} if routing else {}
    return {"canary": {"steps": [*steps, *STEPS], "scaleDownDelaySeconds": 1, **routed, **more}}


async def released(loop: ControlLoop, **spec: Any) -> ControlLoop:
    await loop.deployed(successCriteria=[], **spec)
    loop.release("shop:2")
    await loop.until(lambda: "Promoted" in loop.reasons(), 300)
    await loop.run(30)
    return loop


async def on_nginx() -> ControlLoop:
    metadata = {"labels": {"tier": "gold"}}
    loop = await released(
        ControlLoop(),
        revisionHistoryLimit=0,
        strategy=canary({"nginx": {"stableIngresses": ["checkout"]}}, stableMetadata=metadata),
    )
    loop.command("restart")
    await loop.run(30)
    return loop


async def in_a_mesh() -> ControlLoop:
    loop = ControlLoop()
    loop.cluster.put(CRD, definition(TRAFFIC_SPLIT, VERSIONS[TRAFFIC_SPLIT][0]))
    await loop.deployed(successCriteria=[], strategy=canary({"smi": {}}))
    loop.release("shop:2")
    await loop.until(lambda: bool(loop.cluster.select(TRAFFIC_SPLIT, "shop")))
    loop.cluster.edit(Ref(TRAFFIC_SPLIT, "shop", "checkout"), {"spec": {"matches": []}})
    await loop.until(lambda: "Promoted" in loop.reasons())
    await loop.run(30)
    return loop


async def on_a_gateway() -> ControlLoop:
    routing = {"gatewayAPI": {"httpRoutes": ["web"], "grpcRoutes": ["web"]}}
    return await released(
        Gateways(), strategy=canary(routing, BY_HEADER, {"pause": {"duration": 5}})
    )


async def of_a_deployment() -> ControlLoop:
    loop = AdoptingControlLoop()
    await loop.adopted()
    return loop


async def blue_green() -> ControlLoop:
    loop = ControlLoop()
    loop.cluster.put(CRD, definition(RELEASE_RECORD, RELEASE_RECORD.version))
    green = {"blueGreen": {"activeService": "checkout"}}
    return await released(loop, revisionHistoryLimit=1, strategy=green)


RELEASES: tuple[Callable[[], Awaitable[ControlLoop]], ...] = (
    *(on_nginx, in_a_mesh, on_a_gateway, of_a_deployment, blue_green),
)


def needed(write: Write) -> Iterator[Permission]:
    """Yield what an API server asks for a write, as the contract suite has it."""
    match write:
        case Create(kind, body):
            yield permission(kind, "create")
            yield from needed_of_owner(body)
        case Apply(kind, body):
            yield permission(kind, "create")  # where the object is not there yet
            yield permission(kind, "patch")
            yield from needed_of_owner(body)
        case Patch(ref, _, subresource):
            yield permission(ref.kind, "patch", subresource)
        case Delete(ref):
            yield permission(ref.kind, "delete")
        case Evict():
            yield permission(POD, "create", "eviction")
        case Record():
            # To count up one that a controller before this one has written, it is read.
            yield from (permission(EVENT, verb) for verb in ("get", "create", "patch"))


def needed_of_owner(body: FrozenJSON) -> Iterator[Permission]:
    """Yield what OwnerReferencesPermissionEnforcement asks of who blocks an owner's deletion."""
    if any(
        each.get("blockOwnerDeletion") for each in body["metadata"].get("ownerReferences") or ()
    ):
        yield "rollouts.dev", "rollouts/finalizers", "update"


def permission(kind: Kind, verb: str, subresource: str = "") -> Permission:
    return kind.group, f"{kind.plural}{'/' * bool(subresource)}{subresource}", verb


def granted() -> set[Permission]:
    return {
        (group, resource, verb)
        for rule in CLUSTER_RULES
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


@pytest.fixture
async def written() -> list[Write]:
    return [write for each in RELEASES for write in (await each()).cluster.writes]


async def test_every_permission_is_used_and_every_use_permitted(written: list[Write]) -> None:
    used = {each for write in written for each in needed(write)}
    used |= {permission(kind, verb) for kind in WATCHED for verb in ("list", "watch")}
    assert used - granted() == set(), "used, and not granted"
    assert granted() - used == set(), "granted, and never used"
