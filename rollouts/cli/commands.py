"""promote, abort, rollback, retry, pause, resume, restart: a command in an annotation, and the controller's answer."""

import getpass
import os
import uuid
from datetime import UTC, datetime
from typing import Annotated

import typer

from rollouts.cli.kubeconfig import kubeconfig_user
from rollouts.cli.send_command import send, shown_hold, shown_step
from rollouts.cli.session import (
    GlobalOptions,
    RevisionOption,
    RolloutName,
    Session,
    complete_revision,
)
from rollouts.cli.watch_rollout import get_rollout
from rollouts.errors import UsageError
from rollouts.model.kinds import JSON
from rollouts.model.moments import format_time

NoWaitOption = Annotated[
    bool, typer.Option("--no-wait", help="Do not wait for the controller's answer.")
]
FullOption = Annotated[bool, typer.Option("--full", help="Skip all steps that remain.")]
ToOption = Annotated[
    str,
    typer.Option(
        "--to",
        "--to-revision",
        metavar="REVISION",
        help="The revision to go back to: its number or hash.",
        autocompletion=complete_revision,
    ),
]
StepOption = Annotated[
    str,
    typer.Option(
        "--step", metavar="N", help="The step to pass: its number, or promotion. Default: this one."
    ),
]
ReasonOption = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="The reason, for the history.")
]


async def promote(
    session: Session,
    name: RolloutName,
    *,
    full: FullOption = False,
    step: StepOption = "",
    revision: RevisionOption = "",
    no_wait: NoWaitOption = False,
) -> int:
    """
    Go past the pause or analysis that holds the release.

    The command names the step that runs at the moment of the call: sent twice, it passes one gate.

    \b
    Examples:
      rollouts promote checkout               past this pause or analysis
      rollouts promote checkout --step 2      past step 2, and no other
      rollouts promote checkout --full        past all steps that remain; criteria still count
      rollouts promote checkout --revision 7  only if 7 is still the current revision
    """  # noqa: D301 - \b keeps the lines apart
    if full and step:
        raise UsageError("--full passes all steps that remain: leave --step out")
    if step and step != "promotion" and not (step.isdecimal() and int(step)):
        raise UsageError(f"--step: expected a number from 1 on, or promotion, got {step!r}")
    command = {"verb": "promote-full"} if full else {"verb": "promote", "step": step}
    return await _command(session, name, {**command, "revision": revision}, no_wait=no_wait)


async def abort(
    session: Session,
    name: RolloutName,
    reason: ReasonOption = "",
    revision: RevisionOption = "",
    no_wait: NoWaitOption = False,
) -> int:
    """
    Send all traffic back to the stable revision, now.

    \b
    Example:
      rollouts abort checkout --reason "odd log lines"
    """  # noqa: D301 - \b keeps the lines apart
    command = {"verb": "abort", "revision": revision, **({"reason": reason} if reason else {})}
    return await _command(session, name, command, no_wait=no_wait)


async def retry(
    session: Session,
    name: RolloutName,
    revision: RevisionOption = "",
    no_wait: NoWaitOption = False,
) -> int:
    """
    Try a rolled-back revision again, from step 1.

    \b
    Examples:
      rollouts retry checkout
      rollouts retry checkout --revision 4
    """  # noqa: D301 - \b keeps the lines apart
    return await _command(session, name, {"verb": "retry", "revision": revision}, no_wait=no_wait)


async def pause(
    session: Session,
    name: RolloutName,
    revision: RevisionOption = "",
    no_wait: NoWaitOption = False,
) -> int:
    """
    Hold a rollout where it is, until resume. A bad release is still rolled back.

    \b
    Examples:
      rollouts pause checkout
    """  # noqa: D301 - \b keeps the lines apart
    return await _command(session, name, {"verb": "pause", "revision": revision}, no_wait=no_wait)


async def resume(
    session: Session,
    name: RolloutName,
    revision: RevisionOption = "",
    no_wait: NoWaitOption = False,
) -> int:
    """
    Let a paused rollout go on.

    \b
    Examples:
      rollouts resume checkout
    """  # noqa: D301 - \b keeps the lines apart
    return await _command(session, name, {"verb": "resume", "revision": revision}, no_wait=no_wait)


async def restart(
    session: Session,
    name: RolloutName,
    revision: RevisionOption = "",
    no_wait: NoWaitOption = False,
) -> int:
    """
    Replace the stable revision's pods by new ones, a few at a time.

    Pods are evicted, so that PodDisruptionBudgets are respected; nothing else is changed.

    \b
    Examples:
      rollouts restart checkout
      rollouts get checkout --watch   how far it is
      rollouts abort checkout         no more pods are replaced
    """  # noqa: D301 - \b keeps the lines apart
    return await _command(session, name, {"verb": "restart", "revision": revision}, no_wait=no_wait)


async def rollback(
    session: Session,
    name: RolloutName,
    *,
    to: ToOption = "",
    reason: ReasonOption = "",
    revision: RevisionOption = "",
    no_wait: NoWaitOption = False,
) -> int:
    """
    Go back to a revision that was stable before, without steps.

    In the middle of a rollout that is abort. After it, the revision before takes over: by one
    write while it is still warm (blueGreen), else as soon as it has its full size. The template
    is left as it is, so the Rollout stays Degraded until it changes, or until retry.

    \b
    Examples:
      rollouts rollback checkout              to the revision that was stable before
      rollouts rollback checkout --to 3       to revision 3, by its number or hash
    """  # noqa: D301 - \b keeps the lines apart
    extra = {key: value for key, value in (("to", to), ("reason", reason)) if value}
    command = {"verb": "rollback", "revision": revision, **extra}
    return await _command(session, name, command, no_wait=no_wait)


_MAY_LACK = ("step", "hold")


async def _command(session: Session, name: str, command: JSON, *, no_wait: bool) -> int:
    """Send the command for the revision, and the step, that are seen now; return 1 when it is refused."""
    if not command["revision"] or command.get("step") == "":
        rollout = await get_rollout(session.requests, session.rollout(name))
        current = (rollout.get("status") or {}).get("currentRevision") or {}
        command["revision"] = command["revision"] or current.get("hash", "")
        if command.get("step") == "":
            command |= {"step": shown_step(rollout), "hold": shown_hold(rollout)}
    command = {
        "id": str(uuid.uuid4()),
        **{key: value for key, value in command.items() if value or key not in _MAY_LACK},
        "by": user_of(session.settings),
        "at": format_time(datetime.now(UTC), "seconds"),
    }
    return await send(session, name, command, no_wait=no_wait)


def user_of(settings: GlobalOptions) -> str:
    """Return who we are: the kubeconfig's user, else the user of this machine."""
    named = kubeconfig_user(settings.kubeconfig, settings.context)
    if named:
        return named
    try:
        return os.environ.get("USER") or getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
