"""What a cluster does to a release by itself: pods, nodes, API servers, Prometheus, restores."""

import random
from datetime import timedelta

from rollouts.errors import Forbidden, RolloutsError, Unavailable
from rollouts.model.kinds import (
    DEPLOYMENT,
    ENDPOINT_SLICE,
    HASH_LABEL,
    JSON,
    POD,
    REPLICA_SET,
    ROLLOUT,
    SERVICE,
    STABLE,
    STABLE_LABEL,
    Kind,
    Ref,
)
from rollouts.model.routers.gateway import HTTP_ROUTE
from rollouts.model.routers.nginx import INGRESS
from rollouts.model.routers.smi import TRAFFIC_SPLIT
from rollouts.ports import Apply, Create, Patch, Write
from tests.simulation.cluster import Refusal, written
from tests.simulation.dataplane import NAMESPACE, is_by_label, is_ours
from tests.simulation.kubelets import NODES, Behaviour
from tests.simulation.random_events import RandomEvent
from tests.simulation.setups import DELAYS, STEPS
from tests.simulation.snapshot import KEY
from tests.simulation.story import Story

WATCHES: tuple[Kind, ...] = (
    POD,
    REPLICA_SET,
    ENDPOINT_SLICE,
    SERVICE,
    INGRESS,
    HTTP_ROUTE,
    ROLLOUT,
)
DOWN = Behaviour(problem="CrashLoopBackOff")
A_MINUTE = timedelta(minutes=1)
BY_PODS: JSON = {"canary": {"steps": STEPS, **DELAYS}}
OWNED: tuple[Kind, ...] = (REPLICA_SET, SERVICE, INGRESS, HTTP_ROUTE, TRAFFIC_SPLIT)


def fall_behind(story: Story, chance: random.Random) -> None:
    """Some watches are late from now on, and the others up to date."""
    story.caches.fall_behind([kind for kind in WATCHES if chance.random() < 0.3])
    story.say(f"late: {', '.join(str(kind) for kind in story.caches.late)}")


def lose_an_answer(story: Story, chance: random.Random) -> None:
    story.caches.lose_in = chance.randint(0, 3)


# Pods.


def evict(story: Story, chance: random.Random) -> None:
    """A kubelet runs out of memory and ends a pod, of a revision that may have no other."""
    pods = story.kubelets.pods()
    if pods:
        pod = chance.choice(pods)
        story.say(f"{pod['metadata']['name']} is evicted")
        story.kubelets.evict(pod)


def lose_a_node(story: Story, chance: random.Random) -> None:
    node = chance.randrange(NODES)
    story.say(f"node {node} goes")
    story.kubelets.lose_node(node)


def blink(story: Story, chance: random.Random) -> None:
    """A pod misses a readiness probe."""
    pods = story.kubelets.pods()
    if pods:
        pod = chance.choice(pods)
        story.say(f"{pod['metadata']['name']} is not ready for a moment")
        story.kubelets.blink(pod, chance.choice([1.0, 3.0]))


def go_down(story: Story, chance: random.Random) -> None:
    """All pods of the stable version stop answering; or those that have answer again, one after the other."""
    stable = story.status.stable_revision
    down = [hash_ for hash_ in story.sizes() if story.behaviour(hash_) == DOWN]
    story.say(f"up again: {down}" if down else "the stable version goes down")
    for hash_ in down:
        story.turn(hash_, Behaviour())
        for pod in story.kubelets.pods(hash_):
            story.kubelets.blink(pod, chance.choice([0.0, 3.0, 9.0]))
    if not down and stable is not None and stable.hash in story.sizes():
        story.turn(stable.hash, DOWN)


def fill_the_quota(story: Story, chance: random.Random) -> None:
    """No more pods may be made than there are now, or any number again."""
    full = story.kubelets.quota is None
    story.kubelets.quota = len(story.kubelets.lives) if full else None
    story.say(f"the quota of pods is {story.kubelets.quota}")


