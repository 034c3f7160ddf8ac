"""
A fault to try: the controller is killed right after some of its writes, before it hears that
they were made, and a successor has to go on from what is in the cluster.

Nothing else is killed, and nothing is written.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from rollouts.errors import Unavailable
from rollouts.sandbox.apiserver.audit import AuditEntry
from rollouts.sandbox.environment import Sandbox

CONTROLLER = "rollouts:rollouts"
"""The end of the user's name, as which the controller asks."""
_READS = {"get", "list", "watch"}


def is_write(entry: AuditEntry) -> bool:
    """Return whether the controller tried to write something."""
    return CONTROLLER in entry.user and entry.verb not in _READS


@asynccontextmanager
async def crashing(
    sandbox: Sandbox, chosen: Callable[[AuditEntry], bool]
) -> AsyncIterator[list[str]]:
    """
    Kill the controller after each of its writes that `chosen` says yes to, until left.

    Gives a list of those writes, such as `patch services`, which grows. Each successor has at
    least one write to make before it is killed.
    """
    dead, fatal = asyncio.Event(), list[str]()

    def hear(entry: AuditEntry) -> None:
        if not is_write(entry) or dead.is_set() or not chosen(entry):
            return
        fatal.append(f"{entry.verb} {'/'.join(filter(None, [entry.resource, entry.subresource]))}")
        sandbox.strike_controller()
        dead.set()

    sandbox.api.audit.heard = hear
    reviving = asyncio.create_task(_revive(sandbox, dead))
    try:
        yield fatal
    finally:
        sandbox.api.audit.heard = lambda _: None
        reviving.cancel()
        await asyncio.gather(reviving, return_exceptions=True)


async def _revive(sandbox: Sandbox, dead: asyncio.Event) -> None:
    """Start a successor after each death."""
    while True:
        await dead.wait()
        await sandbox.kill_controller()  # it is dead: this waits for its end
        dead.clear()
        with suppress(Unavailable):  # killed before it had said that it is ready
            await sandbox.start_controller()
