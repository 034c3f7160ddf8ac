"""What the product can't do yet: each keeps one misfortune, or one invariant, out of the stories."""

KNOWN: dict[str, str] = {
    "back to nobody": "traffic goes back to a stable revision whether that has ready pods or not",
    "blink alone": "a pod that misses a readiness probe rolls a release back",
    "evict alone": "a canary that loses its only pod to its node is rolled back",
    "node alone": "so is one whose node goes",
    "named no longer": "a Service that the spec names no longer keeps our key",
    "shared for a moment": "pods that are due to go are not kept when a Service without our key finds them again",
    "restore": "routing objects of a Rollout that is gone are not adopted again",
}
"""Its name in the stories, and why. A repair takes its line out; nothing is ever weakened for good."""


def spared(name: str) -> bool:
    """Say whether stories go without this one as yet."""
    return name in KNOWN
