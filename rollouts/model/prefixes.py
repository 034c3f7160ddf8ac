"""Which of many beginnings a text has."""

from collections.abc import Iterable, Iterator


class Prefixes:
    """Beginnings of texts; however many there are, it is looked up by their lengths alone."""

    def __init__(self, prefixes: Iterable[str]) -> None:
        self._known = frozenset(prefixes)
        self._lengths = sorted({len(each) for each in self._known})

    def of(self, text: str) -> Iterator[str]:
        """Yield those that `text` begins with, the shortest first."""
        for length in self._lengths:
            if length > len(text):
                return
            if text[:length] in self._known:
                yield text[:length]