def turn_bad(story: Story, chance: random.Random) -> None:
    """A canary begins to fail, a little or much: a rare path, or a dependency."""
    current = story.status.current_revision
    there = story.present.select(
        REPLICA_SET, NAMESPACE, {HASH_LABEL: current.hash if current else ""}
    )
    if current is None or not there or story.goes_back_to(current.hash):
        return
    found = Behaviour(error_rate=chance.choice([0.02, 0.05, 0.3]))
    story.say(f"{current.hash} turns bad: {found.error_rate}")
    story.turn(current.hash, found)


def miss_scrapes(story: Story, _: random.Random) -> None:
    """Prometheus answers, and has not scraped for a while; or scrapes again."""
    story.users.scraped = not story.users.scraped
    story.say(f"scrapes: {story.users.scraped}")


# The API server.


def _ingresses(write: Write) -> RolloutsError | None:
    ref = written(write)
    if ref is not None and ref.kind == INGRESS and isinstance(write, Create | Apply | Patch):
        return Unavailable("failed calling webhook validate.nginx.ingress.kubernetes.io")
    return None


def _new_services(write: Write) -> RolloutsError | None:
    if isinstance(write, Create) and write.kind == SERVICE:
        return Forbidden("exceeded quota: services, requested: 1")
    return None


def changed_services(write: Write) -> RolloutsError | None:
    if isinstance(write, Patch) and write.ref.kind == SERVICE:
        return Forbidden("admission webhook denied the request")
    return None


REFUSALS: tuple[Refusal, ...] = (_ingresses, _new_services, changed_services)


def refuse(story: Story, chance: random.Random) -> None:
    """An admission webhook or a quota is in the way of some writes, or no longer."""
    refusal = chance.choice(REFUSALS)
    if refusal in story.caches.refusals:
        story.caches.refusals.remove(refusal)
        story.refused_until = story.clock.now()
    else:
        story.caches.refusals.append(refusal)
    story.say(f"refused: {[each.__name__ for each in story.caches.refusals]}")


def fall_silent(story: Story, _: random.Random) -> None:
    """A Gateway goes on routing, and says nothing in the status of routes; or speaks again."""
    story.gateway.silent = not story.gateway.silent


# People.


def meddle_with_services(story: Story, chance: random.Random) -> None:
    """Somebody takes our key out of a Service, or the canary Service away."""
    services = [each["metadata"]["name"] for each in story.present.select(SERVICE, NAMESPACE)]
    name = chance.choice([each for each in services if each != "other"])
    ref = Ref(SERVICE, NAMESPACE, name)
    found = story.present.get(ref)
    if is_by_label(story.present, name):
        _relabel(story, chance)
    elif found is not None and is_ours(found) and chance.random() < 0.5:
        story.say(f"somebody deletes Service {name}")
        story.present.drop(ref)
        story.kubelets.forget(name)
    else:
        story.say(f"somebody takes our key out of Service {name}")
        story.select(name, None)


def _relabel(story: Story, chance: random.Random) -> None:
    """Somebody takes the label of stable from a pod, or from the next ones of a revision, or gives it to them."""
    kind = chance.choice([POD, REPLICA_SET])
    found = story.present.select(kind, NAMESPACE)
    if not found:
        return
    metadata = chance.choice(found)["metadata"]
    label = chance.choice([STABLE, None])
    labels: JSON = {"metadata": {"labels": {STABLE_LABEL: label}}}
    story.selected_at = story.clock.now()
    story.say(f"somebody sets the label of {kind.name} {metadata['name']} to {label}")
    patch = labels if kind == POD else {"spec": {"template": labels}}
    story.present.edit(Ref(kind, NAMESPACE, metadata["name"]), patch)


def lock_services(story: Story, chance: random.Random) -> None:
    """Somebody takes our key out of a Service, and has a policy that lets nobody put it back."""
    meddle_with_services(story, chance)
    if changed_services not in story.caches.refusals:
        story.caches.refusals.append(changed_services)
    story.say("changes of Services are refused")


