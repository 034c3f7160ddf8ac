"""The table of Rollouts."""

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.table import Table
from rich.text import Text

from rollouts.cli.get_view import PHASE_STYLES, age
from rollouts.cli.output import plain
from rollouts.model.kinds import JSON
from rollouts.model.moments import parse_time
from rollouts.model.status import Revision, RolloutStatus


def rollouts_table(rollouts: Sequence[JSON], *, namespaces: bool, wide: bool) -> Table:
    """
    Return one row per Rollout, by namespace and name; `wide` adds images and the message.

    PREFLIGHT is there when something is in the way of one of them.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, header_style="bold")
    heads = ["NAMESPACE"] if namespaces else []
    heads += ["NAME", "PHASE", "STEP", "WEIGHT", "REVISION", "STABLE", "PODS", "AGE"]
    if any(_preflight(each) for each in rollouts):
        heads.append("PREFLIGHT")
    for head in heads:
        numeric = head in ("WEIGHT", "REVISION", "STABLE")
        table.add_column(head, no_wrap=True, justify="right" if numeric else "left")
    if wide:
        table.add_column("IMAGES", no_wrap=True)
        table.add_column("MESSAGE", no_wrap=True)
    now = datetime.now(UTC)
    for rollout in sorted(rollouts, key=_key):
        cells = _row(rollout, now, namespaces=namespaces)
        if "PREFLIGHT" in heads:
            cells.append(Text(_preflight(rollout) or "–", style="yellow"))
        if wide:
            cells += _images_and_message(rollout)
        table.add_row(*(each if isinstance(each, Text) else Text(plain(each)) for each in cells))
    return table


def _key(rollout: JSON) -> tuple[str, str]:
    metadata = rollout["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def _preflight(rollout: JSON) -> str:
    """Return the reason of the first thing that is in the way, if anything is."""
    found = RolloutStatus.model_validate(rollout.get("status") or {}).preflight
    return found.reason if found is not None else ""


def _images_and_message(rollout: JSON) -> list[Text | str]:
    status = RolloutStatus.model_validate(rollout.get("status") or {})
    current = status.current_revision
    return [", ".join(current.images) if current else "–", status.message]


def _row(rollout: JSON, now: datetime, *, namespaces: bool) -> list[Text | str]:
    metadata = rollout["metadata"]
    status = RolloutStatus.model_validate(rollout.get("status") or {})
    seen = bool(rollout.get("status"))
    row: list[Text | str] = [metadata.get("namespace", "")] if namespaces else []
    row += [
        metadata["name"],
        Text(status.phase, style=PHASE_STYLES[status.phase]) if seen else "–",
        status.step or "–",
        f"{status.weights.applied} %" if seen else "–",
        _number(status.current_revision),
        _number(status.stable_revision),
        f"{status.ready_replicas}/{(rollout.get('spec') or {}).get('replicas', 1)}",
        age(now, parse_time(metadata.get("creationTimestamp"))),
    ]
    return row


def _number(revision: Revision | None) -> str:
    return str(revision.number) if revision is not None else "–"
