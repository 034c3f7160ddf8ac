"""Where stories begin: specs, and simulations whose first version is stable."""

from typing import Any, TypeVar

from tests.simulation.simulator import Behaviour, Simulation
from tests.simulation.ways import BlueGreen, ByReplicas, Dynamic, SeveralRouters

Sim = TypeVar("Sim", bound=Simulation)


def canary_spec(**changes: Any) -> dict[str, Any]:
    """Return a spec of four weights with short pauses, delays of 5 s and one criterion."""
    spec: dict[str, Any] = {
        "replicas": 4,
        "selector": {"matchLabels": {"app": "app"}},
        "strategy": {
            "canary": {
                "stableService": "app",
                "trafficRouting": {"nginx": {"stableIngresses": ["app"]}},
                "scaleDownDelaySeconds": 5,
                "abortScaleDownDelaySeconds": 5,
                "steps": [
                    {"setWeight": 5},
                    {"pause": {"duration": "5s"}},
                    {"setWeight": 25},
                    {"pause": {"duration": "5s"}},
                    {"setWeight": 50},
                    {"pause": {"duration": "5s"}},
                ],
            }
        },
        "successCriteria": [{"name": "errors", "errorRate": {"max": "1%"}}],
    }
    spec.update(changes)
    return spec


def healthy(seed: int, **changes: Any) -> Simulation:
    """Return a simulation whose first version is deployed and stable."""
    return deployed(Simulation(canary_spec(**changes), seed))


def deployed(simulation: Sim) -> Sim:
    """Return the simulation when its first version is stable."""
    simulation.release("app:1", Behaviour())
    assert simulation.settle().phase == "Healthy", "\n".join(simulation.log)
    return simulation


def blue_green_spec(**changes: Any) -> dict[str, Any]:
    """Return a blue-green spec with a bake of 10 s, which `strategy` changes field by field."""
    strategy = {
        "activeService": "app",
        "previewService": "app-preview",
        "postPromotionAnalysis": {"duration": "10s"},
        "scaleDownDelaySeconds": 5,
        "abortScaleDownDelaySeconds": 5,
        **changes.pop("strategy", {}),
    }
    criteria = [{"name": "errors", "errorRate": {"max": "1%"}, "onInconclusive": "proceed"}]
    spec = canary_spec(successCriteria=criteria, **changes)
    return spec | {"strategy": {"blueGreen": strategy}}


def by_replicas_spec(**changes: Any) -> dict[str, Any]:
    """Return the spec of a canary without a router."""
    spec = canary_spec(**changes)
    canary = dict(spec["strategy"]["canary"])
    del canary["stableService"], canary["trafficRouting"]
    return spec | {"strategy": {"canary": canary}}


def several_routers_spec(**changes: Any) -> dict[str, Any]:
    """Return the spec of a canary on two routers, with a header route at first."""
    spec = canary_spec(**changes)
    match = [{"headerName": "x-tester", "headerValue": {"exact": "1"}}]
    canary = dict(spec["strategy"]["canary"])
    canary["trafficRouting"] = {
        "nginx": {"stableIngresses": ["app"]},
        "gatewayAPI": {"httpRoutes": ["app"]},
    }
    canary["steps"] = [
        {"setHeaderRoute": {"name": "testers", "match": match}},
        {"pause": {"duration": "5s"}},
        *canary["steps"][:4],
        {"setHeaderRoute": {"name": "testers"}},
        *canary["steps"][4:],
    ]
    return spec | {"strategy": {"canary": canary}}


def dynamic_spec(**changes: Any) -> dict[str, Any]:
    """Return the spec of a canary whose stable revision makes room."""
    spec = canary_spec(replicas=10, **changes)
    canary = spec["strategy"]["canary"] | {"dynamicStableScale": True}
    return spec | {"strategy": {"canary": canary}}


def several_routers(seed: int, **changes: Any) -> SeveralRouters:
    return deployed(SeveralRouters(several_routers_spec(**changes), seed))


def blue_green(seed: int, **changes: Any) -> BlueGreen:
    return deployed(BlueGreen(blue_green_spec(**changes), seed))


def by_replicas(seed: int, **changes: Any) -> ByReplicas:
    return deployed(ByReplicas(by_replicas_spec(**changes), seed))


def dynamic(seed: int, **changes: Any) -> Dynamic:
    return deployed(Dynamic(dynamic_spec(**changes), seed))
