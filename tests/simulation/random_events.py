"""What goes wrong in a cluster, and what people do meanwhile, each with its odds."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from rollouts.model.kinds import JSON, Ref
from rollouts.model.routers.gateway import HTTP_ROUTE
from rollouts.model.routers.nginx import INGRESS
from rollouts.model.routers.smi import TRAFFIC_SPLIT
from tests.simulation.dataplane import NAMESPACE, is_canary, is_ours
from tests.simulation.known_gaps import is_known_gap
from tests.simulation.kubelets import Behaviour
from tests.simulation.story import Story

VERSIONS = [
    Behaviour(),
    Behaviour(ready_after=10),
    Behaviour(error_rate=0.3),
    Behaviour(crashes=True),
    Behaviour(ready_after=100_000),
    Behaviour(error_rate=0.002),
    Behaviour(error_rate=0.02),
]
VERBS = ["promote", "promote-full", "abort", "retry", "pause", "resume", "rollback", "nonsense"]
Apply = Callable[[Story, random.Random], None]


@dataclass(frozen=True)
class RandomEvent:
    """Happens in one of so many ticks, and has a name by which it can be left out."""

    name: str
    odds: float
    apply: Apply


def happen(story: Story, chance: random.Random, kinds: list[RandomEvent]) -> None:
    """Let at most one of them happen."""
    event = chance.random()
    for each in kinds:
        if event < each.odds:
            if not is_known_gap(each.name):
                each.apply(story, chance)
            return
        event -= each.odds


def release(story: Story, chance: random.Random) -> None:
    """A version of any kind; a known one does not turn bad while it has users, or may get them back."""
    number = len(story.kubelets.behaviours) + 9
    image = f"shop:{chance.choice([1, 2, 3, number])}"
    behaviour = chance.choice(VERSIONS)
    known = story.kubelets.behaviours.get(image)
    hash_ = story.hash_of(image)
    if known is not None and (story.has_users(hash_) or story.goes_back_to(hash_)):
        behaviour = Behaviour()
    story.release(image, behaviour)
    story.say(f"release {image} {hash_} {behaviour}")


def command(story: Story, chance: random.Random) -> None:
    verb = chance.choice(VERBS)
    story.command(verb, "" if chance.random() < 0.5 else f"id-{chance.random()}")
    story.say(f"command {verb}")


def toggle_prometheus(story: Story, _: random.Random) -> None:
    """Prometheus stops answering, or answers again."""
    story.monitor.error = "" if story.monitor.error else "Prometheus does not answer"


def pause(story: Story, _: random.Random) -> None:
    paused = story.rollout["spec"].get("paused", False)
    story.edit({"spec": {"paused": not paused}})


def autoscale(story: Story, chance: random.Random) -> None:
    story.edit({"spec": {"replicas": chance.randint(0, 8)}})


def drain(story: Story, chance: random.Random) -> None:
    """A pod goes and is made anew elsewhere, but never a revision's last."""
    pods = story.kubelets.pods(chance.choice(sorted(story.sizes()) or [""]))
    if len(pods) > 1:
        story.kubelets.remove(pods[-1]["metadata"]["name"])
        story.say("a pod is drained")


def meddle(story: Story, chance: random.Random) -> None:
    """Somebody sets the canary's routes to something else, or removes them."""
    percent = chance.choice([0, 3, None])
    story.say(f"somebody sets the routes to {percent}")
    cluster = story.present
    for each in cluster.select(INGRESS, NAMESPACE):
        ref = Ref(INGRESS, NAMESPACE, each["metadata"]["name"])
        if not is_canary(each):
            continue
        if percent is None:
            cluster.drop(ref)
        else:
            key = "nginx.ingress.kubernetes.io/canary-weight"
            cluster.edit(ref, {"metadata": {"annotations": {key: str(percent)}}})
    for each in cluster.select(HTTP_ROUTE, NAMESPACE):
        if not is_ours(each):
            ref = Ref(HTTP_ROUTE, NAMESPACE, each["metadata"]["name"])
            cluster.edit(ref, {"spec": {"rules": [_meddled(percent, each["spec"]["rules"][0])]}})
    for each in cluster.select(TRAFFIC_SPLIT, NAMESPACE):
        ref = Ref(TRAFFIC_SPLIT, NAMESPACE, each["metadata"]["name"])
        if percent is None:
            cluster.drop(ref)
        else:
            cluster.edit(ref, {"spec": {"backends": _weighted(percent, each["spec"]["backends"])}})


def _meddled(percent: int | None, rule: JSON) -> JSON:
    refs = rule["backendRefs"]
    if percent is None or len(refs) < 2:
        return {**rule, "backendRefs": refs[:1]}
    return {**rule, "backendRefs": _weighted(percent, refs)}


def take_out(story: Story, chance: random.Random) -> None:
    """Somebody takes one backendRef out of a rule of the users' HTTPRoute, and leaves the others as they are."""
    ref = Ref(HTTP_ROUTE, NAMESPACE, "checkout")
    found = story.present.get(ref)
    if found is None or len(found["spec"]["rules"][0]["backendRefs"]) < 2:
        return
    rule = found["spec"]["rules"][0]
    gone = chance.choice(rule["backendRefs"])
    story.say(f"somebody takes {gone['name']} out of {ref.kind.name} {ref.name}")
    kept = [each for each in rule["backendRefs"] if each is not gone]
    story.present.edit(ref, {"spec": {"rules": [{**rule, "backendRefs": kept}]}})


def _weighted(percent: int, arms: list[JSON]) -> list[JSON]:
    """Return the two arms with these weights, the stable one first."""
    return [
        {**arm, "weight": weight}
        for arm, weight in zip(arms, (100 - percent, percent), strict=False)
    ]


USUAL_EVENTS = [
    RandomEvent("release", 0.06, release),
    RandomEvent("command", 0.10, command),
    RandomEvent("no data", 0.04, toggle_prometheus),
    RandomEvent("pause", 0.03, pause),
    RandomEvent("autoscale", 0.03, autoscale),
    RandomEvent("drain", 0.04, drain),
    RandomEvent("meddle", 0.03, meddle),
    RandomEvent("take out", 0.03, take_out),
]
