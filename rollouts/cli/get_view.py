"""
The live view of one Rollout: pure rendering, the same in colour and without.

What matters is told by words and marks; colour only repeats it. `render` fits itself into
the height that it is given: decisions go first, then pods that are well.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from rollouts.cli.rollout_info import PodInfo, RevisionInfo, RolloutInfo
from rollouts.core.world import under_way
from rollouts.model.ages import short_age
from rollouts.model.durations import format_duration, parse_duration
from rollouts.model.kinds import FrozenJSON
from rollouts.model.status import CriterionStatus, HistoryEntry, RolloutStatus
from rollouts.model.units import format_fraction

PHASE_STYLES = {"Healthy": "green", "Progressing": "cyan", "Paused": "yellow", "Degraded": "red"}
VERDICTS = {
    "pass": ("✓", "green"),
    "fail": ("✗", "red"),
    "inconclusive": ("?", "yellow"),
    "error": ("!", "red"),
}
_ROLES = {"canary": "cyan", "first": "cyan", "stable": "green", "rolled back": "red"}
_BAR_CELLS = 30
_STEPS_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Detail:
    """How much is shown: the last `decisions`, and pods that are well or only those that are not."""

    decisions: int = 8
    healthy_pods: bool = True
    old_revisions: int = 3


DETAILS = (
    Detail(),
    Detail(5, old_revisions=1),
    Detail(3, old_revisions=0),
    Detail(3, healthy_pods=False, old_revisions=0),
    Detail(1, healthy_pods=False, old_revisions=0),
)


def render(
    info: RolloutInfo, now: datetime, console: Console, *, height: int | None = None
) -> RenderableType:
    """Return the view, with as much detail as `height` lines hold (None: no limit)."""
    for detail in DETAILS:
        view = _view(info, now, detail)
        if height is None or len(console.render_lines(view, pad=False)) <= height:
            return view
    return view


def _view(info: RolloutInfo, now: datetime, detail: Detail) -> RenderableType:
    status = info.status
    parts: list[RenderableType] = [_title(info, detail), *_traffic(status), *_steps(info, now)]
    parts.append(_revisions(info, now, detail))
    criteria = _effective_spec(info).get("successCriteria") or []
    if criteria and (status.criteria or under_way(status)):
        parts.append(_criteria(criteria, status.criteria))
    if status.history and detail.decisions:
        parts.append(decisions_view(status.history[-detail.decisions :], now))
    return Group(*parts)


def _title(info: RolloutInfo, detail: Detail) -> RenderableType:
    status, metadata = info.status, info.rollout["metadata"]
    phase = status.phase if info.rollout.get("status") else "New"
    style = PHASE_STYLES.get(phase, "dim")
    text = Text()
    text.append(f"{metadata.get('namespace', '')}/{metadata['name']}", style="bold")
    text.append(f"  ● {phase}", style=f"bold {style}")
    text.append(f"  {_strategy(_effective_spec(info))}\n", style="dim")
    text.append(status.message or "no controller has looked at it yet")
    if status.preflight is not None:
        words = status.preflight.message if detail.healthy_pods else status.preflight.reason
        text.append(f"\n! Preflight: {words}", style="yellow")
    return text


def _effective_spec(info: RolloutInfo) -> FrozenJSON:
    """Return the spec by which the Rollout is run: an edit of the one that is written may wait."""
    spec: FrozenJSON = info.status.effective_spec or info.rollout.get("spec") or {}
    return spec


def _strategy(spec: FrozenJSON) -> str:
    strategy = spec.get("strategy") or {}
    if not isinstance(strategy, dict) or len(strategy) != 1:
        return "no strategy"
    name, details = next(iter(strategy.items()))
    routers = (details or {}).get("trafficRouting") or {}
    return f"{name} through {', '.join(routers)}" if routers else str(name)


def _traffic(status: RolloutStatus) -> list[RenderableType]:
    if not under_way(status) and status.abort is None:
        return []
    weights = status.weights
    full = round(_BAR_CELLS * weights.applied / 100)
    text = Text("Weight  ", style="bold")
    text.append("█" * full, style="cyan")
    text.append("░" * (_BAR_CELLS - full), style="green")
    text.append(f" {weights.applied} % canary", style="not bold")
    if weights.desired != weights.applied:
        text.append(f", {weights.desired} % wanted", style="not bold yellow")
    if weights.served is not None and weights.applied:
        text.append(f", {weights.served:.1f} % served", style="not bold")
    return [text]


def _steps(info: RolloutInfo, now: datetime) -> list[RenderableType]:
    strategy = _effective_spec(info).get("strategy") or {}
    steps = (strategy.get("canary") or {}).get("steps") or []
    if not steps:
        return []
    status = info.status
    at = status.current_step_index or 0
    first = max(0, min(at - _STEPS_SHOWN // 2, len(steps) - _STEPS_SHOWN))
    shown = steps[first : first + _STEPS_SHOWN]
    pieces = [Text(f"… {first} passed", style="dim")] if first else []
    pieces += [_step(step, index, status, now) for index, step in enumerate(shown, start=first)]
    rest = len(steps) - first - len(shown)
    if rest:
        pieces.append(Text(f"… {rest} more", style="dim"))
    if status.current_step_index is not None and at >= len(steps):
        pieces.append(Text("▶ promotion", style="bold cyan"))
    return [_Wrapped("Steps", pieces)]


@dataclass(frozen=True, slots=True)
class _Wrapped:
    """Pieces side by side below a heading; a piece is never broken over lines."""

    heading: str
    pieces: Sequence[Text]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        line = Text(f"{self.heading:<8}", style="bold")
        for piece in self.pieces:
            if line.cell_len > 8 and line.cell_len + piece.cell_len > options.max_width:
                yield line
                line = Text(" " * 8)
            line.append_text(piece).append("  ")
        yield line


def _step(step: FrozenJSON, index: int, status: RolloutStatus, now: datetime) -> Text:
    label, at = step_in_short(step), status.current_step_index
    if at is None or index > at:
        return Text(f"{'·' if at is None else '○'} {label}", style="not bold dim")
    if index < at:
        return Text(
            f"✓ {label}", style="not bold green" if status.abort is None else "not bold dim"
        )
    if status.abort is not None:
        return Text(f"✗ {label}", style="bold red")
    return Text(f"▶ {label}{_time_left(step, status, now)}", style="bold cyan")


def step_in_short(step: FrozenJSON) -> str:
    """
    Return one step in a few words, for a line of many; `?` for what is none.

    It is as it is written in the spec, valid or not. A label of status tells what a step is exactly
    (`rollouts.model.step_labels`), by a digest where that is long.
    """
    if not isinstance(step, dict) or len(step) != 1:
        return "?"
    kind, value = next(iter(step.items()))
    if kind == "setWeight":
        return f"{value} %"
    if kind == "setCanaryScale":
        size = next(iter((value or {}).items()), ("", ""))
        unit = {"replicas": f"{size[1]} pods", "weight": f"size {size[1]} %"}
        return unit.get(size[0], "size as weight")
    if kind in ("setHeaderRoute", "setMirrorRoute"):
        route = value or {}
        ends = not route.get("match") and not route.get("percentage")
        return f"{kind} {route.get('name', '?')}{' ends' if ends else ''}"
    duration = (value or {}).get("duration")
    return f"{kind} {_duration(duration)}" if duration is not None else f"{kind} until promoted"


def _duration(written: object) -> str:
    try:
        return format_duration(parse_duration(written))
    except ValueError:
        return str(written)


def _time_left(step: FrozenJSON, status: RolloutStatus, now: datetime) -> str:
    for kind in ("pause", "analysis"):
        written = (step.get(kind) or {}).get("duration")
        if written is None or status.step_started_at is None or status.pause is not None:
            continue
        try:
            end = status.step_started_at + timedelta(seconds=parse_duration(written))
        except ValueError:
            continue
        seconds = (end - now).total_seconds()
        return f", {format_duration(round(seconds))} left" if seconds >= 1 else ""
    return ""


def _revisions(info: RolloutInfo, now: datetime, detail: Detail) -> RenderableType:
    tree = Tree(Text("Revisions", style="bold"), guide_style="dim")
    idle = [view for view in info.revisions if view.role == "older" and not view.existing]
    for view in info.revisions:
        if view in idle[detail.old_revisions :]:
            continue
        branch = tree.add(_revision(view))
        shown = [
            pod for pod in view.pods if detail.healthy_pods or pod.has_problem or not pod.ready
        ]
        for line in _pods(shown, now):
            branch.add(line)
    hidden = len(idle[detail.old_revisions :])
    if hidden:
        tree.add(Text(f"{hidden} older, without pods", style="dim"))
    if not info.revisions:
        tree.add(Text("none yet", style="dim"))
    return tree


def _revision(view: RevisionInfo) -> Text:
    style = _ROLES.get(view.role, "dim")
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{view.number} {view.role}", style=f"bold {style}")
    text.append(f"  {', '.join(view.images)}")
    full = view.ready >= view.wanted
    leaving = sum(pod.state == "Terminating" for pod in view.pods)
    if view.wanted or not view.existing:
        counted = f"  {view.ready}/{view.wanted} ready" if view.wanted else "  no pods"
        text.append(counted, style="" if view.wanted and full else "yellow" if not full else "dim")
    if leaving:
        text.append(f"  {leaving} leaving", style="dim")
    text.append(f"  {view.name}", style="dim")
    return text


def _pods(pods: Sequence[PodInfo], now: datetime) -> list[Text]:
    width = max((len(pod.name) for pod in pods), default=0)
    states = max((len(pod.state) for pod in pods), default=0)
    lines = []
    for pod in pods:
        mark, style = ("✓", "green") if pod.ready else ("○", "yellow")
        if pod.state == "Terminating" or pod.has_ended:
            mark, style = "−", "dim"
        elif pod.state not in ("Running", "Pending"):
            mark, style = "✗", "red"
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(mark, style=style)
        line.append(f" {pod.name:<{width}}  ", style="dim" if style == "dim" else "")
        line.append(f"{pod.state:<{states}}", style="" if style == "green" else style)
        line.append(f"  {age(now, pod.created_at):>5}", style="dim")
        if pod.restarts:
            line.append(f"  {pod.restarts} restart{'s' if pod.restarts > 1 else ''}", style="red")
        lines.append(line)
    return lines


def _criteria(specs: Sequence[FrozenJSON], statuses: Sequence[CriterionStatus]) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, header_style="dim")
    table.add_column(Text("Criteria", style="bold not dim"), no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("limit", justify="right", no_wrap=True)
    table.add_column("bad/requests", justify="right", no_wrap=True)
    table.add_column("stable", justify="right", no_wrap=True)
    table.add_column("needs", no_wrap=True, overflow="ellipsis")
    known = {status.name: status for status in statuses}
    notes = []
    for spec in specs:
        name = str(spec.get("name", ""))
        status = known.get(name)
        if status is None:
            table.add_row(name, Text("no result yet", style="dim"))
            continue
        table.add_row(*_criterion(spec, status))
        if status.verdict == "error":
            notes.append(Text(f"  {name}: {status.message}", style="red"))
    return Group(table, *notes)


def _criterion(spec: FrozenJSON, status: CriterionStatus) -> Iterable[RenderableType]:
    mark, style = VERDICTS[status.verdict]
    counted = "query" not in spec
    bound = "≥" if not counted and "max" not in (spec.get("query") or {}) else "≤"
    needed = f"{status.needed:,} more" if status.needed else ""
    yield Text(f"{mark} {status.name}", style=style)
    yield Text("leans against the canary" if status.leans else status.verdict, style=style)
    yield _number(spec, status.value)
    yield f"{bound} {_number(spec, status.limit)}" if status.limit is not None else ""
    yield f"{status.failures:,}/{status.requests:,}" if counted else "–"
    yield f"{status.stable_failures:,}/{status.stable_requests:,}" if counted else "–"
    yield Text(needed, style="yellow")


def _number(spec: FrozenJSON, value: float | None) -> str:
    if value is None:
        return "–"
    if "errorRate" in spec:
        times = "maxRatioToStable" in (spec["errorRate"] or {})
        return f"{value:.3g} ×" if times else format_fraction(value)
    if "latency" in spec:
        return format_duration(value)
    return f"{value:.4g}"


def decisions_view(entries: Sequence[HistoryEntry], now: datetime) -> RenderableType:
    """Return the decisions, the latest first, with how long before `now` each was made."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(justify="right", width=5, style="dim")
    grid.add_column()
    for entry in reversed(entries):
        bad = entry.reason in ("RolledBack", "Blocked", "CommandRefused")
        good = entry.reason == "Promoted"
        style = "red" if bad else "green" if good else ""
        grid.add_row(age(now, entry.at), Text(entry.message, style=style))
    return Group(Text("Decisions", style="bold"), grid)


def age(now: datetime, moment: datetime | None) -> str:
    """Return how long ago `moment` was, as kubectl has it: 12s, 3m20s, 2h, 5d."""
    return short_age(max(0.0, (now - moment).total_seconds())) if moment is not None else "–"
