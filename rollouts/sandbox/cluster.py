"""
What a node and a data plane ask of an API server, whichever it is.

Reads are of a moment: now, or that of the last event that a watch has brought.
"""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Protocol

from rollouts.backoff import Backoff
from rollouts.errors import Unavailable
from rollouts.model.kinds import JSON, FrozenJSON, Kind
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.etcd import Change

RETRY = Backoff(first_seconds=0.05, longest_seconds=2.0)


class Objects(Protocol):
    """What is there, as far as we have heard."""

    def get(self, kind: Kind, namespace: str, name: str) -> JSON | None:
        """Return a copy of the object, or None."""
        ...

    def select(
        self, kind: Kind, namespace: str = "", labels: Mapping[str, str] | None = None
    ) -> list[JSON]:
        """Return copies of a namespace's objects (of all, for "") that carry all of `labels`."""
        ...

    def served(self, kind: Kind) -> Kind | None:
        """Return the kind as it is, or else in another version that is served; None when none is."""
        ...

    def changes(self, *kinds: Kind) -> AsyncGenerator[Change]:
        """Yield what exists as ADDED, then every change as it happens, for ever."""
        ...


class Cluster(Objects, Protocol):
    """
    What is there, and the ways to change it.

    Each write raises ApiError when it is refused, and Unavailable when there is no answer; then
    it may have been made.
    """

    async def create(self, kind: Kind, body: FrozenJSON) -> None:
        """Store a new object."""
        ...

    async def patch(
        self, kind: Kind, namespace: str, name: str, patch: FrozenJSON, subresource: str = ""
    ) -> None:
        """Change an object: a built-in one by a strategic merge, which knows keys of lists."""
        ...

    async def delete(self, kind: Kind, obj: FrozenJSON, grace_seconds: int) -> None:
        """Delete an object: that one, and none that bears its name by now."""
        ...

    async def bind(self, pod: FrozenJSON, node: str) -> None:
        """Put a pod on a node."""
        ...


async def insist(write: Callable[[], Awaitable[None]]) -> bool:
    """Write, again and again until there is an answer; return whether it is a yes."""
    for attempt in itertools.count(1):
        try:
            await write()
        except ApiError:
            return False
        except Unavailable:
            await asyncio.sleep(RETRY.delay(attempt))
            continue
        break
    return True
