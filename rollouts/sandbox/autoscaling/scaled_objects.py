"""
KEDA's part: a ScaledObject becomes a HorizontalPodAutoscaler, and its target goes to 0 and back.

Understood are triggers of the types `prometheus` (its `serverAddress` is not asked: the
sandbox has one Prometheus) and `cpu`. A target that has nothing to do for `cooldownPeriod` is
scaled to 0 when `minReplicaCount` is 0. Left out: fallback, authentication, other triggers,
`idleReplicaCount`, `pollingInterval` (triggers are looked at with every sync). Source: KEDA's
pages on ScaledObject and its Prometheus scaler.
"""

import math
from dataclasses import dataclass
from datetime import timedelta

from rollouts.model.kinds import AUTOSCALER, JSON, FrozenJSON
from rollouts.model.moments import read_time
from rollouts.model.owners import controller_reference, is_controlled_by
from rollouts.sandbox.apiserver.objects import get_path, timestamp
from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.autoscaling.external import SCALED_OBJECT_LABEL, MetricValues, trigger_name
from rollouts.sandbox.autoscaling.recommendation import NoMetrics
from rollouts.sandbox.autoscaling.rounds import look_at_each
from rollouts.sandbox.autoscaling.targets import NoTarget, Target, target_of
from rollouts.sandbox.crds import SCALED_OBJECT
from rollouts.sandbox.workloads.objects import (
    is_terminating,
)
from rollouts.sandbox.workloads.recorder import Recorder, StoredEvents

PAUSED = "autoscaling.keda.sh/paused"
_COOLDOWN_SECONDS = 300
_NEAR = timedelta(seconds=5)
_MOST_REPLICAS = 100


