"""What the product can't do yet: each keeps one random event, or one invariant, out of the stories."""

KNOWN_GAPS: dict[str, str] = {
    "called past us": (
        "a Service that the spec names no longer is given back although a named route still leads there:"
        " what pods a later release makes get requests by it, whatever its weight is"
    ),
    "left behind": (
        "a Rollout that comes back from a backup without its status does not know the Services that it had bound"
        " and that its spec names no longer: Preflight says so, and a first deploy ends their pods all the same"
    ),
    "shared for a moment": (
        "when somebody takes our key out of a Service, a revision that was left gets requests until it is bound"
        " again, and its pods go after their old delay all the same"
    ),
}
"""Its name in the stories, and why. A repair takes its line out; nothing is ever weakened for good."""


def is_known_gap(name: str) -> bool:
    """Return whether stories go without this one as yet."""
    return name in KNOWN_GAPS
