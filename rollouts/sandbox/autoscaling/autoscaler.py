"""
The HorizontalPodAutoscaler controller: it sets a target's size to what its metrics ask for.

It works like the real one: of several metrics the one that asks for most counts; with one
that says nothing a target does not shrink; one of size 0 is left alone. Of two that find the
same pod neither does anything.
"""

from dataclasses import dataclass, field
from datetime import timedelta

from rollouts.model.kinds import AUTOSCALER, JSON, FrozenJSON
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.objects import timestamp
from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.autoscaling.behaviour import AllowedScale, ScaleHistory, allowed_scale, words
from rollouts.sandbox.autoscaling.replica_calculator import (
    MetricUnavailable,
    ReplicaCalculator,
    ReplicaProposal,
)
from rollouts.sandbox.autoscaling.rounds import look_at_each
from rollouts.sandbox.autoscaling.targets import NoTarget, Target, target_of
from rollouts.sandbox.workloads.objects import merged_conditions
from rollouts.sandbox.workloads.recorder import Recorder, StoredEvents

_REMEMBERED = timedelta(hours=1)
Key = tuple[str, str]


@dataclass
class Verdict:
    """What one look at an autoscaler comes to, piece by piece."""

    conditions: dict[str, JSON] = field(default_factory=dict)
    metrics: list[JSON] | None = None
    current: int | None = None
    desired: int = 0
    rescaled: bool = False

    def yes(self, kind: str, reason: str, message: str = "") -> None:
        """A condition holds; a known reason has its own words."""
        self._say(kind, "True", reason, message or words(reason))

    def no(self, kind: str, reason: str, message: str = "") -> None:
        """A condition does not hold."""
        self._say(kind, "False", reason, message or words(reason))

    def _say(self, kind: str, status: str, reason: str, message: str) -> None:
        said = {"type": kind, "status": status, "reason": reason, "message": message}
        self.conditions[kind] = said


@dataclass(frozen=True, slots=True)
class DesiredScale:
    """A size, and why in the words of the event."""

    replicas: int
    reason: str


