"""Finds the objects of one kind that carry a label, without looking at all the others."""

from collections.abc import Iterable, Mapping

Key = tuple[str, str]  # namespace, name


class LabelIndex:
    """Which objects carry which label, per namespace."""

    def __init__(self) -> None:
        self._carriers: dict[tuple[str, str, str], dict[Key, None]] = {}

    def add(self, key: Key, labels: Mapping[str, str]) -> None:
        for label, value in labels.items():
            self._carriers.setdefault((key[0], label, value), {})[key] = None

    def remove(self, key: Key, labels: Mapping[str, str]) -> None:
        for label, value in labels.items():
            carriers = self._carriers[key[0], label, value]
            del carriers[key]
            if not carriers:
                del self._carriers[key[0], label, value]

    def candidates(self, namespace: str, labels: Mapping[str, str]) -> Iterable[Key]:
        """Return the carriers of the rarest of `labels`; not all need carry the others."""
        carriers = [self._carriers.get((namespace, *pair), {}) for pair in labels.items()]
        rarest = min(carriers, key=len)
        return tuple(rarest)
