"""
One Rollout in one simulated cluster, with the real reconciler, in virtual time.

Objects go in, through `observe` and the routers, and objects come out. Nothing here builds what a
decision sees. The seed that makes a run is all that is needed to see it again.
"""

import json
import random
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from rollouts.controller.index import Index
from rollouts.controller.metrics import ControllerMetrics
from rollouts.controller.observations import Observations
from rollouts.controller.reconcile import Reconciler, ReconcileResult
from rollouts.controller.status_store import read_status
from rollouts.core.template import template_hash
from rollouts.errors import Conflict, RolloutsError
from rollouts.model.kinds import DEPLOYMENT, HASH_LABEL, JSON, REPLICA_SET, ROLLOUT, SERVICE, Ref
from rollouts.model.status import RolloutStatus
from rollouts.ports import Write
from tests.fakes.clock import ManualClock
from tests.fakes.control_loop import Told
from tests.fakes.deployments import deployment
from tests.fakes.discarded_notifications import DiscardedNotifications
from tests.fakes.kubernetes import canary_weight, template
from tests.simulation.cluster import Caches, DiedError, Present, said, written
from tests.simulation.dataplane import LOST, NAMESPACE, entry_points, selected, shown
from tests.simulation.gateway import Gateway
from tests.simulation.invariants import Invariants
from tests.simulation.kubelets import Behaviour, Kubelets, image_of
from tests.simulation.pardons import Pardons
from tests.simulation.setups import Setup
from tests.simulation.snapshot import ENTRY_POINTS, KEY, strategy_of
from tests.simulation.users import SimulatedMonitor, Users

SETTLE_SECONDS = 45.0
LONGEST_TICK = 5.0
RETRY_SECONDS = 1.0
ENOUGH_FAILURES = 20
"""A version that has failed so often is known to be bad, if anybody looks."""


