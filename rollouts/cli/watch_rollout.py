"""Following one Rollout through cuts of the connection."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from rollouts.backoff import Backoff
from rollouts.cli.output import say
from rollouts.cli.session import Requests
from rollouts.errors import NotFound, Unavailable
from rollouts.model.kinds import JSON, Ref

BACKOFF = Backoff(first_seconds=0.5, longest_seconds=5.0)
NO_ANSWER = "the cluster did not answer in time"
NO_STATUS = "no controller has written a status yet; does one run?"


async def watch_rollout(
    requests: Requests, ref: Ref, no_answer: asyncio.Event | None = None
) -> AsyncGenerator[JSON]:
    """
    Yield the object now and after each change, for ever; cuts are waited out.

    `no_answer` is set as long as the cluster does not answer.

    Raises:
        NotFound: it does not exist, or was deleted.
        Unavailable: the cluster did not answer the first request.
    """
    seen, told, failures = False, False, 0
    no_answer = no_answer or asyncio.Event()
    while True:
        try:
            async with aclosing(requests.watch(ref)) as states:
                async for state in states:
                    if state is None:
                        raise not_found(ref, deleted=seen)
                    if told:
                        say("the cluster answers again")
                    seen, told, failures = True, False, 0
                    no_answer.clear()
                    yield state
        except Unavailable as error:
            if not seen:
                raise
            if not told:
                say(f"the cluster does not answer, and is asked again: {error}")
            told = True
            no_answer.set()
        failures += 1
        await asyncio.sleep(BACKOFF.delay(failures))


async def again(states: AsyncGenerator[JSON], seconds: float) -> AsyncGenerator[JSON]:
    """Yield each state, and the same one once more whenever `seconds` have brought no other."""
    latest: JSON | None = None
    coming = asyncio.ensure_future(anext(states))
    try:
        while True:
            await asyncio.wait({coming}, timeout=seconds)
            if coming.done():
                latest = coming.result()
                coming = asyncio.ensure_future(anext(states))
            if latest is not None:
                yield latest
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)


def not_found(ref: Ref, *, deleted: bool = False) -> NotFound:
    """Return the error for a Rollout that is not there, with the way out."""
    if deleted:
        return NotFound(f"Rollout {ref.name} in namespace {ref.namespace} was deleted")
    return NotFound(
        f"there is no Rollout {ref.name} in namespace {ref.namespace};"
        " `rollouts list --all-namespaces` shows those that exist"
    )


async def get_rollout(requests: Requests, ref: Ref) -> JSON:
    """
    Return the Rollout.

    Raises:
        NotFound: with the way out.
    """
    try:
        return await requests.get(ref)
    except NotFound as error:
        raise (
            not_found(ref) if ref.name in str(error) and "not found" in str(error) else error
        ) from None
