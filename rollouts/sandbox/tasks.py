"""Ending tasks of asyncio."""

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any


async def cancel(task: asyncio.Task[Any]) -> None:
    """Cancel a task, and return when it has ended; one that has failed raises its error."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def cancel_all(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks, and return when all have ended, however each has."""
    cancelled = list(tasks)
    for task in cancelled:
        task.cancel()
    await asyncio.gather(*cancelled, return_exceptions=True)
