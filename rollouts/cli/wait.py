"""`wait`: until one revision is promoted, or can't be any more."""

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from rollouts.cli.output import (
    WaitFormat,
    WaitOutputOption,
    duration_option,
    emit,
    plain,
    say,
)
from rollouts.cli.session import RevisionOption, RolloutName, Session
from rollouts.cli.watch_rollout import NO_ANSWER, NO_STATUS, again, watch_rollout
from rollouts.errors import RolloutsError
from rollouts.model.kinds import REPLICA_SET, FrozenJSON, Ref
from rollouts.model.owners import is_controlled_by

if TYPE_CHECKING:
    from collections.abc import Callable

    from rollouts.cli.wait_outcome import WaitOutcome, Wanted
    from rollouts.model.status import RolloutStatus

FIRST_LOOK_SECONDS = 5.0
"""So long the first look may take, however short the timeout: before it, nothing can be said."""

TICK_SECONDS = 5.0
HEARTBEAT_SECONDS = 60.0
"""After so long without a line it says what it waits for: a CI log that is silent looks dead."""

TimeoutOption = Annotated[
    str,
    typer.Option(
        "--timeout",
        metavar="T",
        help="Give up after this long, such as 90s or 10m. Default: never.",
    ),
]
FailOnPauseOption = Annotated[
    bool,
    typer.Option(
        "--fail-on-pause",
        help="Exit with 4 as soon as it waits for a person, and not for evidence alone.",
    ),
]


async def wait(
    session: Session,
    name: RolloutName,
    *,
    revision: RevisionOption = "",
    timeout: TimeoutOption = "",  # noqa: ASYNC109 - an option of the verb, named as users know it
    fail_on_pause: FailOnPauseOption = False,
    output: WaitOutputOption = WaitFormat.TEXT,
) -> int:
    """
    Wait for a revision; the exit status says what became of it.

    Without --revision it is the one that the object's present template means: apply, then wait,
    and the success of an older revision is never taken for yours. Decisions are told on stderr
    as they are made, and once a minute what is waited for; stdout has the result: a line, a
    document, JUnit's XML, or Markdown for the summary of a job.

    \b
    Exit status:
      0  promoted, even if a newer revision has replaced it since
      1  rolled back, also after its promotion; or degraded, or any other failure
      2  wrong usage
      3  timed out
      4  it waits for a person, and not for evidence alone (only with --fail-on-pause)
      5  superseded by a newer revision before it was promoted

    \b
    Examples:
      kubectl apply -f rollout.yaml && rollouts wait checkout --timeout 15m
      rollouts wait checkout --revision 7 --fail-on-pause --output json
      rollouts wait checkout --output github >> "$GITHUB_STEP_SUMMARY"
    """  # noqa: D301 - \b keeps the lines apart
    seconds = duration_option(timeout)
    found, wanted = await wait_for(session, name, revision, seconds, fail_on_pause=fail_on_pause)
    await report(session, name, (found, wanted), output)
    return int(found.exit)


async def wait_for(
    session: Session,
    name: str,
    revision: "str | Wanted",
    timeout_seconds: float | None,
    *,
    fail_on_pause: bool = False,
) -> "tuple[WaitOutcome, Wanted]":
    """
    Wait, telling each decision once; return how it ended, and the revision that was meant.

    Raises:
        NotFound: the Rollout does not exist, or was deleted.
        Unavailable: the cluster did not answer at all.
    """
    from rollouts.cli.wait_outcome import Exit, WaitOutcome  # noqa: PLC0415 - brings pydantic

    ref = session.rollout(name)
    watcher = _Watcher(session, ref, revision)
    first_seconds, end = None, None
    if timeout_seconds is not None:
        first_seconds = max(timeout_seconds, FIRST_LOOK_SECONDS)
        end = asyncio.get_running_loop().time() + timeout_seconds
    try:
        async with asyncio.timeout(first_seconds) as limit:
            watcher.looked = lambda: limit.reschedule(end)
            return await watcher.run(fail_on_pause=fail_on_pause), watcher.wanted
    except TimeoutError:
        text = f"{watcher.wanted} is not promoted after {timeout_seconds:g} s: {watcher.last_words}"
        return WaitOutcome(Exit.TIMED_OUT, "timed-out", text), watcher.wanted


async def report(
    session: Session, name: str, ended: "tuple[WaitOutcome, Wanted]", output: WaitFormat
) -> None:
    """Print how it ended: one line, or one document."""
    found, wanted = ended
    if output in (WaitFormat.JUNIT, WaitFormat.GITHUB):
        from rollouts.cli.ci_report import (  # noqa: PLC0415 - brings pydantic
            junit,
            markdown,
            read_ci_report,
        )

        told = await read_ci_report(session, name, found, wanted)
        print(junit(told) if output is WaitFormat.JUNIT else markdown(told))
        return
    if output is WaitFormat.TEXT:
        print(plain(f"{name}: {found.message}"))
        return
    document = {
        "rollout": name,
        "revision": wanted.number,
        "hash": wanted.hash or None,
        "outcome": found.word,
        "exitCode": int(found.exit),
        "message": found.message,
    }
    emit(document, output)


