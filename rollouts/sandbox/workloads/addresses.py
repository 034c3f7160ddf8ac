"""Addresses for pods, from the loopback network of one sandbox."""

from rollouts.errors import RetryLater

_FIRST, _LAST = 1, 250


class Addresses:
    """
    Gives out 127.N.1.1, 127.N.1.2, … 127.N.250.250, each to one holder at a time.

    One that was given back is used again only after all others had their turn, so that
    whoever still remembers the old holder is not led to a new one.
    """

    def __init__(self, network: int) -> None:
        self._network = network
        self._next = 0
        self._held: set[str] = set()

    def take(self) -> str:
        """
        Return an address that nobody holds.

        Raises:
            RetryLater: every one is held.
        """
        size = (_LAST - _FIRST + 1) ** 2
        for _ in range(size):
            third, fourth = divmod(self._next, _LAST)
            self._next = (self._next + 1) % size
            address = f"127.{self._network}.{third + _FIRST}.{fourth + _FIRST}"
            if address not in self._held:
                self._held.add(address)
                return address
        raise RetryLater("every pod address is in use")

    def give_back(self, address: str) -> None:
        """Let others have it; only when no process can hold it any more."""
        self._held.discard(address)
