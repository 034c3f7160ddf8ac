"""One cell of the matrix, and all of them as a Markdown table."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.splits import DEVIATIONS, Split
from bench.traffic import Total


@dataclass(frozen=True)
class Cell:
    """What was measured of one way to release and one ending; `problems` is empty when all is well."""

    setup: str
    ending: str
    total: Total
    splits: Sequence[Split]
    problems: Sequence[str]
    seconds: float


def problems_in(total: Total, splits: Sequence[Split], bad: str | None) -> list[str]:
    """Return what is wrong with the numbers; of the version `bad`, failures are expected."""
    found = [f"{total.lost} requests lost: {dict(total.lost_reasons)}"] if total.lost else []
    found += [
        f"{count} requests failed by version {version}"
        for version, count in total.failed.items()
        if version != bad
    ]
    found += [
        f"{each.stream}: {each.new} of {each.answers} answers, not {each.percent} %"
        for each in splits
        if each.is_off
    ]
    return found


def table(cells: Sequence[Cell]) -> str:
    """Return a line for each cell, the splits in the order of the release, and what went wrong."""
    lines = [
        "| strategy, router | ending | sent | lost | % configured → observed |",
        "|---|---|--:|--:|---|",
    ]
    last = ""
    for cell in cells:
        name = cell.setup if cell.setup != last else ""
        last = cell.setup
        lines.append(
            f"| {name} | {cell.ending} | {cell.total.sent:,} | {cell.total.lost} | {_splits(cell)} |"
        )
    wrong = [f"- {cell.setup}: {cell.ending}: {each}" for cell in cells for each in cell.problems]
    return "\n".join([*lines, "", summary(cells), *(["", *wrong] if wrong else [])])


def summary(cells: Sequence[Cell]) -> str:
    """Return the sums in a sentence or two."""
    sent, lost = (sum(getattr(each.total, name) for each in cells) for name in ("sent", "lost"))
    splits = [split for cell in cells for split in cell.splits]
    answers, off = sum(each.answers for each in splits), sum(each.is_off for each in splits)
    return (
        f"{sent:,} requests sent, {lost} lost. {len(splits)} splits measured by {answers:,} answers,"
        f" {off} off by more than {DEVIATIONS:g} standard deviations."
    )


def _splits(cell: Cell) -> str:
    streams = list(dict.fromkeys(each.stream for each in cell.splits))
    parts = []
    for stream in streams:
        found = ", ".join(_split(each) for each in cell.splits if each.stream == stream)
        parts.append(f"{stream}: {found}" if len(streams) > 1 else found)
    return "; ".join(parts)


def _split(split: Split) -> str:
    """Return such as 25 → 24.3, or 0 → 0."""
    observed = f"{split.observed_percent:.1f}".removesuffix(".0")
    return f"{split.percent} → {observed}"
