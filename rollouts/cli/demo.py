"""`demo`: a good release and a bad one, live."""

import asyncio
import signal
import tempfile
from collections.abc import Coroutine, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from rollouts.cli.output import ReportFormat, ReportOutputOption, emit, say

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

    from rollouts.sandbox.demo import Demo
    from rollouts.sandbox.load import LoadReport
    from rollouts.sandbox.release_report import Release

REFRESH_SECONDS = 0.5
_SPARKS = "▁▂▃▄▅▆▇█"


def demo(output: ReportOutputOption = ReportFormat.TEXT) -> None:
    """
    Release a good and a bad version here, and watch it live.

    Starts a sandbox, sends 50 requests per second, releases a version that is promoted step by
    step, then one that fails 20 % of its requests and is rolled back. Takes about two minutes.
    Exit status: 0 only when both ended so, and no request was lost because of a rollout.

    \b
    Examples:
      rollouts demo
      rollouts demo --output json > report.json
    """  # noqa: D301 - \b keeps the lines apart
    try:
        releases = asyncio.run(_until_told(_run(live=output is ReportFormat.TEXT)))
    except asyncio.CancelledError:
        raise typer.Exit(130) from None
    from rollouts.sandbox.release_report import went_well  # noqa: PLC0415 - brings aiohttp

    if output is ReportFormat.JSON:
        emit({"releases": [asdict(release) for release in releases]}, "json")
    else:
        _print_table(releases)
    if not went_well(releases):
        for finding in findings(releases):
            say(f"rollouts demo: {finding}")
        raise typer.Exit(1)


async def _until_told(work: Coroutine[Any, Any, "list[Release]"]) -> "list[Release]":
    """Run it; SIGTERM and SIGHUP end it as Ctrl-C does, with everything cleaned up."""
    task = asyncio.ensure_future(work)
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await task


async def _run(*, live: bool) -> "list[Release]":
    from rich.console import Console  # noqa: PLC0415 - only verbs that need it pay for it

    from rollouts.cli.sandbox import embedded  # noqa: PLC0415 - as above
    from rollouts.sandbox.demo import Demo  # noqa: PLC0415 - as above

    say("Starting a sandbox: API server, data plane, Prometheus, controller …")
    directory = Path(tempfile.mkdtemp(prefix="rollouts-demo-"))
    async with embedded(directory) as running:
        show = Demo(running)
        console = Console(highlight=False)
        shown = _live(show, console) if live and console.is_terminal else _tell(show)
        showing = asyncio.create_task(shown)
        try:
            return await show.run()
        finally:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)
            say("Stopping the sandbox …")


async def _live(show: "Demo", console: "Console") -> None:
    """Draw the same tree as `get --watch`, with a line about the traffic."""
    from rich.live import Live  # noqa: PLC0415 - only verbs that need it pay for it

    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as screen:
        while True:
            screen.update(_view(show, console), refresh=True)
            await asyncio.sleep(REFRESH_SECONDS)


def _view(show: "Demo", console: "Console") -> "RenderableType":
    from rich.console import Group  # noqa: PLC0415 - only verbs that need it pay for it
    from rich.text import Text  # noqa: PLC0415 - as above

    from rollouts.cli.get_view import render  # noqa: PLC0415 - as above
    from rollouts.cli.rollout_info import rollout_info_of  # noqa: PLC0415 - as above

    head = Text(show.stage, style="bold magenta")
    traffic = _traffic(show.traffic.report)
    rollout, replica_sets, pods = show.objects()
    if rollout is None:
        return Group(head, traffic)
    info = rollout_info_of(rollout, replica_sets, pods)
    tree = render(info, datetime.now(UTC), console, height=console.height - 3)
    return Group(head, traffic, tree)


