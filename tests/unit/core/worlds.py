"""A small world for one decision: two revisions, two Services, a route, and a clock to read from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from rollouts.core.decide import decide
from rollouts.core.plan.actions import Decision
from rollouts.core.world import Command, Observed, Pod, ReplicaSet, Service
from rollouts.model.evidence import Evidence
from rollouts.model.route import Route
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import CriterionStatus, Revision, RolloutStatus, Weights
from rollouts.model.validation import parse_rollout
from tests.fakes import kubernetes

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
OLD, NEW = "oldhash", "newhash"
STEPS = [{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}]
CRITERIA = [{"name": "errors", "errorRate": {"max": "1%"}}]


def spec_of(steps: list[Any] | None = None, **changes: Any) -> RolloutSpec:
    """Return a spec of 4 replicas and three steps."""
    return parse_rollout(kubernetes.rollout(STEPS if steps is None else steps, **changes))


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def replica_set(
    hash_: str, pods: int, available: int | None = None, *, problem: str = "", **facts: Any
) -> ReplicaSet:
    """Return a ReplicaSet with so many pods, all older than the weight; `problem` is of those not ready."""
    available = pods if available is None else available
    named = [
        Pod(
            f"{hash_}-{number}",
            number < available,
            at(-600),
            problem="" if number < available else problem,
        )
        for number in range(pods)
    ]
    usual: dict[str, Any] = {
        "name": f"checkout-{hash_}",
        "uid": f"uid-{hash_}",
        "hash": hash_,
        "revision": 1 if hash_ == OLD else 2,
        "images": (f"shop:{hash_}",),
        "wanted": pods,
        "existing": pods,
        "ready": available,
        "available": available,
        "created_at": at(-600),
        "pods": tuple(named),
    }
    return ReplicaSet(**{**usual, **facts})


def service(name: str, hash_: str, **ready: int) -> Service:
    return Service(name=name, uid=name, selected_hash=hash_, ready_endpoints=ready)


def revision(hash_: str) -> Revision:
    return Revision(number=1 if hash_ == OLD else 2, hash=hash_, images=[f"shop:{hash_}"])


@dataclass(frozen=True)
class Scene:
    """What one decision is made from; `with_` gives another scene with some of it changed."""

    spec: RolloutSpec
    status: RolloutStatus
    observed: Observed
    evidence: Evidence = field(default_factory=Evidence)
    now: datetime = NOW

    def decide(self) -> Decision:
        first = decide(self.spec, self.status, self.observed, self.evidence, self.now)
        again = decide(self.spec, self.status, self.observed, self.evidence, self.now)
        assert first == again, "the same inputs give the same decision"
        return first

    def with_(self, **changes: Any) -> "Scene":
        """Return it with changes: to itself, else to what is observed, else to status."""
        own, seen, kept = {}, {}, {}
        for name, value in changes.items():
            if name in ("spec", "status", "evidence", "now"):
                own[name] = value
            elif name in Observed.__dataclass_fields__:
                seen[name] = value
            else:
                kept[name] = value
        return replace(
            self,
            **{
                "status": self.status.evolve(**kept),
                **own,
                "observed": replace(self.observed, **seen),
            },
        )

    def without(self, *hashes: str) -> "Scene":
        """Return it without these ReplicaSets."""
        left = {
            each: found for each, found in self.observed.replica_sets.items() if each not in hashes
        }
        return self.with_(replica_sets=left)

    def evolve(self, *found: ReplicaSet) -> "Scene":
        """Return it with these ReplicaSets added, or in place of those of the same hash."""
        return self.with_(
            replica_sets={**self.observed.replica_sets, **{each.hash: each for each in found}}
        )

    def serving(self, **services: Service) -> "Scene":
        """Return it with `stable`, `canary` or both put in place."""
        names = {"stable": "checkout", "canary": "checkout-canary"}
        changed = {names[arm]: found for arm, found in services.items()}
        return self.with_(services={**self.observed.services, **changed})

    def commanded(self, verb: str, id_: str = "id-1", **facts: str) -> "Scene":
        return self.with_(command=Command(id=id_, verb=verb, **facts))

    def after(self, decision: Decision, seconds: float = 1) -> "Scene":
        """Return it with the decision's status written, a little later; the cluster as it was."""
        return replace(self, status=decision.status, now=self.now + timedelta(seconds=seconds))


