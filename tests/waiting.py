"""
The one place where tests wait: for a condition, with a deadline, and never for a length of time.

What a test waits for is in other processes, or in tasks that tell nobody; so it is asked again
and again, at short intervals.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TypeVar

import aiohttp

PATIENCE_SECONDS = 10.0
Answer = TypeVar("Answer")


async def until(
    condition: Callable[[], object],
    seconds: float = PATIENCE_SECONDS,
    *,
    account: Callable[[], object] = str,
    every_seconds: float = 0.005,
) -> None:
    """
    Return when the condition holds, which is asked `every_seconds`.

    Raises:
        TimeoutError: it still does not after `seconds`; `account` says what there is instead.
    """
    try:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - a condition may be anything
                await asyncio.sleep(every_seconds)
    except TimeoutError:
        raise TimeoutError(f"it never came within {seconds} s; {account()}") from None


async def answer(
    ask: Callable[[], Awaitable[Answer | None]], seconds: float = PATIENCE_SECONDS
) -> Answer:
    """Return the first answer that is true; raises as `until`."""
    try:
        async with asyncio.timeout(seconds):
            while not (given := await ask()):  # noqa: ASYNC110 - nothing tells us
                await asyncio.sleep(0.02)
            return given
    except TimeoutError:
        raise TimeoutError(f"no answer within {seconds} s") from None


async def served(url: str, host: str) -> None:
    """Wait until requests find the app: an ingress knows a moment later than its cluster."""
    async with aiohttp.ClientSession() as http:

        async def serves() -> bool:
            async with http.get(url, headers={"Host": host}) as response:
                return response.status == HTTPStatus.OK

        await answer(serves)


async def known_to(prometheus_url: str, promql: str) -> None:
    """Wait until Prometheus has an answer: it meets a new target some seconds after its start."""
    async with aiohttp.ClientSession() as http:

        async def knows() -> bool:
            query = {"query": promql}
            async with http.get(f"{prometheus_url}/api/v1/query", params=query) as response:
                return bool((await response.json()).get("data", {}).get("result"))

        await answer(knows)


def comes_true(condition: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> bool:
    """Return whether the condition holds before `seconds` are over; blocks, for tests without a loop."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
