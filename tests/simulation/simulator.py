"""
A cluster in virtual time: what decisions act on in the simulation.

It carries out actions, lets pods become ready and fail, serves traffic by the weights
that the routes say, and checks the invariants of a canary at every write. The seed that
makes a run is all that is needed to see it again.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from rollouts.core import actions as act
from rollouts.core.decide import decide
from rollouts.core.observed import Command, Observed, Pod, ReplicaSet, Service
from rollouts.core.refresh import worth_writing
from rollouts.core.revision import template_hash
from rollouts.core.world import under_way
from rollouts.judge import judge
from rollouts.model.evidence import Counts, Evidence, Measurement
from rollouts.model.route import Route, Split
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import Exposure, RolloutStatus

QUIET_SECONDS = 45.0
START = datetime(2026, 1, 1, tzinfo=UTC)


class DiedError(Exception):
    """The controller was killed between two writes."""


@dataclass
class SimPod:
    name: str
    created_at: datetime
    ready_at: datetime
    crash_looping: bool = False
    restarts: int = 0

    def ready(self, now: datetime) -> bool:
        return not self.crash_looping and now >= self.ready_at


@dataclass
class SimReplicaSet:
    hash: str
    revision: int
    created_at: datetime
    wanted: int = 0
    pods: list[SimPod] = field(default_factory=list)
    served_at: datetime | None = None


@dataclass(frozen=True)
class Behaviour:
    """What a version of the app does: how long it takes to start, how often it fails, whether it crashes."""

    ready_after: float = 2.0
    error_rate: float = 0.0
    crashes: bool = False


class Simulation:
    """One Rollout in one simulated cluster."""

    def __init__(self, spec: Mapping[str, Any], seed: int) -> None:
        self.random = random.Random(seed)
        self.now = START
        self.raw_spec = dict(spec)
        self._said = ""
        self.generation = 1
        self.writes = 0
        self.status = RolloutStatus()
        self.replica_sets: dict[str, SimReplicaSet] = {}
        self.services: dict[str, str] = {"app": ""}
        self.route: int | None = None
        self.behaviour: dict[str, Behaviour] = {}
        self.counts: dict[str, Counts] = {}
        self.counted_from: dict[tuple[datetime | None, str], Counts] = {}
        self.command: Command | None = None
        self.metrics_answer = True
        self.blind = False
        self.die_after: int | None = None
        self.steps_seen: tuple[datetime | None, int] = (None, 0)
        self.log: list[str] = []
        self.pod_number = 0

    @property
    def spec(self) -> RolloutSpec:
        said = repr(self.raw_spec)
        if said != self._said:
            self._said, self._spec = said, RolloutSpec.model_validate(self.raw_spec)
        return self._spec

    def release(self, image: str, behaviour: Behaviour) -> str:
        """Change the template; return its hash."""
        self.raw_spec["template"] = {
            "metadata": {"labels": {"app": "app"}},
            "spec": {"containers": [{"name": "app", "image": image}]},
        }
        self.generation += 1
        hash_ = template_hash(self.raw_spec["template"])
        self.behaviour[hash_] = behaviour
        return hash_

    def say(self, text: str) -> None:
        self.log.append(f"{(self.now - START).total_seconds():7.1f} {text}")

    # --- time

    def tick(self, seconds: float) -> None:
        """Let time go by: pods start, traffic is served."""
        self.now += timedelta(seconds=seconds)
        for replica_set in self.replica_sets.values():
            behaviour = self.behaviour[replica_set.hash]
            for pod in replica_set.pods:
                if behaviour.crashes and pod.ready(self.now) and self._serves(replica_set.hash):
                    pod.crash_looping, pod.restarts = True, 2
        self._serve(seconds)

    def shares(self) -> dict[str, float]:
        """Return each revision's share of the requests, of those that get any."""
        stable, target = self.services.get("app", ""), self.services.get("app-canary", "")
        percent = self.route or 0
        found = dict.fromkeys([stable] if stable else self.replica_sets, 1 - percent / 100)
        if percent:
            found[target] = found.get(target, 0) + percent / 100
        return {hash_: share for hash_, share in found.items() if hash_ in self.replica_sets}

    def _serves(self, hash_: str) -> bool:
        return hash_ in self.shares()

    def _serve(self, seconds: float, rate: float = 50.0) -> None:
        for hash_, share in self.shares().items():
            replica_set = self.replica_sets[hash_]
            replica_set.served_at = self.now
            requests = round(rate * seconds * share)
            error_rate = self.behaviour[hash_].error_rate
            failures = sum(self.random.random() < error_rate for _ in range(requests))
            if not any(pod.ready(self.now) for pod in replica_set.pods):
                failures = requests
            before = self.counts.get(hash_, Counts())
            self.counts[hash_] = Counts(before.requests + requests, before.failures + failures)

    # --- what is seen

    def observed(self) -> Observed:
        template = self.raw_spec["template"]
        return Observed(
            namespace="default",
            name="app",
            uid="1",
            generation=self.generation,
            resource_version=str(self.writes),
            template_hash=template_hash(template),
            images=(template["spec"]["containers"][0]["image"],),
            replica_sets={hash_: self._seen(found) for hash_, found in self.replica_sets.items()},
            services={name: self._service(name, hash_) for name, hash_ in self.services.items()},
            route=self._route(),
            command=self.command,
            selector="app=app",
            quiet_seconds=2.0,
        )

    def _route(self) -> Route:
        return Route(exists=self.route is not None, weight=self.route or 0, highest=self.route or 0)

    def _seen(self, found: SimReplicaSet) -> ReplicaSet:
        ready = sum(pod.ready(self.now) for pod in found.pods)
        return ReplicaSet(
            name=f"app-{found.hash}",
            uid=found.hash,
            hash=found.hash,
            revision=found.revision,
            images=(found.hash,),
            wanted=found.wanted,
            existing=len(found.pods),
            ready=ready,
            available=ready,
            created_at=found.created_at,
            pods=tuple(
                Pod(
                    pod.name,
                    pod.ready(self.now),
                    pod.created_at,
                    pod.restarts,
                    "CrashLoopBackOff" if pod.crash_looping else "",
                )
                for pod in found.pods
            ),
        )

    def _service(self, name: str, hash_: str) -> Service:
        endpoints = {
            found.hash: ready
            for found in self.replica_sets.values()
            if hash_ in ("", found.hash)
            and (ready := sum(pod.ready(self.now) for pod in found.pods))
        }
        return Service(name=name, uid=name, selected_hash=hash_, ready_endpoints=endpoints)

    def evidence(self) -> Evidence:
        status = self.status
        if status.exposed_at is None or status.current_revision is None:
            return Evidence()
        counts = self._counted(status.current_revision.hash)
        if self.blind:
            counts = Counts()
        value = counts.failures / counts.requests if counts.requests else None
        measurement = Measurement(
            at=self.now,
            canary=counts,
            value=value,
            error="" if self.metrics_answer else "Prometheus does not answer",
        )
        remembered = {criterion.name: criterion for criterion in status.criteria}
        judged = tuple(
            judge(criterion, measurement, remembered.get(criterion.name))
            for criterion in self.spec.success_criteria
        )
        return Evidence(
            at=self.now,
            criteria=judged,
            exposure=Exposure(canary_requests=counts.requests, canary_failures=counts.failures),
            served_percent=100 * self.shares().get(status.current_revision.hash, 0.0),
        )

    def _counted(self, hash_: str) -> Counts:
        """Return what was counted of a revision since its present attempt began."""
        total = self.counts.get(hash_, Counts())
        attempt = (self.status.started_at, hash_)
        if attempt not in self.counted_from:
            self.counted_from = {attempt: total}
        before = self.counted_from[attempt]
        return Counts(total.requests - before.requests, total.failures - before.failures)

    # --- what is done

    def reconcile(self) -> act.Decision:
        """Observe, decide, apply, write status: as the controller does."""
        decision = decide(self.spec, self.status, self.observed(), self.evidence(), self.now)
        for action in decision.actions:
            self._write()
            self.say(f"{action}")
            self._carry_out(action)
        if worth_writing(self.status, decision.status, self.now):
            self._write()
            self._check_memory(decision.status)
            self.status = decision.status.having(refreshed_at=self.now)
            self.say(f"status: {self.status.phase} {self.status.step} {self.status.message}")
        return decision

    def _write(self) -> None:
        if self.die_after is not None:
            self.die_after -= 1
            if self.die_after < 0:
                self.die_after = None
                self.say("the controller dies")
                raise DiedError
        self.writes += 1

    def _carry_out(self, action: act.Action) -> None:
        match action:
            case act.CreateReplicaSet(hash_, revision, count):
                assert hash_ not in self.replica_sets
                self.replica_sets[hash_] = SimReplicaSet(hash_, revision, self.now)
                self._resize(self.replica_sets[hash_], count)
            case act.ScaleReplicaSet(name, count):
                self._resize(self.replica_sets[name.removeprefix("app-")], count)
            case act.NumberReplicaSet(name, revision):
                self.replica_sets[name.removeprefix("app-")].revision = revision
            case act.DeleteReplicaSet(name, _):
                assert not self.replica_sets.pop(name.removeprefix("app-")).pods
            case act.CreateService(name, hash_) | act.SelectRevision(name, hash_):
                self._check_selects(name, hash_)
                self.services[name] = hash_
            case act.SetWeight(split):
                self._set(split)
            case act.RemoveRoute():
                self._check_removal()
                self.route = None
            case act.NameCommand(id_, verb):
                self.command = Command(id=id_, verb=verb)
            case act.Adopt(_):
                raise AssertionError("nothing to adopt here")

    def _set(self, split: Split) -> None:
        self._check_raise(split.percent)
        self.route = split.percent

    def _resize(self, replica_set: SimReplicaSet, count: int) -> None:
        if count < len(replica_set.pods):
            # Those that are not ready go first, as the ReplicaSet controller has it.
            replica_set.pods.sort(key=lambda pod: not pod.ready(self.now))
            self._check_may_go(replica_set, count)
        replica_set.wanted = count
        self.fill(replica_set)
        del replica_set.pods[count:]

    def fill(self, replica_set: SimReplicaSet) -> None:
        """Make the pods that are missing, as the ReplicaSet controller does."""
        delay = self.behaviour[replica_set.hash].ready_after
        while len(replica_set.pods) < replica_set.wanted:
            self.pod_number += 1
            ready_at = self.now + timedelta(seconds=delay * self.random.uniform(0.5, 1.5))
            replica_set.pods.append(SimPod(f"pod-{self.pod_number}", self.now, ready_at))

    # --- what must never happen

    def _check_selects(self, _name: str, hash_: str) -> None:
        found = self.replica_sets.get(hash_)
        assert found is not None, f"a Service would select {hash_}, which does not exist"
        ready = any(pod.ready(self.now) for pod in found.pods)
        assert ready or not self.raw_spec["replicas"], (
            f"a Service would select {hash_}: no pod is ready"
        )

    def _check_raise(self, percent: int) -> None:
        if percent <= (self.route or 0):
            return
        target = self.services.get("app-canary")
        assert target, "weight without a canary Service"
        assert any(pod.ready(self.now) for pod in self.replica_sets[target].pods), (
            "weight without ready endpoints"
        )
        assert self.status.abort is None, "the weight rises after a rollback"
        assert self.services["app"], "weight while the stable Service selects every revision"
        assert self.status.current_revision is not None
        assert self.status.current_revision.hash == target, (
            "weight on a revision that is not the current one"
        )
        leaning = [each.message for each in self.evidence().criteria if each.leans]
        rises = percent > self.status.weights.applied  # else it is only put back
        assert not (rises and leaning) or self.status.promoted, f"it rises over {leaning}"

    def _check_removal(self) -> None:
        stable = self.services["app"]
        assert stable in self.replica_sets
        ready = any(pod.ready(self.now) for pod in self.replica_sets[stable].pods)
        assert ready or not self.raw_spec["replicas"]
        assert not self.route or self.services.get("app-canary") == stable, (
            "live canary traffic is cut off"
        )

    def _check_may_go(self, replica_set: SimReplicaSet, count: int) -> None:
        served = replica_set.served_at
        stable = self.status.stable_revision
        if stable is not None and stable.hash == replica_set.hash:
            assert count >= self.status.stable_floor, "stable is smaller than at the start"
            return
        if served is None:
            return
        quiet = (self.now - served).total_seconds()
        assert quiet >= 5.0, f"pods of {replica_set.hash} go {quiet} s after they served"

    def _check_memory(self, new: RolloutStatus) -> None:
        attempt, index = self.steps_seen
        current = new.current_step_index
        if current is not None and under_way(new):
            if new.started_at == attempt:
                assert current >= index, (
                    f"step {index} is followed by step {current} in one attempt"
                )
            self.steps_seen = (new.started_at, current)

    # --- how it ends

    def settle(self, seconds: float = 900.0) -> RolloutStatus:
        """Let it run without faults until nothing is left to do; return the status."""
        end, quiet_since = self.now + timedelta(seconds=seconds), self.now
        while self.now < end and (self.now - quiet_since).total_seconds() < QUIET_SECONDS:
            before = self.writes
            decision = self.reconcile()
            done = self.writes == before and decision.requeue_after_seconds is None
            pause = decision.status.pause
            # More evidence is on its way, and may come without a write for long.
            open_question = pause is not None and pause.reason == "Inconclusive"
            self.tick(5.0 if done else 0.5)
            if not done or open_question:
                quiet_since = self.now
        return self.status

    def run_until(self, condition: Any, seconds: float = 600.0) -> None:
        """Let it run until `condition(self)`."""
        end = self.now + timedelta(seconds=seconds)
        while not condition(self):
            assert self.now < end, "it never happened:\n" + "\n".join(self.log)
            self.reconcile()
            self.tick(0.5)