def change_ports(story: Story, chance: random.Random) -> None:
    """The stable Service leads to another port, where pods listen from now on; not twice a minute."""
    if story.clock.now() < story.port_changed_at + A_MINUTE:
        return
    number = chance.choice([8080, 9090])
    story.say(f"the stable Service leads to {number}")
    story.change_port(number)


def restore(story: Story, chance: random.Random) -> None:
    """The Rollout comes back from a backup or from Git, which may be ahead of us."""
    dangling = chance.random() < 0.5
    spec, kept = story.rollout["spec"], chance.random() < 0.5
    if not story.setup.adopts and chance.random() < 0.3:
        spec = {**spec, "strategy": BY_PODS}
    story.say(f"restored: status {kept}, dangling {dangling}, {list(_strategy(spec))}")
    come_back(story, spec, with_status=kept, dangling=dangling)


def come_back(story: Story, spec: JSON, *, with_status: bool, dangling: bool) -> None:
    """Have another Rollout in its place: the owner of nothing, whether what it made names its old one or none."""
    status = story.rollout.get("status") if with_status else None
    story.present.drop(KEY.ref)
    for kind in OWNED:
        for each in story.present.select(kind, NAMESPACE):
            owners = [_other(owner) for owner in each["metadata"].get("ownerReferences") or ()]
            if any(owner["kind"] == ROLLOUT.name for owner in owners):
                ref = Ref(kind, NAMESPACE, each["metadata"]["name"])
                left = owners if dangling else []
                story.present.edit(ref, {"metadata": {"ownerReferences": left}})
    metadata = {"namespace": NAMESPACE, "name": KEY.name}
    body: JSON = {"apiVersion": ROLLOUT.api_version, "kind": ROLLOUT.name, "metadata": metadata}
    story.present.put(ROLLOUT, {**body, "spec": spec, **({"status": status} if status else {})})
    story.pardon()


def _strategy(spec: JSON) -> JSON:
    """Return the first strategy that a spec has, however wrong it is."""
    strategies: JSON = spec.get("strategy") or {}
    return next((each for each in strategies.values() if each), {})


def _other(owner: JSON) -> JSON:
    return {**owner, "uid": "gone"}


def scale_the_deployment(story: Story, chance: random.Random) -> None:
    """Somebody starts pods of the Deployment whose place was taken."""
    ref = Ref(DEPLOYMENT, NAMESPACE, "checkout")
    if story.present.get(ref) is not None:
        story.present.edit(ref, {"spec": {"replicas": chance.randint(0, 2)}})


PODS = [
    RandomEvent("evict", 0.03, evict),
    RandomEvent("node", 0.02, lose_a_node),
    RandomEvent("blink", 0.04, blink),
    RandomEvent("pod quota", 0.03, fill_the_quota),
    RandomEvent("outage", 0.03, go_down),
]
SEEING = [
    RandomEvent("late", 0.10, fall_behind),
    RandomEvent("scrapes", 0.05, miss_scrapes),
    RandomEvent("turn bad", 0.04, turn_bad),
]
WRITING = [
    RandomEvent("lost answer", 0.05, lose_an_answer),
    RandomEvent("refusal", 0.05, refuse),
    RandomEvent("silent gateway", 0.02, fall_silent),
]
MEDDLING = [
    RandomEvent("meddle with Services", 0.04, meddle_with_services),
    RandomEvent("ports", 0.03, change_ports),
    RandomEvent("lock Services", 0.02, lock_services),
    RandomEvent("restore", 0.02, restore),
    RandomEvent("Deployment", 0.02, scale_the_deployment),
]


def end(story: Story) -> None:
    """End all that can be ended from outside: no fault lasts."""
    story.die_after, story.monitor.error, story.users.scraped = None, "", True
    story.caches.lose_in, story.kubelets.quota = None, None
    if story.caches.refusals:
        story.caches.refusals.clear()
        story.refused_until = story.clock.now()
    story.caches.fall_behind([])
    story.gateway.silent = False
    for image, behaviour in story.kubelets.behaviours.items():
        if behaviour == DOWN:
            story.kubelets.behaviours[image] = Behaviour()
    story.edit({"spec": {"paused": False, "replicas": max(1, story.replicas)}})
