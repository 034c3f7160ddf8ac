"""`list` and `get`: what is, at a glance and live."""

import asyncio
import signal
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

import typer

from rollouts.cli.output import (
    PIPE_WIDTH,
    ListFormat,
    ListOutputOption,
    emit,
    show,
    stdout_console,
)
from rollouts.cli.session import RevisionOption, RolloutName, Session
from rollouts.cli.watch_rollout import get_rollout, watch_rollout
from rollouts.errors import Unavailable, UsageError
from rollouts.model.kinds import JSON, ROLLOUT

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from rollouts.cli.rollout_info import RolloutInfo

REFRESH_SECONDS = 1.0

AllOption = Annotated[
    bool, typer.Option("--all-namespaces", "-A", help="List those of every namespace.")
]
WatchOption = Annotated[
    bool, typer.Option("--watch", "-w", help="Keep the view live, until Ctrl-C.")
]


async def list_rollouts(
    session: Session,
    all_namespaces: AllOption = False,
    output: ListOutputOption = ListFormat.TEXT,
) -> None:
    """
    List Rollouts: phase, step, weight and revision.

    \b
    Examples:
      rollouts list
      rollouts list --all-namespaces --output wide
    """  # noqa: D301 - \b keeps the lines apart
    namespace = "" if all_namespaces else session.namespace
    found = await session.requests.select(ROLLOUT, namespace)
    if output in (ListFormat.JSON, ListFormat.YAML):
        emit({"apiVersion": "v1", "kind": "List", "items": found}, output)
        return
    from rollouts.cli.list_table import rollouts_table  # noqa: PLC0415 - brings rich

    if not found:
        where = "any namespace" if all_namespaces else f"namespace {namespace}"
        print(f"There are no Rollouts in {where}.")
        return
    table = rollouts_table(found, namespaces=all_namespaces, wide=output is ListFormat.WIDE)
    show(stdout_console(at_least=PIPE_WIDTH), table)


async def get(
    session: Session,
    name: RolloutName,
    watch: WatchOption = False,
    revision: RevisionOption = "",
    output: ListOutputOption = ListFormat.TEXT,
) -> None:
    """
    Show one Rollout as a tree; --watch keeps it live.

    Strategy, steps, weights, revisions with their ReplicaSets and pods, success criteria, the
    last decisions. On a terminal --watch redraws; into a pipe it prints a new snapshot when
    something has changed. --output json is the status. --revision shows what is on record of a
    release that is over.

    \b
    Examples:
      rollouts get checkout --watch
      rollouts get checkout --revision 7
      rollouts get checkout --output json | jq .weights
    """  # noqa: D301 - \b keeps the lines apart
    if revision:
        if watch:
            raise UsageError("--watch follows the present release; leave out --revision")
        from rollouts.cli.release_history import show_release  # noqa: PLC0415 - brings pydantic

        rollout = await get_rollout(session.requests, session.rollout(name))
        if await show_release(session.requests, rollout, revision, output):
            return
    if output in (ListFormat.JSON, ListFormat.YAML):
        if watch:
            raise UsageError("--watch is for people; a program waits with `rollouts wait`")
        rollout = await get_rollout(session.requests, session.rollout(name))
        emit(rollout.get("status") or {}, output)
        return
    console = stdout_console()
    if not watch:
        from rollouts.cli.rollout_info import read_rollout_info  # noqa: PLC0415 - brings pydantic

        rollout = await get_rollout(session.requests, session.rollout(name))
        _print(console, await read_rollout_info(session.requests, rollout))
    elif console.is_terminal:
        await _live(session, name, console)
    else:
        await _log(session, name, console)


def _print(console: "Console", info: "RolloutInfo") -> None:
    from datetime import UTC, datetime  # noqa: PLC0415 - with the rest

    from rollouts.cli.get_view import render  # noqa: PLC0415 - brings rich

    show(console, render(info, datetime.now(UTC), console))


class _Latest:
    """The newest state of one Rollout, kept by a task; `changed` is set with each."""

    def __init__(self, session: Session, name: str) -> None:
        self._session = session
        self._ref = session.rollout(name)
        self.rollout: JSON | None = None
        self.changed = asyncio.Event()

    async def keep(self) -> None:
        async with aclosing(watch_rollout(self._session.requests, self._ref)) as states:
            async for state in states:
                self.rollout = state
                self.changed.set()

    async def wait(self, seconds: float) -> None:
        """Return when there is something new, or after `seconds`: pods change without the Rollout."""
        try:
            async with asyncio.timeout(seconds):
                await self.changed.wait()
        except TimeoutError:
            pass
        self.changed.clear()


async def _rollout_infos(
    session: Session, name: str, show: "Callable[[RolloutInfo], None]"
) -> None:
    """Call `show` with each new state, and every second; end with the error that ends it."""
    from rollouts.cli.rollout_info import read_rollout_info  # noqa: PLC0415 - brings pydantic

    latest = _Latest(session, name)
    keeper = asyncio.create_task(latest.keep())
    try:
        while not keeper.done():
            await latest.wait(REFRESH_SECONDS)
            if latest.rollout is not None:
                try:
                    show(await read_rollout_info(session.requests, latest.rollout))
                except Unavailable:
                    continue  # the keeper tells, and waits it out
        keeper.result()
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)


async def _live(session: Session, name: str, console: "Console") -> None:
    from datetime import UTC, datetime  # noqa: PLC0415 - with the rest

    from rich.live import Live  # noqa: PLC0415 - only the live view needs it

    from rollouts.cli.get_view import render  # noqa: PLC0415 - brings rich

    latest: list[RolloutInfo] = []
    screen = Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop")

    def redraw() -> None:
        for info in latest:
            view = render(info, datetime.now(UTC), console, height=console.height)
            screen.update(view, refresh=True)

    def draw(info: "RolloutInfo") -> None:
        latest[:] = [info]
        redraw()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGWINCH, redraw)
    try:
        with screen:
            await _rollout_infos(session, name, draw)
    finally:
        loop.remove_signal_handler(signal.SIGWINCH)
        for info in latest:  # what the other screen showed last stays to be read
            _print(console, info)


async def _log(session: Session, name: str, console: "Console") -> None:
    seen: list[object] = []

    def log(info: "RolloutInfo") -> None:
        if seen and seen[-1] == info.version:
            return
        if seen:
            print()
        seen[:] = [info.version]
        _print(console, info)

    await _rollout_infos(session, name, log)
