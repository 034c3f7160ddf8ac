"""
Every field of a Rollout's spec, with edits of it, and every phase in which it may be edited.

The fields are those of the CRD's schema. What each edit has to keep to is in
`test_edits.py`; what it does, in words, is in `docs/editing.md`.
"""

import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from rollouts.model.crd import crd
from rollouts.model.kinds import JSON, SERVICE
from rollouts.model.routers.nginx import INGRESS
from tests.fakes.adopting_loop import AdoptingControlLoop
from tests.fakes.cluster import FakeCluster
from tests.fakes.control_loop import KEY, ControlLoop
from tests.fakes.deployments import Deployments
from tests.fakes.kubernetes import ingress, service, template

HOUR: JSON = {"duration": "1h"}
STEPS: list[JSON] = [
    {"setWeight": 25},
    {"pause": {}},
    {"setWeight": 50},
    {"pause": HOUR},
    {"setWeight": 75},
]
DELAYS: JSON = {"scaleDownDelaySeconds": 5, "abortScaleDownDelaySeconds": 5}
NGINX: JSON = {"nginx": {"stableIngresses": ["checkout"]}}
CANARY: JSON = {
    "canary": {"stableService": "checkout", "trafficRouting": NGINX, "steps": STEPS, **DELAYS}
}
BY_PODS: JSON = {"canary": {"steps": STEPS, "maxSurge": 4, **DELAYS}}
BLUE_GREEN: JSON = {
    "blueGreen": {
        "activeService": "checkout",
        "previewReplicaCount": 2,
        "autoPromotionEnabled": False,
        "prePromotionAnalysis": {"duration": "1s"},
        "postPromotionAnalysis": HOUR,
        **DELAYS,
    }
}
_AS_ONE = (
    "selector",
    "template",
    "workloadRef",
    "rollbackWindow",
    "appMetrics",
    "strategy.canary.replicaProgressThreshold",
)
"""Fields with fields of their own that are edited as one."""
_LABELS: JSON = {"tier": "web"}
_ROLE: dict[str, list[Any]] = {
    "canaryMetadata.labels": [_LABELS],
    "canaryMetadata.annotations": [_LABELS],
    "stableMetadata.labels": [_LABELS],
    "stableMetadata.annotations": [_LABELS],
    "antiAffinity.requiredDuringSchedulingIgnoredDuringExecution": [{}],
    "antiAffinity.preferredDuringSchedulingIgnoredDuringExecution.weight": [7],
    "scaleDownDelaySeconds": [0],
    "abortScaleDownDelaySeconds": [0],
    "unreadySeconds": [0],
}
_CANARY: dict[str, list[Any]] = {
    "stableService": ["other", None, "gone"],
    "canaryService": ["other"],
    "trafficRouting.nginx.stableIngresses": [["checkout", "second"], ["second"], ["gone"], []],
    "trafficRouting.nginx.annotationPrefix": ["other.io"],
    "trafficRouting.nginx.canaryIngressAnnotations": [{"proxy-body-size": "8m"}],
    "trafficRouting.smi.rootService": ["other"],
    "trafficRouting.smi.trafficSplitName": ["another"],
    "trafficRouting.gatewayAPI.httpRoutes": [["checkout"]],
    "trafficRouting.gatewayAPI.grpcRoutes": [["checkout"]],
    "steps": [
        None,
        [{"setWeight": 75}],
        STEPS[:1],
        STEPS[2:],
        [{"setWeight": 90}, *STEPS],
        [{"setWeight": 90}, {"pause": {}}, {"setWeight": 90}, {"pause": HOUR}],
        [*STEPS[:1], *STEPS[2:3], {"setWeight": 99}],
    ],
    "maxSurge": [1, "100%"],
    "maxUnavailable": [0, "100%"],
    "dynamicStableScale": [True],
    "routeRemovalDelaySeconds": [60],
    "replicaProgressThreshold": [{"type": "Percent", "value": 50}, {"type": "Pod", "value": 9}],
    **_ROLE,
}
_BLUE_GREEN: dict[str, list[Any]] = {
    "activeService": ["other", "gone"],
    "previewService": ["other", "made-for-it"],
    "previewReplicaCount": [None, 1, 4],
    "autoPromotionEnabled": [True],
    "autoPromotionSeconds": [3600],
    "prePromotionAnalysis.duration": ["0s", "1h"],
    "postPromotionAnalysis.duration": ["2h"],
    **_ROLE,
}
EDITS: dict[str, list[Any]] = {
    "replicas": [6, 2, 0],
    "selector": [{"matchLabels": {"app": "another"}}],
    "template": [template("shop:3"), template("shop:1"), template("broken:3")],
    "workloadRef": [{"name": "another"}, {"scaleDown": "never"}],
    "minReadySeconds": [5],
    "revisionHistoryLimit": [0],
    "progressDeadlineSeconds": [1],
    "progressDeadlineAbort": [False],
    "inconclusiveWaitSeconds": [1],
    "paused": [True],
    "rollbackWindow": [{"revisions": 5}],
    "revertOnDeletion": [True],
    "strategy": [
        {"canary": None, **BLUE_GREEN},
        {"blueGreen": None, **CANARY},
        {
            "blueGreen": None,
            "canary": {"stableService": None, "trafficRouting": None, **BY_PODS["canary"]},
        },
        {"canary": None, "blueGreen": None},
    ],
    "successCriteria": [None, [{"name": "errors", "errorRate": {"max": "50%"}}]],
    "appMetrics": [{"requests": "answers_total"}],
    **{f"strategy.canary.{field}": values for field, values in _CANARY.items()},
    **{f"strategy.blueGreen.{field}": values for field, values in _BLUE_GREEN.items()},
}
"""What each field is changed to; None takes it out."""


