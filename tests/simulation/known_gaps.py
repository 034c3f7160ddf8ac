"""What the product can't do yet: each keeps one random event, or one invariant, out of the stories."""

KNOWN_GAPS: dict[str, str] = {}
"""Its name in the stories, and why. A repair takes its line out; nothing is ever weakened for good."""


def is_known_gap(name: str) -> bool:
    """Return whether stories go without this one as yet."""
    return name in KNOWN_GAPS
