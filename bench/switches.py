"""
Does a blue-green switch lose a request, and how long is the way back?

    python -m bench.switches [--switches 20] [--rollbacks 20] [--rate 60] [--output json]

Under steady traffic, a good version is switched to and promoted, then one is switched to
and taken back, and so on. Half of those that are taken back are good, and somebody says
`abort` or `rollback` in the bake; half fail some of their requests, and a criterion does it.

The way back is timed by the clients: from the command, or from the first failed answer,
to the last answer of the version that was taken back. Exit status 1 when a request was
lost: refused, reset, timed out, or answered by anybody but the app.
"""

import argparse
import asyncio
import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal

from bench.app import App, sandbox
from bench.manifests import GOOD, NAME, SOON, ingress, rollout, service
from bench.progress import say
from bench.traffic import Stream, Total, Traffic
from rollouts.model.kinds import JSON
from rollouts.sandbox.environment import Sandbox
from rollouts.sandbox.load import Target, VersionCount

NAMESPACE = "switches"
HOST = "switches.example"
BAKED_ANSWERS = 60
"""So many answers a good version gives in its bake before somebody decides."""

Way = Literal["promotion", "abort", "rollback", "criterion"]
WAYS_BACK: tuple[Way, ...] = ("abort", "criterion", "rollback", "criterion")


@dataclass(frozen=True)
class Change:
    """
    One version's way to the active Service and, but for a promotion, back.

    `seconds` is how long two versions answered after a switch to stay, or what the way back took.
    """

    version: str
    way: Way
    seconds: float
    failed: int
    lost: int


class Trial:
    """Versions that come and go under the traffic of `traffic`."""

    def __init__(self, app: App, traffic: Traffic, error_rate: str) -> None:
        self._app = app
        self._traffic = traffic
        self._error_rate = error_rate
        self._stable = "1"

    async def change(self, version: str, way: Way) -> Change:
        """Release one version, and have it promoted or taken back."""
        before = self._traffic.total()
        self._app.releases(version, self._error_rate if way == "criterion" else GOOD)
        await self._app.until(lambda: self._count(version), f"{version} is switched to")
        begin: datetime | None = None
        if way != "criterion":
            await self._app.until(
                lambda: self._is_baked(version), f"{version} is active, and known to be"
            )
            begin = datetime.now(UTC)
            self._app.commands("promote" if way == "promotion" else way)
        await (self._is_promoted(version) if way == "promotion" else self._is_back(version))
        count, total = self._count(version), self._traffic.total()
        assert count is not None
        if way == "promotion":
            begin = count.first_at
            old = self._count(self._stable)
            assert old is not None
            self._stable, end = version, old.last_at
        else:
            begin, end = begin or count.first_failed_at, count.last_at
        assert begin is not None
        seconds = max(0.0, (end - begin).total_seconds())
        return Change(version, way, seconds, count.failed, total.lost - before.lost)

    def _count(self, version: str) -> VersionCount | None:
        (report,) = self._traffic.reports()
        return report.versions.get(version)

    def _is_baked(self, version: str) -> bool:
        count = self._count(version)
        applied = (self._app.status.get("weights") or {}).get("applied")
        return count is not None and count.responses >= BAKED_ANSWERS and applied == 100

    async def _is_promoted(self, version: str) -> None:
        await self._app.until(
            lambda: self._app.runs("stableRevision", version), f"{version} is stable"
        )
        await self._app.is_over()

    async def _is_back(self, version: str) -> None:
        await self._app.until(lambda: self._app.status.get("abort"), f"{version} is taken back")
        await self._app.is_over()


def blue_green() -> JSON:
    """Return a strategy whose bake is longer than any trial."""
    bake = {"duration": "10m"}
    return {"blueGreen": {"activeService": NAME, "postPromotionAnalysis": bake, **SOON}}


def plan(switches: int, rollbacks: int) -> list[Way]:
    """Return what happens to one version after the other: promotions and ways back take turns."""
    back = [WAYS_BACK[number % len(WAYS_BACK)] for number in range(rollbacks)]
    ways: list[Way] = []
    for number in range(max(switches, rollbacks)):
        ways += ["promotion"] if number < switches else []
        ways += back[number : number + 1]
    return ways


async def run(arguments: argparse.Namespace) -> tuple[list[Change], Total]:
    """Return what happened to each version, and the account of the traffic over all of them."""
    async with sandbox() as running:
        return await _run(running, arguments)


async def _run(running: Sandbox, arguments: argparse.Namespace) -> tuple[list[Change], Total]:
    app = App(running, NAMESPACE)
    app.opens()
    app.create([service(NAMESPACE), ingress(NAMESPACE, HOST), rollout(NAMESPACE, blue_green())])
    await app.until(lambda: app.status.get("phase") == "Healthy", "first deploy")
    stream = Stream("ingress", Target(running.ingress_url, HOST))
    traffic = Traffic([stream], arguments.rate)
    trial, changes = Trial(app, traffic, arguments.error_rate), []
    ways = plan(arguments.switches, arguments.rollbacks)
    async with traffic.flowing():
        await app.until(lambda: traffic.answers(stream.name)["1"], "the first answer")
        for number, way in enumerate(ways, start=1):
            changes.append(await trial.change(f"{way}-{number}", way))
            say(f"{number}/{len(ways)}: {changes[-1]}")
    return changes, traffic.total()


def rows(changes: Sequence[Change]) -> list[tuple[str, int, int, list[float]]]:
    """Return for each way: its name, how many there were, requests lost, and the seconds."""
    kinds: tuple[tuple[str, tuple[Way, ...]], ...] = (
        ("switch, then promotion: both versions answer", ("promotion",)),
        ("abort or rollback in the bake: from the command", ("abort", "rollback")),
        ("failing criterion in the bake: from the first failure", ("criterion",)),
    )
    made = []
    for name, ways in kinds:
        found = [each for each in changes if each.way in ways]
        if found:
            lost = sum(each.lost for each in found)
            made.append((name, len(found), lost, [each.seconds for each in found]))
    return made


def table(changes: Sequence[Change], total: Total, rate: float) -> str:
    """Return the table for people."""
    lines = [
        "| what, and what is timed | times | lost | median s | max s |",
        "|---|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {name} | {times} | {lost} | {statistics.median(seconds):.2f} | {max(seconds):.2f} |"
        for name, times, lost, seconds in rows(changes)
    ]
    failed = sum(total.failed.values())
    lines += [
        "",
        f"{total.sent} requests sent at {rate:g}/s: {failed} failed by the app, {total.lost} lost"
        f" {dict(total.lost_reasons) or ''}".rstrip(),
    ]
    return "\n".join(lines)


def main() -> int:
    """Make the changes and print what they took; exit 1 when requests were lost."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--switches", type=int, default=20)
    parser.add_argument("--rollbacks", type=int, default=20)
    parser.add_argument("--rate", type=float, default=60.0)
    parser.add_argument("--error-rate", default="8%")
    parser.add_argument("--output", choices=("table", "json"), default="table")
    arguments = parser.parse_args()
    changes, total = asyncio.run(run(arguments))
    if arguments.output == "json":
        found = {"changes": [asdict(each) for each in changes], "total": asdict(total)}
        print(json.dumps(found, indent=2))
    else:
        print(table(changes, total, arguments.rate))
    return 1 if total.lost else 0


if __name__ == "__main__":
    raise SystemExit(main())
