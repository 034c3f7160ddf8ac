"""`detach`: give everything back to the Deployment, and wait until the Rollout has gone."""

import asyncio
from contextlib import aclosing

from rollouts.cli.commands import NoWaitOption
from rollouts.cli.output import duration_option, plain, say
from rollouts.cli.session import RolloutName, Session
from rollouts.cli.wait import TimeoutOption
from rollouts.cli.watch_rollout import NO_ANSWER, NO_STATUS, get_rollout, watch_rollout
from rollouts.errors import Conflict, NotFound, Permanent
from rollouts.model.kinds import DEPLOYMENT, JSON, FrozenJSON, Ref

TIMED_OUT = 3
_ATTEMPTS = 8


async def detach(
    session: Session,
    name: RolloutName,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = "",  # noqa: ASYNC109 - an option of the verb, named as users know it
) -> int:
    """
    Give everything back to the Deployment, and delete the Rollout.

    A release under way is stopped. Then the Deployment gets its pods again, the Services are
    what they were, and only then the Rollout's own pods go. No request is lost on the way. Only for a
    Rollout with workloadRef.

    \b
    Exit status:
      0  the Rollout is gone, and everything is given back
      1  any failure
      2  wrong usage
      3  timed out; it goes on nevertheless

    \b
    Example:
      rollouts detach checkout --timeout 10m
    """  # noqa: D301 - \b keeps the lines apart
    seconds = duration_option(timeout)
    ref = session.rollout(name)
    deployment = await _ask(session, ref)
    if no_wait:
        say(f"{name} is being given back to Deployment {deployment}")
        return 0
    watcher = _Watcher()
    try:
        async with asyncio.timeout(seconds):
            await watcher.run(session, ref)
    except TimeoutError:
        print(plain(f"{name} is still there after {seconds:g} s: {watcher.last_words}"))
        return TIMED_OUT
    account, given_back = await _account(session, ref, deployment)
    print(plain(f"{name} is gone; {account}"))
    return 0 if given_back else 1


async def _ask(session: Session, ref: Ref) -> str:
    """
    Delete the Rollout, which stays until everything is given back; return its Deployment's name.

    Raises:
        Permanent: it has no Deployment, or that does not exist.
    """
    from rollouts.core.world import DETACH  # noqa: PLC0415 - brings pydantic

    for attempt in range(_ATTEMPTS):
        rollout = await get_rollout(session.requests, ref)
        metadata = rollout["metadata"]
        workload = (rollout.get("spec") or {}).get("workloadRef") or {}
        if not workload.get("name"):
            raise Permanent(
                f"Rollout {ref.name} has no workloadRef, so there is no Deployment to give anything"
                " back to; `kubectl delete rollouts.rollouts.dev` deletes it together with its pods"
            )
        if metadata.get("deletionTimestamp"):
            return str(workload["name"])
        if await _deployment(session, ref, str(workload["name"])) is None:
            raise Permanent(
                f"Deployment {workload['name']} does not exist, so nothing can be given back to it;"
                f" create it, or `kubectl delete rollouts.rollouts.dev {ref.name}` together with its pods"
            )
        finalizers = metadata.get("finalizers") or []
        body = {
            "metadata": {
                "resourceVersion": metadata["resourceVersion"],
                "finalizers": [*(each for each in finalizers if each != DETACH), DETACH],
            }
        }
        try:
            await session.requests.patch(ref, body)
        except Conflict:
            if attempt == _ATTEMPTS - 1:
                raise
            continue
        await session.requests.delete(ref)
        return str(workload["name"])
    raise AssertionError("the last attempt returns or raises")


class _Watcher:
    """Tells what the controller says, once each."""

    def __init__(self) -> None:
        self.last_words = NO_ANSWER

    async def run(self, session: Session, ref: Ref) -> None:
        """Return when the Rollout has gone."""
        try:
            async with aclosing(watch_rollout(session.requests, ref)) as states:
                async for rollout in states:
                    self._tell(rollout)
        except NotFound:
            return

    def _tell(self, rollout: FrozenJSON) -> None:
        status = rollout.get("status") or {}
        words = str(status.get("message") or NO_STATUS)
        if words != self.last_words:
            say(words)
        self.last_words = words


async def _deployment(session: Session, ref: Ref, name: str) -> JSON | None:
    try:
        return await session.requests.get(Ref(DEPLOYMENT, ref.namespace, name))
    except NotFound:
        return None


async def _account(session: Session, ref: Ref, name: str) -> tuple[str, bool]:
    """Return what the Deployment has now, and whether it is there: the Rollout may also have been let go."""
    found = await _deployment(session, ref, name)
    if found is None:
        return f"Deployment {name} does not exist, so nothing was given back", False
    wanted = (found.get("spec") or {}).get("replicas", 1)
    available = (found.get("status") or {}).get("availableReplicas") or 0
    return f"Deployment {name} has {available} of {wanted} pods available", True