class Story:
    """A cluster with its users, and one controller at a time."""

    observations: type[Observations] = Observations

    def __init__(self, setup: Setup, seed: int, **changes: Any) -> None:
        self.setup, self.dice = setup, random.Random(seed)
        self.clock = ManualClock()
        self.began = self.clock.now()
        self.present = Present(self.clock.now)
        self.kubelets = Kubelets(self.present, self.clock.now, self.dice)
        self.kubelets.has_users = self.has_users
        self.gateway = Gateway(self.present, self.clock.now, self.dice)
        self.users = Users(self.clock, self.dice)
        self.monitor = SimulatedMonitor(self.clock, self.users)
        self.caches = Caches(self.present)
        self.invariants, self._telemetry = Invariants(self), ControllerMetrics()
        self.caches.before, self.caches.after = self._before_write, self._after_write
        self.die_after: int | None = None
        self.releases = self.reconciles = self.writes = 0
        self.log: list[str] = []
        self.moment: int | None = None
        """Which of a week's moments it is, where it is told by them."""
        self.pardons = Pardons()
        self.port_changed_at = self.selected_at = self.refused_until = self.died_at = self.began
        """When somebody else has last had a Service select something else."""
        self.lenient = False
        """Somebody has changed what a release is judged by."""
        for kind, body in setup.objects:
            self.present.put(kind, body)
        self.kubelets.behaviours["shop:1"] = Behaviour()
        body = setup.rollout("shop:1", changes)
        self.first_spec: JSON = body["spec"]
        self.present.put(ROLLOUT, body)
        self._begin()

    def _begin(self) -> None:
        """Start a controller, whose caches are filled."""
        self.monitor = self.monitor.successor()
        self.caches.late.clear()
        self.due: datetime | None = self.clock.now()
        self._woken = True
        self._index = Index(self.caches)
        self._index.rollouts(KEY.ref)
        self.present.changed.clear()
        self.reconciler = Reconciler(
            self.caches,
            self.clock,
            self.monitor,
            DiscardedNotifications(Told()),
            self._telemetry,
            quiet_seconds=2.0,
            observations=self.observations(),
        )

    # What users and people see and do.

    @property
    def rollout(self) -> JSON:
        found = self.present.get(KEY.ref)
        assert found is not None
        return found

    @property
    def status(self) -> RolloutStatus:
        version = self.rollout["metadata"]["resourceVersion"]
        if version != self._recalled[0]:
            status = read_status(self.rollout)
            assert status is not None
            self._recalled = (version, status)
        return self._recalled[1]

    _recalled: tuple[str, RolloutStatus] = ("", RolloutStatus())

    @property
    def replicas(self) -> int:
        return int(self.rollout["spec"].get("replicas", 1))

    @property
    def route(self) -> int | None:
        """What the canary Ingress says; None without one."""
        return canary_weight(self.present)

    @property
    def now(self) -> datetime:
        return self.clock.now()

    @property
    def stable(self) -> str:
        """The revision that the stable (or active) Service selects."""
        return selected(self.present, "checkout")

    def selects(self, service: str) -> str:
        return selected(self.present, service)

    def sizes(self) -> dict[str, int]:
        """Return how many pods each revision is to have, of those that are to have any."""
        return {
            each["metadata"]["name"].rpartition("-")[2]: each["spec"]["replicas"]
            for each in self.present.select(REPLICA_SET, NAMESPACE)
            if each["spec"]["replicas"]
        }

    def shares(self) -> dict[str, dict[str, float]]:
        """Return who gets the requests to each entry now."""
        return entry_points(self.present, self.gateway.rules_of).shares(shown(self.present))

    def percent(self, hash_: str) -> float:
        """Return the largest share that a revision has of the requests to any entry."""
        return 100 * max(shares.get(hash_, 0.0) for shares in self.shares().values())

    def routed(self) -> list[float]:
        """Return what each route that is in force sends to the canary by now, in percent, answered or not."""
        strategy = strategy_of(self.status)
        backends = entry_points(self.present, self.gateway.rules_of).backends
        if strategy.get("stableService") != "checkout":
            return []
        return [
            100 * (1 - backends[name].get("checkout", 0.0))
            for router, name in ENTRY_POINTS.items()
            if "checkout" in str(strategy["trafficRouting"].get(router))
        ]

    def users_are_answered(self) -> bool:
        return all(LOST not in shares for shares in self.shares().values())

    def has_users(self, hash_: str) -> bool:
        return any(hash_ in shares for shares in self.shares().values())

    def edit(self, patch: JSON) -> None:
        self.present.edit(KEY.ref, patch)

    def select(self, service: str, hash_: str | None) -> None:
        """Have a Service select a revision, as somebody else would; None: all of them."""
        self.selected_at = self.clock.now()
        selector = {HASH_LABEL: hash_}
        self.present.edit(Ref(SERVICE, NAMESPACE, service), {"spec": {"selector": selector}})

    def change_port(self, number: int) -> None:
        """Have the pods listen elsewhere from now on, and the stable Service lead there."""
        self.port_changed_at = self.clock.now()
        port = {"name": "http", "port": 80, "targetPort": number}
        self.present.edit(Ref(SERVICE, NAMESPACE, "checkout"), {"spec": {"ports": [port]}})

    def release(self, image: str, behaviour: Behaviour | None = None) -> str:
        """Change the template; return its hash."""
        self.releases += 1
        self.pardons.released = image
        self.kubelets.behaviours[image] = behaviour or Behaviour()
        if self.setup.adopts:
            ref = Ref(DEPLOYMENT, NAMESPACE, "checkout")
            wanted = deployment(image)["spec"]["template"]
            self.present.edit(ref, {"spec": {"template": wanted}})
        else:
            self.edit({"spec": {"template": template(image)}})
        return self.hash_of(image)

    def is_stable(self, hash_: str) -> bool:
        stable = self.status.stable_revision
        return stable is not None and stable.hash == hash_

    def goes_back_to(self, hash_: str) -> bool:
        """Return whether traffic may come back to a revision."""
        status = self.status
        kept = (status.stable_revision, status.previous_revision)
        return any(each is not None and each.hash == hash_ for each in kept)

    def hash_of(self, image: str) -> str:
        """Return the revision that a version is, or will be."""
        for hash_, found in self._images().items():
            if found == image:
                return hash_
        wanted = deployment(image)["spec"]["template"] if self.setup.adopts else template(image)
        return template_hash(wanted)

    def _images(self) -> dict[str, str]:
        """Return the versions of the revisions that there are."""
        return {
            labels[HASH_LABEL]: image_of(each["spec"]["template"])
            for each in self.present.select(REPLICA_SET, NAMESPACE)
            if HASH_LABEL in (labels := each["metadata"]["labels"])
        }

    def behaviour(self, hash_: str) -> Behaviour:
        return self.kubelets.behaviours.get(self._images().get(hash_, ""), Behaviour())

    def turn(self, hash_: str, behaviour: Behaviour) -> None:
        """Have a revision do something else from now on."""
        self.kubelets.behaviours[self._images()[hash_]] = behaviour

    def command(self, verb: str, id_: str = "", **words: str) -> None:
        text = verb
        if id_ or words:
            given = {"id": id_ or f"{verb}-{self.writes}", "verb": verb, **words}
            text = json.dumps(given)
        self.edit({"metadata": {"annotations": {"rollouts.dev/command": text}}})
        if verb in ("promote", "promote-full", "rollback"):
            self.pardon()

    def pardon(self) -> None:
        """Let what is being released now become stable, whatever it does: people have a hand in it."""
        self.pardons.give(self._images().values())

    def is_pardoned(self, hash_: str) -> bool:
        """Return whether a revision may be stable: it is good, or nobody could know better."""
        pardoned = self.pardons.is_for(self._images().get(hash_))
        if self.behaviour(hash_).error_rate < 0.3 or pardoned or self.lenient:
            return True
        return self.users.since(hash_, self.began).failures < ENOUGH_FAILURES

    # Time.

    def tick(self, seconds: float) -> None:
        """Let time go by: users are served, pods start, Gateways take up what routes say."""
        self.clock.move(seconds)
        images, behaviours = self._images(), self.kubelets.behaviours
        rates = {hash_: behaviours[image].error_rate for hash_, image in images.items()}
        self.users.serve(seconds, self.shares(), rates)
        self.gateway.tick()
        self.kubelets.tick()
        if self.monitor.measure():
            self._woken = True

    def is_awake(self) -> bool:
        """Return whether the controller has a reason to reconcile: a change, a look, or its own clock."""
        for ref in self.caches.news():
            if KEY in self._index.rollouts(ref):
                self._woken = True
        return self._woken or (self.due is not None and self.due <= self.clock.now())

    def reconcile(self) -> None:
        """Reconcile once; a controller that dies has a successor."""
        self._woken, self.due = False, None
        self.reconciles += 1
        self.pardons.at_first_sight(self.rollout, self.status)
        try:
            outcome = _run(self.reconciler.reconcile(KEY))
        except DiedError:
            self.say("the controller dies; its successor carries on")
            self.die_after, self.died_at = None, self.clock.now()
            self._begin()
        except Conflict as error:
            self.say(f"conflict: {error}")
            self._later(RETRY_SECONDS)
        except RolloutsError as error:
            self.say(f"failed: {error}")
            self._later(RETRY_SECONDS)
        else:
            self._later(outcome.requeue_after_seconds)

    def _later(self, seconds: float | None) -> None:
        if seconds is not None:
            self.due = self.clock.now() + timedelta(seconds=seconds)

    def round(self, most: int = 30) -> bool:
        """Reconcile as long as there is a reason; return whether anything was written."""
        before = self.writes
        for _ in range(most):
            if not self.is_awake():
                break
            self.reconcile()
            self.kubelets.tick()
        return self.writes > before

    def settle(self, seconds: float = 900.0) -> RolloutStatus:
        """Let it run until nothing is left to do; return the status."""
        end, quiet_since, step = self._in(seconds), self.clock.now(), 0.5
        while self.clock.now() < end and quiet_since > self._in(-SETTLE_SECONDS):
            wrote = self.round()
            step = 0.5 if wrote else min(2 * step, LONGEST_TICK)
            if wrote or self._is_on_its_way():
                quiet_since = self.clock.now()
            self.tick(self._until_something(step))
        return self.status

    def _is_on_its_way(self) -> bool:
        """Return whether something will happen without a write: a moment comes, or evidence does."""
        pause = self.status.pause
        unproven = pause is not None and pause.reason == "Inconclusive"
        return self.due is not None or unproven or self.kubelets.next_start() is not None

    def _until_something(self, most: float) -> float:
        moments = [each for each in (self.due, self.kubelets.next_start()) if each is not None]
        wait = min(((each - self.clock.now()).total_seconds() for each in moments), default=most)
        return max(0.1, min(wait, most))

    def _in(self, seconds: float) -> datetime:
        return self.clock.now() + timedelta(seconds=seconds)

    def run_until(self, condition: Callable[["Story"], Any], seconds: float = 600.0) -> None:
        """Let it run until `condition(self)`."""
        end = self._in(seconds)
        while not condition(self):
            assert self.clock.now() < end, "it never happened:\n" + "\n".join(self.log[-60:])
            self.round(1)
            if not condition(self):
                self.tick(0.5)

    def pass_time(self, seconds: float) -> None:
        """Let it run for so long."""
        end = self._in(seconds)
        while self.clock.now() < end:
            self.round(1)
            self.tick(min(1.0, (end - self.clock.now()).total_seconds()))

    # Writes.

    def _before_write(self, write: Write) -> None:
        if self.die_after is not None:
            self.die_after -= 1
            if self.die_after < 0:
                raise DiedError
        self.invariants.before(write)

    def _after_write(self, write: Write) -> None:
        ref = written(write)
        if ref is None:
            return
        self.writes += 1
        if ref.kind == ROLLOUT:
            status = self.status
            self.say(f"status: {status.phase} {status.step} {status.message}")
        else:
            self.say(f"{type(write).__name__} {ref.kind.name} {ref.name} {said(write)}")
        self.invariants.after(write)

    def say(self, text: str) -> None:
        seconds = (self.clock.now() - self.began).total_seconds()
        moment = "" if self.moment is None else f"[{self.moment}] "
        self.log.append(f"{seconds:7.1f} {moment}{text}")


@contextmanager
def told(name: str, story: Story) -> Iterator[None]:
    """Print which story it was that failed, and how it came to that."""
    try:
        yield
    except Exception:
        print(f"{name}\n" + "\n".join(story.log[-80:]))
        raise


def _run(coroutine: Coroutine[Any, Any, ReconcileResult]) -> ReconcileResult:
    """Run what never waits, as nothing does on a cluster in memory."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: ReconcileResult = done.value
        return result
    coroutine.close()
    raise AssertionError("it waits for something")
