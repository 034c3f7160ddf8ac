"""Waiting until a server of ours answers over HTTP."""

import asyncio
from collections.abc import Callable

import aiohttp

from rollouts.errors import Unavailable
from rollouts.sandbox.processes import Process

_ONE_TRY = aiohttp.ClientTimeout(total=2)


async def until_answered(
    url: str,
    *,
    within_seconds: float,
    expected: int = 200,
    gave_up: Callable[[], str] = lambda: "",
) -> None:
    """
    Return when a GET of `url` is answered with the status `expected`.

    `gave_up` returns a reason when waiting has become pointless (the process has ended).

    Raises:
        Unavailable: no such answer in time, or `gave_up` had a reason; it says which.
    """
    seen = "no answer"
    try:
        async with asyncio.timeout(within_seconds), aiohttp.ClientSession() as session:
            while True:
                reason = gave_up()
                if reason:
                    raise Unavailable(f"{url}: {reason}")
                try:
                    async with session.get(url, timeout=_ONE_TRY) as response:
                        if response.status == expected:
                            return
                        seen = f"HTTP status {response.status}"
                except (aiohttp.ClientError, TimeoutError) as error:
                    seen = str(error) or type(error).__name__
                await asyncio.sleep(0.03)
    except TimeoutError:
        raise Unavailable(f"{url} is not ready after {within_seconds:g} s: {seen}") from None


async def until_ready(process: Process, url: str, within_seconds: float) -> None:
    """
    Return when a process that has just been started answers at `url`.

    Raises:
        Unavailable: it does not in time, or has ended; it says where the log is.
    """
    await until_answered(url, within_seconds=within_seconds, gave_up=lambda: ended(process))


def ended(process: Process) -> str:
    """Return "" while the process runs, and else what became of it and where its log is."""
    if process.returncode is None:
        return ""
    return f"{process.name} ended with status {process.returncode}; see {process.log}"
