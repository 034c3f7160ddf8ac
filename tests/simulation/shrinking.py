"""
The shortest way to a failure: which moments of a week have a part in it.

Delta debugging (Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", 2002):
halves are left out, then quarters, and so on, for as long as what is left still fails.
"""

from collections.abc import Callable, Sequence

MOST_TRIES = 400


def shrunk(
    moments: Sequence[int], fails: Callable[[Sequence[int]], bool], most_tries: int = MOST_TRIES
) -> list[int]:
    """
    Return moments that still fail, none of which can be left out alone; more when `most_tries` are used up.

    `fails`: whether a week with these moments alone fails as the whole week does.
    """
    kept, parts, tries = list(moments), 2, 0
    while kept and tries < most_tries:
        size = -(-len(kept) // parts)
        for begin in range(0, len(kept), size):
            left = kept[:begin] + kept[begin + size :]
            tries += 1
            if fails(left):
                kept, parts = left, max(2, parts - 1)
                break
            if tries == most_tries:
                return kept
        else:
            if size == 1:
                return kept
            parts = min(len(kept), 2 * parts)
    return kept
