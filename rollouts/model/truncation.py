"""Texts of others, as ours repeat them: messages go into status, which has to be small enough for etcd."""

from collections.abc import Collection, Sequence

LONGEST = 1000
"""So many characters of what somebody else says are a sentence or two, and enough to act upon."""
_MOST_NAMES = 10


def truncated(text: str, longest: int = LONGEST) -> str:
    """Return a text, or its beginning and an ellipsis."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def truncated_to_bytes(text: str, longest: int) -> str:
    """Return a text, or its beginning and an ellipsis, in at most so many bytes of UTF-8."""
    encoded = text.encode()
    if len(encoded) <= longest:
        return text
    return encoded[: longest - 3].decode(errors="ignore") + "…"


def sendable(text: str) -> str:
    """Return a text with a question mark for half a surrogate, which JSON may have and nobody can send."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def some_of(names: Collection[str]) -> str:
    """Return the first names, sorted, and how many more there are."""
    return first_of(sorted(names), _MOST_NAMES)


def first_of(texts: Sequence[str], most: int) -> str:
    """Return so many of them, in their order, and how many more there are."""
    told, more = ", ".join(texts[:most]), len(texts) - most
    return f"{told} and {more} more" if more > 0 else told