def observed(template_hash: str = NEW, **facts: Any) -> Observed:
    usual: dict[str, Any] = {
        "namespace": "shop",
        "name": "checkout",
        "uid": "uid-1",
        "generation": 7,
        "resource_version": "99",
        "template_hash": template_hash,
        "images": (f"shop:{template_hash}",),
        "replica_sets": {OLD: replica_set(OLD, 4)},
        "services": {"checkout": service("checkout", OLD, oldhash=4)},
        "selector": "app=checkout",
        "quiet_seconds": 2.0,
    }
    return Observed(**{**usual, **facts})


def settled(spec: RolloutSpec | None = None, **changes: Any) -> Scene:
    """Return the scene of a stable revision, Healthy, after the decision that says so."""
    status = RolloutStatus(
        phase="Healthy",
        stable_revision=revision(OLD),
        current_revision=revision(OLD),
        weights=Weights(desired=100, applied=100),
        observed_generation=7,
    )
    scene = Scene(spec or spec_of(), status, observed(OLD))
    return scene.with_(status=scene.decide().status).with_(**changes)


def under_way(weight: int = 25, spec: RolloutSpec | None = None, **changes: Any) -> Scene:
    """Return a scene in the middle of a rollout: the canary has the weight of step 1, confirmed."""
    spec = spec or spec_of()
    size = -(-4 * weight // 100)
    status = RolloutStatus(
        phase="Progressing",
        stable_revision=revision(OLD),
        current_revision=revision(NEW),
        current_step_index=0,
        step_started_at=at(-10),
        started_at=at(-60),
        exposed_at=at(-50),
        stable_floor=4,
        weights=Weights(desired=weight, applied=weight, applied_at=at(-8)),
    )
    seen = observed(
        NEW,
        replica_sets={OLD: replica_set(OLD, 4), NEW: replica_set(NEW, size)},
        services={
            "checkout": service("checkout", OLD, oldhash=4),
            "checkout-canary": replace(service("checkout-canary", NEW, newhash=size), ours=True),
        },
        route=Route(exists=True, weight=weight, highest=weight),
    )
    return Scene(spec, status, seen).with_(**changes)


def rolled_back(**changes: Any) -> Scene:
    """Return the scene after an abort that is written down, with the route cut off."""
    scene = under_way()
    decision = scene.commanded("abort").decide()
    route = Route(exists=True, weight=0, highest=0)
    return scene.after(decision).with_(**{"route": route, "command": None, **changes})


def evidence(verdict: Any = "pass", seconds: float = -1, **facts: Any) -> Evidence:
    """Return a measurement of `errors` with this verdict, some seconds from NOW."""
    look = {"requests": 1000, "failures": 0, "message": f"it is {verdict}", **facts}
    criterion = CriterionStatus(name="errors", verdict=verdict, checked_at=at(seconds), **look)
    return Evidence(at=at(seconds), criteria=(criterion,))


def told(decision: Decision) -> list[str]:
    """Return the reasons of what is told."""
    return [event.reason for event in decision.events]


def condition(status: RolloutStatus, kind: str) -> Any:
    return next(entry for entry in status.conditions if entry.type == kind)


def holding(status: RolloutStatus) -> Mapping[str, bool]:
    return {entry.type: entry.status == "True" for entry in status.conditions}


BAKED = spec_of(
    strategy={
        "blueGreen": {
            "activeService": "checkout",
            "postPromotionAnalysis": {"duration": "60s"},
        }
    },
    successCriteria=CRITERIA,
)
"""Blue-green with a bake after the switch."""
