"""What the product can't do yet: each keeps one random event, or one invariant, out of the stories."""

KNOWN_GAPS: dict[str, str] = {
    "called past us": (
        "a Service that the spec names no longer is given back, unless a named route leads there: by whatever"
        " else does, what pods a later release makes get requests, whatever its weight is"
    ),
    "unwritten clock": (
        "what somebody else sends to a revision that was left is taken away before status says that its time runs"
        " anew: of a controller that dies between the two the successor ends its pods after their old delay"
    ),
    "unnamed rules": (
        "a Rollout that comes back without its status, and with a spec that names no router any more, does not know"
        " whose rules of an HTTPRoute were its own: their weights, and the note of how they were, stay"
    ),
    "to pods": (
        "a strategy by which pods are the weight comes into force as soon as the routes are clear: of revisions"
        " that were left a moment ago pods go then as pods go by that strategy, before their delay is over"
    ),
}
"""Its name in the stories, and why. A repair takes its line out; nothing is ever weakened for good."""


def is_known_gap(name: str) -> bool:
    """Return whether stories go without this one as yet."""
    return name in KNOWN_GAPS