def fields() -> Iterator[str]:
    """Yield every field of the schema, and the strategy as a whole."""
    (version,) = crd()["spec"]["versions"]
    yield "strategy"
    yield from _leaves(version["schema"]["openAPIV3Schema"]["properties"]["spec"])


def _leaves(schema: JSON, path: str = "") -> Iterator[str]:
    for name, part in schema["properties"].items():
        if part.get("properties") and path + name not in _AS_ONE:
            yield from _leaves(part, f"{path}{name}.")
        else:
            yield path + name


def patch_of(field: str, value: Any) -> JSON:
    """Return the merge patch that gives a field this value."""
    for name in reversed(["spec", *field.split(".")]):
        value = {name: value}
    patch: JSON = value
    return patch


def put_beside(cluster: FakeCluster) -> None:
    """Put another Ingress, and another Service with an Ingress of its own, beside the Rollout's."""
    other = service()
    other["metadata"]["name"] = "other"
    cluster.put(SERVICE, other)
    for name, backend in (("second", "checkout"), ("other", "other")):
        text = json.dumps(ingress()).replace("shop.test", f"{name}.test")
        body = json.loads(
            text.replace('{"name": "checkout", "port"', f'{{"name": "{backend}", "port"')
        )
        body["metadata"]["name"] = name
        cluster.put(INGRESS, body)


async def first_deploy(loop: ControlLoop, strategy: JSON) -> None:
    loop.apply(strategy=strategy)
    await loop.reconciler.reconcile(KEY)


async def settled(loop: ControlLoop, strategy: JSON) -> None:
    loop.apply(strategy=strategy)
    await loop.run(5)


async def paused(loop: ControlLoop, strategy: JSON) -> None:
    await settled(loop, strategy)
    loop.release("shop:2")
    await loop.until(lambda: (loop.status.get("pause") or {}).get("reason") == "PauseStep")


async def stepping(loop: ControlLoop, strategy: JSON) -> None:
    """Wait for the clock alone; of blue-green's steps that is the bake, after the switch."""
    await paused(loop, strategy)
    loop.command('{"id": "1", "verb": "promote"}')
    await loop.run(5)
    assert "1h" in loop.status["message"]


async def aborted(loop: ControlLoop, strategy: JSON) -> None:
    await paused(loop, strategy)
    loop.command('{"id": "1", "verb": "abort"}')
    await loop.reconciler.reconcile(KEY)


async def promoting(loop: ControlLoop, strategy: JSON) -> None:
    await paused(loop, strategy)
    loop.command('{"id": "1", "verb": "promote-full"}')
    await loop.reconciler.reconcile(KEY)


async def promoted(loop: ControlLoop, strategy: JSON) -> None:
    """Be promoted, with the old revision still there, and blue-green's still warm."""
    await promoting(loop, strategy)
    await loop.until(lambda: "Promoted" in loop.reasons())


async def giving_back(loop: ControlLoop, strategy: JSON) -> None:
    assert isinstance(loop, AdoptingControlLoop)
    await paused(loop, strategy)
    loop.detach()
    await loop.reconciler.reconcile(KEY)


PHASES: dict[str, Callable[[ControlLoop, JSON], Awaitable[None]]] = {
    "first deploy": first_deploy,
    "settled": settled,
    "paused": paused,
    "stepping": stepping,
    "aborted": aborted,
    "promoting": promoting,
    "promoted": promoted,
    "adopting": first_deploy,
    "giving back": giving_back,
}
_OF_A_DEPLOYMENT = ("adopting", "giving back")
_KNOWN: dict[str, ControlLoop] = {}


async def loop_in(phase: str, field: str) -> tuple[str, ControlLoop]:
    """Return a loop of its own in a phase, with a strategy that has the field; and what tells it from others."""
    adopted = phase in _OF_A_DEPLOYMENT or field in ("workloadRef", "revertOnDeletion")
    ways = {"strategy.blueGreen": BLUE_GREEN}
    ways |= {f"strategy.canary.{each}": BY_PODS for each in ("maxSurge", "maxUnavailable")}
    strategy = next((way for name, way in ways.items() if field.startswith(name)), CANARY)
    key = f"{phase} {json.dumps(strategy)} {adopted}"
    if key not in _KNOWN:
        loop = AdoptingControlLoop() if adopted else ControlLoop()
        loop.kubernetes = Deployments(loop.cluster)
        put_beside(loop.cluster)
        await PHASES[phase](loop, strategy)
        _KNOWN[key] = loop
    return key, _KNOWN[key].twin()