class Autoscalers:
    """Every HorizontalPodAutoscaler of a store, looked at whenever `sync` is called."""

    name = "horizontal-pod-autoscaler"

    def __init__(self, store: Store, calculator: ReplicaCalculator) -> None:
        self._store = store
        self._calculator = calculator
        self._events = Recorder(StoredEvents(store), self.name)
        self._histories: dict[str, ScaleHistory] = {}

    async def sync(self) -> None:
        """Look at each one once; one that fails disturbs no other."""
        found = self._store.select(AUTOSCALER)
        uids = {each["metadata"]["uid"] for each in found}
        for uid in self._histories.keys() - uids:
            del self._histories[uid]
        self._calculator.forget_gone()
        await look_at_each(found, self._look, controller=self.name)

    async def _look(self, scaler: FrozenJSON) -> None:
        verdict = Verdict()
        try:
            target = target_of(
                self._store, scaler["metadata"]["namespace"], scaler["spec"]["scaleTargetRef"]
            )
        except NoTarget as error:
            why = f"the HPA controller was unable to get the target's current scale: {error}"
            verdict.no("AbleToScale", "FailedGetScale", why)
            self._events.warning(scaler, "FailedGetScale", str(error))
            self._write(scaler, verdict)
            return
        able = "the HPA controller was able to get the target's current scale"
        verdict.yes("AbleToScale", "SucceededGetScale", able)
        verdict.current = verdict.desired = target.wanted
        desired = await self._desired_scale(scaler, target, verdict)
        if desired is not None and desired.replicas != target.wanted:
            self._resize(scaler, target, desired, verdict)
        self._write(scaler, verdict)

    async def _desired_scale(
        self, scaler: FrozenJSON, target: Target, verdict: Verdict
    ) -> DesiredScale | None:
        """Return the size that the target should have; None leaves it as it is."""
        spec = scaler["spec"]
        highest, lowest = spec["maxReplicas"], spec.get("minReplicas", 1)
        if target.wanted == 0 and lowest != 0:
            why = "scaling is disabled since the replica count of the target is zero"
            verdict.no("ScalingActive", "ScalingDisabled", why)
            return None
        if target.wanted > highest:
            return DesiredScale(highest, "Current number of replicas above Spec.MaxReplicas")
        if target.wanted < lowest:
            return DesiredScale(lowest, "Current number of replicas below Spec.MinReplicas")
        if not target.selector:
            why = "the HPA target's scale is missing a selector"
            verdict.no("ScalingActive", "InvalidSelector", why)
            self._events.warning(scaler, "SelectorRequired", "selector is required")
            return None
        if self._is_ambiguous(scaler, target, verdict):
            return None
        most = await self._most(scaler, target, verdict)
        if most is None:
            return None
        allowed = self._allowed_scale(scaler, target, most.replicas)
        verdict.yes("AbleToScale", allowed.able)
        limited = verdict.yes if allowed.limited else verdict.no
        limited("ScalingLimited", allowed.limit)
        up = allowed.replicas > target.wanted
        return DesiredScale(
            allowed.replicas, f"{most.name} above target" if up else "All metrics below target"
        )

    def _is_ambiguous(self, scaler: FrozenJSON, target: Target, verdict: Verdict) -> bool:
        """Return whether another autoscaler's target finds a pod that this one's finds, and put it on record."""
        pods = {pod["metadata"]["uid"] for pod in target.pods(self._store)}
        names = [scaler["metadata"]["name"]]
        for other in self._store.select(AUTOSCALER, target.namespace):
            if other["metadata"]["uid"] != scaler["metadata"]["uid"]:
                found = self._pods_of(other)
                names += [other["metadata"]["name"]] if pods & found else []
        if len(names) == 1:
            return False
        listed = " ".join(f"{target.namespace}/{name}" for name in sorted(names))
        why = f"pods by selector {target.selector} are controlled by multiple HPAs: [{listed}]"
        verdict.no("ScalingActive", "AmbiguousSelector", why)
        self._events.warning(scaler, "AmbiguousSelector", why)
        return True

    def _pods_of(self, scaler: FrozenJSON) -> set[str]:
        """Return the uids of the pods that an autoscaler's target finds; none without a selector."""
        namespace, reference = scaler["metadata"]["namespace"], scaler["spec"]["scaleTargetRef"]
        try:
            target = target_of(self._store, namespace, reference)
        except NoTarget:
            return set()
        pods = target.pods(self._store) if target.selector else []
        return {pod["metadata"]["uid"] for pod in pods}

    async def _most(
        self, scaler: FrozenJSON, target: Target, verdict: Verdict
    ) -> ReplicaProposal | None:
        """Return what the metric says that asks for most; None when nothing may be concluded."""
        measured: list[ReplicaProposal] = []
        statuses: list[JSON] = []
        failure: MetricUnavailable | None = None
        for metric in scaler["spec"].get("metrics") or ():
            try:
                measured.append(await self._calculator.measure(metric, target))
                statuses.append(measured[-1].status)
            except MetricUnavailable as error:
                failure = failure or error
                statuses.append({"type": ""})  # keeps the place, as a real one does
        most = max(measured, key=lambda each: each.replicas, default=None)
        if failure is not None and (most is None or most.replicas < target.wanted):
            why = f"the HPA was unable to compute the replica count: {failure}"
            verdict.no("ScalingActive", failure.reason, why)
            self._events.warning(scaler, failure.reason, str(failure))
            return None
        verdict.metrics = statuses
        if most is not None:
            why = f"the HPA was able to successfully calculate a replica count from {most.name}"
            verdict.yes("ScalingActive", "ValidMetricFound", why)
        return most

    def _allowed_scale(self, scaler: FrozenJSON, target: Target, recommended: int) -> AllowedScale:
        now, uid = self._store.now(), scaler["metadata"]["uid"]
        history = self._histories.setdefault(uid, ScaleHistory([(now, target.wanted)]))
        history.forget(now - _REMEMBERED)
        return allowed_scale(scaler["spec"], history, target.wanted, recommended, now)

    def _resize(
        self, scaler: FrozenJSON, target: Target, desired: DesiredScale, verdict: Verdict
    ) -> None:
        news = f"New size: {desired.replicas}; reason: {desired.reason}"
        try:
            target.resize(self._store, desired.replicas)
        except ApiError as error:
            why = f"the HPA controller was unable to update the target scale: {error.message}"
            verdict.no("AbleToScale", "FailedUpdateScale", why)
            self._events.warning(scaler, "FailedRescale", f"{news}; error: {error.message}")
            return
        why = f"the HPA controller was able to update the target scale to {desired.replicas}"
        verdict.yes("AbleToScale", "SucceededRescale", why)
        self._events.normal(scaler, "SuccessfulRescale", news)
        verdict.desired, verdict.rescaled = desired.replicas, True
        history = self._histories.setdefault(scaler["metadata"]["uid"], ScaleHistory())
        history.resized(target.wanted, desired.replicas, self._store.now())

    def _write(self, scaler: FrozenJSON, verdict: Verdict) -> None:
        """Write the status when something of it is new."""
        meta = scaler["metadata"]
        found = self._store.get(AUTOSCALER, meta["namespace"], meta["name"])
        if found is None or found["metadata"]["uid"] != meta["uid"]:
            return
        now, before = timestamp(self._store.now()), found.get("status") or {}
        said = merged_conditions(before.get("conditions") or (), verdict.conditions.values(), now)
        status: JSON = {**before, "conditions": said, "desiredReplicas": verdict.desired}
        if verdict.current is not None:
            status["currentReplicas"] = verdict.current
        if verdict.metrics is not None:
            status["currentMetrics"] = verdict.metrics
        if verdict.rescaled:
            status["lastScaleTime"] = now
        del found["metadata"]["resourceVersion"]
        self._store.replace(AUTOSCALER, {**found, "status": status}, "status")