class Misdefined(Exception):
    """A ScaledObject that can't be followed, in the words of its condition."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """One look at a ScaledObject's triggers: are any active, and is the target's size ours."""

    target: Target
    active: bool


class ScaledObjects:
    """Every ScaledObject of a store, looked at whenever `sync` is called."""

    name = "keda-operator"

    def __init__(self, store: Store, metric_values: MetricValues) -> None:
        self._store = store
        self._metric_values = metric_values
        self._events = Recorder(StoredEvents(store), self.name)

    async def sync(self) -> None:
        """Look at each one once; there are none while their definition is not there."""
        if self._store.registry.served(SCALED_OBJECT) is None:
            return
        found = (each for each in self._store.select(SCALED_OBJECT) if not is_terminating(each))
        await look_at_each(found, self._look, controller=self.name)

    async def _look(self, scaled: FrozenJSON) -> None:
        try:
            target = target_of(self._store, scaled["metadata"]["namespace"], reference(scaled))
            metrics = metrics_of(scaled)
            paused = is_paused(scaled)
            self._ensure(scaled, metrics, paused=paused)
        except (NoTarget, Misdefined) as error:
            self._events.warning(scaled, "ScaledObjectCheckFailed", str(error))
            self._write(scaled, {"conditions": [_not_ready(str(error)), *_idle()]})
            return
        finding = Scaling(target, await self._is_active(scaled))
        active = self._last_active(scaled) if finding.active else {}
        if not paused:
            self._from_and_to_nothing(scaled, finding)
        kind = target.resource.kind
        before = scaled.get("status") or {}
        self._write(
            scaled,
            {
                "hpaName": autoscaler_name(scaled),
                "scaleTargetKind": f"{kind.api_version}.{kind.name}",
                "scaleTargetGVKR": {
                    "group": kind.group,
                    "version": kind.version,
                    "kind": kind.name,
                    "resource": kind.plural,
                },
                "originalReplicaCount": before.get("originalReplicaCount", target.wanted),
                "externalMetricNames": [
                    each["external"]["metric"]["name"] for each in metrics if "external" in each
                ],
                "triggersTypes": ",".join(
                    dict.fromkeys(each["type"] for each in scaled["spec"]["triggers"])
                ),
                "conditions": _conditions(active=finding.active, paused=paused),
                **active,
            },
        )

    def _ensure(self, scaled: FrozenJSON, metrics: list[JSON], *, paused: bool) -> None:
        """Keep the autoscaler as the ScaledObject says; without one while it is paused."""
        namespace, name = scaled["metadata"]["namespace"], autoscaler_name(scaled)
        found = self._store.get(AUTOSCALER, namespace, name)
        if found is not None and not is_controlled_by(found, scaled):
            raise Misdefined(
                f"the HorizontalPodAutoscaler {name} is not owned by this ScaledObject"
            )
        if paused:
            if found is not None:
                self._store.delete(AUTOSCALER, namespace, name)
            return
        body = autoscaler(scaled, metrics)
        if found is None:
            self._store.create(AUTOSCALER, body)
            self._events.normal(scaled, "KEDAScalersStarted", "Started scalers watch")
        else:
            spec = {"behavior": None, **body["spec"]}
            self._store.patch(AUTOSCALER, namespace, name, {"spec": spec})

    async def _is_active(self, scaled: FrozenJSON) -> bool:
        """Return whether any trigger is above its activation threshold."""
        for trigger in scaled["spec"]["triggers"]:
            if trigger["type"] == "cpu":
                return True  # a target that has pods is always active by this one
            meta = trigger["metadata"]
            try:
                values = await self._metric_values.ask(meta["query"])
            except NoMetrics as error:
                self._events.warning(scaled, "KEDAScalerFailed", str(error))
                continue
            total = sum(value for value in values if not math.isnan(value))
            if total > float(meta.get("activationThreshold", 0)):
                return True
        return False

    def _from_and_to_nothing(self, scaled: FrozenJSON, finding: Scaling) -> None:
        target, spec = finding.target, scaled["spec"]
        least = spec.get("minReplicaCount", 0)
        if finding.active and target.wanted == 0:
            target.resize(self._store, max(least, 1))
            self._events.normal(scaled, "KEDAScaleTargetActivated", f"Scaled {target.name} from 0")
        elif not finding.active and target.wanted and least == 0 and self._is_over(scaled):
            target.resize(self._store, 0)
            self._events.normal(scaled, "KEDAScaleTargetDeactivated", f"Scaled {target.name} to 0")

    def _is_over(self, scaled: FrozenJSON) -> bool:
        """Return whether it has been inactive for its cooldown period."""
        since = get_path(scaled, "status.lastActiveTime") or scaled["metadata"]["creationTimestamp"]
        return self._store.now() - read_time(since) >= _cooldown(scaled)

    def _last_active(self, scaled: FrozenJSON) -> JSON:
        """Return what the status says of this moment; a while ago is near enough to be kept."""
        now, since = self._store.now(), get_path(scaled, "status.lastActiveTime")
        near = min(_NEAR, _cooldown(scaled) / 2)
        return {
            "lastActiveTime": since if since and now - read_time(since) < near else timestamp(now)
        }

    def _write(self, scaled: FrozenJSON, status: JSON) -> None:
        meta = scaled["metadata"]
        found = self._store.get(SCALED_OBJECT, meta["namespace"], meta["name"])
        if found is None or found["metadata"]["uid"] != meta["uid"]:
            return
        del found["metadata"]["resourceVersion"]
        body = {**found, "status": {**(found.get("status") or {}), **status}}
        self._store.replace(SCALED_OBJECT, body, "status")


def _cooldown(scaled: FrozenJSON) -> timedelta:
    return timedelta(seconds=scaled["spec"].get("cooldownPeriod", _COOLDOWN_SECONDS))


def autoscaler_name(scaled: FrozenJSON) -> str:
    """Return the name of a ScaledObject's autoscaler, its own choice or KEDA's."""
    own = get_path(scaled, "spec.advanced.horizontalPodAutoscalerConfig.name")
    return str(own or f"keda-hpa-{scaled['metadata']['name']}")


def reference(scaled: FrozenJSON) -> JSON:
    """Return what is to be scaled; a Deployment, when it does not say of which kind."""
    given = scaled["spec"]["scaleTargetRef"]
    return {
        "apiVersion": given.get("apiVersion") or "apps/v1",
        "kind": given.get("kind") or "Deployment",
        "name": given["name"],
    }


def is_paused(scaled: FrozenJSON) -> bool:
    return (scaled["metadata"].get("annotations") or {}).get(PAUSED) == "true"


def autoscaler(scaled: FrozenJSON, metrics: list[JSON]) -> JSON:
    """Return the HorizontalPodAutoscaler that a ScaledObject stands for."""
    spec, meta = scaled["spec"], scaled["metadata"]
    name = autoscaler_name(scaled)
    labels = {
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/part-of": meta["name"],
        "app.kubernetes.io/managed-by": "keda-operator",
        SCALED_OBJECT_LABEL: meta["name"],
    }
    wanted: JSON = {
        "scaleTargetRef": reference(scaled),
        "minReplicas": spec.get("minReplicaCount") or 1,
        "maxReplicas": spec.get("maxReplicaCount") or _MOST_REPLICAS,
        "metrics": metrics,
    }
    behaviour = get_path(spec, "advanced.horizontalPodAutoscalerConfig.behavior")
    if behaviour:
        wanted["behavior"] = behaviour
    owned = {
        "name": name,
        "namespace": meta["namespace"],
        "labels": {**labels, **(meta.get("labels") or {})},
        "ownerReferences": [controller_reference(scaled, SCALED_OBJECT)],
    }
    return {"metadata": owned, "spec": wanted}


def metrics_of(scaled: FrozenJSON) -> list[JSON]:
    """
    Return the metrics of the autoscaler, one per trigger.

    Raises:
        Misdefined: a trigger is of a type that is not understood, or lacks what it needs.
    """
    triggers = scaled["spec"].get("triggers") or []
    if not triggers:
        raise Misdefined("no triggers defined in the ScaledObject")
    return [_metric(scaled, number, trigger) for number, trigger in enumerate(triggers)]


def _metric(scaled: FrozenJSON, number: int, trigger: FrozenJSON) -> JSON:
    meta, kind = trigger.get("metadata") or {}, trigger["type"]
    if kind == "cpu":
        target = {"type": "Utilization", "averageUtilization": int(meta.get("value", 80))}
        return {"type": "Resource", "resource": {"name": "cpu", "target": target}}
    if kind != "prometheus":
        raise Misdefined(
            f'no scaler found for type: {kind} (the sandbox has "prometheus" and "cpu")'
        )
    missing = [name for name in ("serverAddress", "query", "threshold") if not meta.get(name)]
    if missing:
        raise Misdefined(f"error parsing prometheus metadata: no {missing[0]} given")
    selector = {"matchLabels": {SCALED_OBJECT_LABEL: scaled["metadata"]["name"]}}
    metric = {"name": trigger_name(number, trigger), "selector": selector}
    sort = trigger.get("metricType") or "AverageValue"
    field = "value" if sort == "Value" else "averageValue"
    target = {"type": sort, field: str(meta["threshold"])}
    return {"type": "External", "external": {"metric": metric, "target": target}}


def _conditions(*, active: bool, paused: bool) -> list[JSON]:
    words = "because triggers are active" if active else "because triggers are not active"
    return [
        {
            "type": "Ready",
            "status": "True",
            "reason": "ScaledObjectReady",
            "message": "ScaledObject is defined correctly and is ready for scaling",
        },
        {
            "type": "Active",
            "status": str(active),
            "reason": "ScalerActive" if active else "ScalerNotActive",
            "message": f"Scaling is {'' if active else 'not '}performed {words}",
        },
        {
            "type": "Paused",
            "status": str(paused),
            "reason": "ScaledObjectPaused" if paused else "ScaledObjectUnpaused",
            "message": f"ScaledObject is {'' if paused else 'not '}paused",
        },
    ]


def _not_ready(why: str) -> JSON:
    return {
        "type": "Ready",
        "status": "False",
        "reason": "ScaledObjectCheckFailed",
        "message": why,
    }


def _idle() -> list[JSON]:
    return [{"type": "Active", "status": "Unknown", "reason": "UnknownState", "message": ""}]