def _traffic(report: "LoadReport") -> Any:
    """Return one line: the last seconds, how they ended, and who answered."""
    from rich.text import Text  # noqa: PLC0415 - only verbs that need it pay for it

    last = report.seconds[-17:-1]
    line = Text("Traffic ", style="bold", no_wrap=True, overflow="ellipsis")
    if not last:
        return line.append("none yet", style="not bold dim")
    for second in last:
        bad = second.failed + second.lost
        spark = _SPARKS[min(bad, 7)] if bad else "▁"
        line.append(spark, style="not bold red" if bad else "not bold green")
    line.append(f" {last[-1].sent}/s, {report.sent:,} sent, ", style="not bold")
    line.append(f"{report.failed} failed", style="not bold red" if report.failed else "not bold")
    line.append(", ", style="not bold")
    line.append(f"{report.lost} lost", style="bold red" if report.lost else "not bold green")
    answers = ", ".join(
        f"{name or '?'}: {count.responses}" for name, count in sorted(report.versions.items())
    )
    return line.append(f"  ({answers})", style="not bold dim")


async def _tell(show: "Demo") -> None:
    """Tell each stage and each decision once, on stderr: for pipes and logs."""
    told: set[object] = set()
    while True:
        if show.stage not in told:
            told.add(show.stage)
            say(f"== {show.stage}")
        rollout, _, _ = show.objects()
        for entry in ((rollout or {}).get("status") or {}).get("history") or []:
            key = (entry["at"], entry["message"])
            if key not in told:
                told.add(key)
                say(f"{entry['at'][11:19]}  {entry['message']}")
        await asyncio.sleep(REFRESH_SECONDS)


def _print_table(releases: "Sequence[Release]") -> None:
    from rich.console import Console  # noqa: PLC0415 - only verbs that need it pay for it

    console = Console(highlight=False)
    console.print(result_table(releases))
    for release in releases:
        console.print(f"{release.name}: {release.message}", markup=False)


def result_table(releases: "Sequence[Release]") -> "Table":
    """Return one column per release: what became of it, and of the traffic."""
    from rich.table import Table  # noqa: PLC0415 - only verbs that need it pay for it
    from rich.text import Text  # noqa: PLC0415 - as above

    table = Table(box=None, padding=(0, 3, 0, 0), header_style="bold")
    table.add_column("release")
    for release in releases:
        table.add_column(release.name, justify="right")
    styles = {True: "green", False: "bold red"}

    def row(name: str, cells: Sequence[Text | str]) -> None:
        table.add_row(name, *cells)

    row("outcome", [Text(each.outcome, style=styles[each.as_planned]) for each in releases])
    row("seconds until then", [f"{each.duration_seconds:.1f}" for each in releases])
    row("requests", [f"{each.requests:,}" for each in releases])
    row(
        "  to the new version, failed",
        [f"{each.canary_requests:,}, {each.canary_failed_requests:,}" for each in releases],
    )
    row(
        "  to the old version, failed",
        [f"{each.stable_requests:,}, {each.stable_failed_requests:,}" for each in releases],
    )
    row("first bad request to weight 0", [_seconds(each.rollback_seconds) for each in releases])
    row("  told by", [each.rollback_measured_by or "–" for each in releases])
    row("  failed requests in it", [_count(each.rollback_failed_requests) for each in releases])
    row(
        "lost because of the rollout",
        [Text(str(each.lost_requests), style=styles[not each.lost_requests]) for each in releases],
    )
    return table


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} s"


def _count(value: int | None) -> str:
    return "–" if value is None else str(value)


def findings(releases: "Sequence[Release]") -> list[str]:
    """Return what went otherwise than it should, one sentence each."""
    found = [
        f"release {release.name} is {release.outcome}: {release.message}"
        for release in releases
        if not release.as_planned
    ]
    found += [
        f"release {release.name} lost {release.lost_requests} requests: "
        + ", ".join(f"{count} × {reason}" for reason, count in release.lost_reasons.items())
        for release in releases
        if release.lost_requests
    ]
    return found
