"""What the product can't do yet: each keeps one misfortune, or one invariant, out of the stories."""

KNOWN: dict[str, str] = {
    "back to nobody": "traffic goes back to a stable revision whether that has ready pods or not",
    "better of the two": "the old revision goes in time, also while the new one has no ready pod",
    "blink alone": "a pod that misses a readiness probe rolls a release back",
    "down at rest": "a stable revision without any ready pod is Progressing until the deadline",
    "evict alone": "a canary that loses a pod to its node is rolled back",
    "named no longer": "a Service that the spec names no longer keeps our key",
    "narrowed": "a Service is narrowed to a first deploy, however many others it leads to",
    "no room": "the deadline of a step counts pods that only an autoscaler asks for",
    "node alone": "a canary whose node goes is rolled back",
    "overload": "a newer template right after a promotion goes back to an old revision that is small",
    "ports": "the canary Service keeps the ports that the stable one had when it was made",
    "refusal alone": "a write that is refused holds up all that come after it",
    "repair": "a Service without our key waits for stable's pods, and the next revision for the Service",
    "restore": "routing objects of a Rollout that is gone are not adopted again",
    "shared for a moment": "pods that are due to go are not kept when a Service without our key finds them",
    "silent gateway alone": "a Gateway that says no more is waited for, also by a rollback",
}
"""Its name in the stories, and why. A repair takes its line out; nothing is ever weakened for good."""


def spared(name: str) -> bool:
    """Say whether stories go without this one as yet."""
    return name in KNOWN
