"""How releases that are over are shown: as a table of many, and one with all that is known of it."""

from collections.abc import Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rollouts.cli.get_view import VERDICTS, age, decisions_view
from rollouts.cli.past_releases import criterion_words, took, who, why
from rollouts.core.world import describe
from rollouts.model.status import CriterionStatus, ReleaseRecord

_STYLES = {"Promoted": "green", "RolledBack": "red", "Superseded": "yellow", "Withdrawn": "yellow"}
_HEADS = ("REVISION", "OUTCOME", "STEP", "TOOK", "ENDED", "REQUESTS", "FAILED", "IMAGES", "WHY")
_NUMERIC = ("REVISION", "REQUESTS", "FAILED")


def releases_table(records: Sequence[ReleaseRecord], now: datetime) -> Table:
    """Return one row per release, in the order that is given."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, header_style="bold")
    for head in _HEADS:
        narrow = head not in ("IMAGES", "WHY")
        table.add_column(head, no_wrap=narrow, justify="right" if head in _NUMERIC else "left")
    for record in records:
        by = who(record)
        table.add_row(
            str(record.revision.number),
            Text(record.outcome, style=_STYLES[record.outcome]),
            record.step or "–",
            took(record),
            age(now, record.ended_at),
            f"{record.exposure.canary_requests:,}",
            f"{record.exposure.canary_failures:,}",
            Text(", ".join(record.revision.images)),
            Text(f"{why(record)} ({by})" if by else why(record)),
        )
    return table


def record_view(title: str, record: ReleaseRecord, attempts: int) -> RenderableType:
    """Return all that is on record of one release; `attempts` is how many there were at its revision."""
    style = _STYLES[record.outcome]
    text = Text(title, style="bold")
    text.append(f"  ● {record.outcome}", style=f"bold {style}")
    text.append(f"\n{record.message}", style="not bold")
    parts: list[RenderableType] = [text, _facts(record)]
    if record.criteria:
        parts.append(_criteria(record.criteria))
    if record.decisions:
        parts.append(decisions_view(record.decisions, record.ended_at))
    if attempts > 1:
        parts.append(Text(f"The last of {attempts} attempts at this revision", style="dim"))
    return Group(*parts)


def _facts(record: ReleaseRecord) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column()
    seen = record.exposure
    facts = {
        "Images": ", ".join(record.revision.images) or record.revision.hash,
        "Replaces": describe(record.stable) if record.stable is not None else "",
        "Began": f"{record.started_at.astimezone():%Y-%m-%d %H:%M:%S %Z}",
        "Ended": f"{record.ended_at.astimezone():%Y-%m-%d %H:%M:%S %Z}, after {took(record)}",
        "By": who(record),
        "Step": f"{record.step or '–'} at {record.weight} %",
        "Passed": " → ".join(record.entered_steps),
        "Exposed": f"{seen.canary_requests:,} requests, {seen.canary_failures:,} of them failed",
    }
    for name, words in facts.items():
        if words:
            grid.add_row(name, Text(words))
    return grid


def _criteria(criteria: Sequence[CriterionStatus]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column()
    grid.add_row(Text("Criteria", style="bold"), "")
    for each in criteria:
        mark, style = VERDICTS[each.verdict]
        grid.add_row(Text(f"{mark} {each.name}", style=style), Text(criterion_words(each)))
    return grid