class _Watcher:
    """Follows the Rollout; remembers which revision is meant and what was told."""

    def __init__(self, session: Session, ref: Ref, revision: "str | Wanted") -> None:
        from rollouts.cli.wait_outcome import Wanted  # noqa: PLC0415 - brings pydantic

        self._session = session
        self._ref = ref
        self._revision = revision
        self._told: set[tuple[str, str]] = set()
        self.wanted = Wanted()
        self._since: datetime | None = None
        self.looked: Callable[[], None] = lambda: None
        self._no_answer = asyncio.Event()
        self._state = ""
        self._still_to_come = ""
        self.preflight = ""
        self._said_at = asyncio.get_running_loop().time()

    @property
    def last_words(self) -> str:
        """What is known at the end, and whether that is still so."""
        if not self._state:
            return NO_ANSWER
        if self._no_answer.is_set():
            return f"the cluster has stopped answering; before that: {self._state}"
        return self._state

    async def run(self, *, fail_on_pause: bool) -> "WaitOutcome":
        from rollouts.cli.wait_outcome import outcome, pin  # noqa: PLC0415 - brings pydantic

        async with (
            aclosing(watch_rollout(self._session.requests, self._ref, self._no_answer)) as states,
            aclosing(again(states, TICK_SECONDS)) as looks,
        ):
            first = True
            async for rollout in looks:
                if first:
                    self.wanted = await self._meant(rollout)
                    self._since = self._earliest_begin(rollout)
                    first = False
                self.wanted = pin(rollout, self.wanted)
                self._tell(rollout)
                now = datetime.now(UTC)
                found = outcome(rollout, self.wanted, fail_on_pause=fail_on_pause, now=now)
                if found is not None:
                    return await self._as_recorded(rollout, found)
                self._show_life(now)
                self.looked()
        raise AssertionError("following never ends by itself")

    async def _as_recorded(self, rollout: FrozenJSON, found: "WaitOutcome") -> "WaitOutcome":
        """Return how it ended by its record, where status does not remember; else what is found."""
        from rollouts.cli.past_releases import (  # noqa: PLC0415 - brings pydantic
            read_past_releases,
        )
        from rollouts.cli.wait_outcome import Exit, on_record  # noqa: PLC0415 - as above

        if found.exit is not Exit.SUPERSEDED:
            return found
        try:
            past = await read_past_releases(self._session.requests, rollout)
        except RolloutsError:
            return found
        return on_record(past, self.wanted, since=self._since) or found

    def _earliest_begin(self, rollout: FrozenJSON) -> datetime | None:
        """
        Return when the release that is meant has begun at the earliest; None where it may be any of the past.

        Of who names no revision it is the one under way, or one that is to begin: what became of the
        same template long ago says nothing of it.
        """
        from rollouts.cli.wait_outcome import status_of  # noqa: PLC0415 - brings pydantic

        names_one = isinstance(self._revision, str) and self._revision != ""
        return None if names_one else status_of(rollout).started_at

    async def _meant(self, rollout: FrozenJSON) -> "Wanted":
        from rollouts.cli.template_source import wanted_revision  # noqa: PLC0415 - brings pydantic
        from rollouts.cli.wait_outcome import parse_revision  # noqa: PLC0415 - brings pydantic

        if not isinstance(self._revision, str):
            return self._revision
        if not self._revision:
            return await wanted_revision(self._session.requests, rollout, self._ref)
        replica_sets = await self._session.requests.select(REPLICA_SET, self._ref.namespace)
        return parse_revision(
            self._revision,
            [replica_set for replica_set in replica_sets if is_controlled_by(replica_set, rollout)],
        )

    def _tell(self, rollout: FrozenJSON) -> None:
        from rollouts.cli.wait_outcome import (  # noqa: PLC0415 - brings pydantic
            is_observed,
            status_of,
            still_to_come,
        )

        status, absent = status_of(rollout), still_to_come(rollout, self.wanted)
        self._state = (
            absent or status.message or NO_STATUS
            if is_observed(rollout, self.wanted)
            else "no controller has seen the present spec yet; does one run?"
        )
        if absent not in ("", self._still_to_come):
            self._still_to_come = absent
            self._say(absent)
        self._tell_preflight(status)
        for entry in status.history:
            key = (entry.at.isoformat(), entry.message)
            if self.wanted.number in (None, entry.revision) and key not in self._told:
                self._told.add(key)
                if self.wanted.number is not None:
                    self._say(f"{entry.at.astimezone():%H:%M:%S}  {entry.message}")

    def _tell_preflight(self, status: "RolloutStatus") -> None:
        """Say what is in the way, as soon as it is known: a release can be promoted and answer nobody."""
        found = status.preflight
        if found is not None and found.message != self.preflight:
            self._say(f"warning: {found.reason}: {found.message}")
        self.preflight = found.message if found is not None else ""

    def _show_life(self, now: datetime) -> None:
        """Say what is waited for, when nothing has been said for long."""
        if asyncio.get_running_loop().time() - self._said_at >= HEARTBEAT_SECONDS:
            self._say(f"{now.astimezone():%H:%M:%S}  still waiting: {self.last_words}")

    def _say(self, text: str) -> None:
        self._said_at = asyncio.get_running_loop().time()
        say(text)
