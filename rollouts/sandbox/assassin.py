"""
A fault to try: the controller dies right after some of its writes, before it hears that they
were made, and a successor has to go on from what is in the cluster.

Nothing else is killed, and nothing is written.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from rollouts.errors import Unavailable
from rollouts.sandbox.apiserver.audit import AuditEntry
from rollouts.sandbox.environment import Sandbox

CONTROLLER = "rollouts:rollouts"
"""The end of the user's name, as which the controller asks."""
_READS = {"get", "list", "watch"}


def is_write(entry: AuditEntry) -> bool:
    """Say whether the controller tried to write something."""
    return CONTROLLER in entry.user and entry.verb not in _READS


class Assassin:
    """
    Kills the sandbox's controller after its write number n in a namespace if `strikes(namespace, n)`.

    The first write is number 1. Each successor has at least one write to make before it dies.
    """

    def __init__(self, sandbox: Sandbox, strikes: Callable[[str, int], bool]) -> None:
        self._sandbox = sandbox
        self._strikes = strikes
        self._writes: Counter[str] = Counter()
        self._dead = asyncio.Event()
        self.killed_after: list[str] = []
        """After which writes it has killed, such as `patch ingresses`."""
        sandbox.api.audit.heard = self._hear

    def _hear(self, entry: AuditEntry) -> None:
        if not is_write(entry) or self._dead.is_set():
            return
        self._writes[entry.namespace] += 1
        if self._strikes(entry.namespace, self._writes[entry.namespace]):
            where = "/".join(filter(None, [entry.resource, entry.subresource]))
            self.killed_after.append(f"{entry.verb} {where}")
            self._sandbox.strike_controller()
            self._dead.set()

    async def let_live(self) -> None:
        """Start a successor after each death, until cancelled."""
        while True:
            await self._dead.wait()
            await self._sandbox.kill_controller()  # it is dead: this waits for its end
            self._dead.clear()
            with suppress(Unavailable):  # killed before it had said that it is ready
                await self._sandbox.start_controller()
