"""`history`: the releases of one Rollout, with how they ended."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rollouts.cli.output import Format as OutputFormat
from rollouts.cli.output import OutputOption, emit, say, show, stdout_console
from rollouts.cli.session import ReadRequests, RolloutName, Session
from rollouts.cli.watch_rollout import get_rollout
from rollouts.errors import NotFound
from rollouts.model.kinds import FrozenJSON

if TYPE_CHECKING:
    from rollouts.cli.past_releases import PastReleases
    from rollouts.model.status import ReleaseRecord


async def history(
    session: Session, name: RolloutName, output: OutputOption = OutputFormat.TEXT
) -> None:
    """
    List the releases of a Rollout: how each ended, why, and who had a hand in it.

    The latest comes first, and each attempt at a revision is a release. As many are kept as
    spec.revisionHistoryLimit says. Names are what clients say of themselves.

    \b
    Examples:
      rollouts history checkout
      rollouts get checkout --revision 7
      rollouts history checkout --output json | jq '.releases[].outcome'
    """  # noqa: D301 - \b keeps the lines apart
    from rollouts.cli.past_releases import read_past_releases  # noqa: PLC0415 - brings pydantic

    rollout = await get_rollout(session.requests, session.rollout(name))
    past = await read_past_releases(session.requests, rollout)
    if output is not OutputFormat.TEXT:
        emit(_document(rollout, past), output)
        return
    if past.gaps:
        say(f"{name}: {past.gaps}")
    if not past.records:
        print(f"{name}: there is no record of any release.")
        return
    from rollouts.cli.record_view import releases_table  # noqa: PLC0415 - brings rich

    show(stdout_console(), releases_table(past.records, datetime.now(UTC)))


async def show_release(
    requests: ReadRequests, rollout: FrozenJSON, revision: str, output: str
) -> bool:
    """
    Print the last release of a revision, by number or hash; return False where that is under way.

    Raises:
        NotFound: there is no record of it.
        Forbidden: records may not be listed.
    """
    from rollouts.cli.past_releases import (  # noqa: PLC0415 - brings pydantic
        is_under_way,
        read_past_releases,
    )
    from rollouts.cli.wait_outcome import parse_revision  # noqa: PLC0415 - as above

    meant, metadata = parse_revision(revision, []), rollout["metadata"]
    if is_under_way(rollout, meant.number, meant.hash):
        return False
    past = await read_past_releases(requests, rollout)
    found = past.of(meant.number, meant.hash)
    if not found:
        raise NotFound(_absent(str(metadata["name"]), str(meant), past))
    if output in ("json", "yaml"):
        emit(release_document(found[0]), output)
        return True
    from rollouts.cli.record_view import record_view  # noqa: PLC0415 - brings rich

    number = found[0].revision.number
    title = f"{metadata.get('namespace', '')}/{metadata['name']}  revision {number}"
    show(stdout_console(), record_view(title, found[0], len(found)))
    return True


def _absent(name: str, meant: str, past: "PastReleases") -> str:
    numbers = sorted({each.revision.number for each in past.records})
    known = f"there are records of {', '.join(map(str, numbers))}" if numbers else "there is none"
    why = f"; {past.gaps}" if past.gaps and not numbers else ""
    return f"{name} has no record of {meant}; {known}{why}"


def _document(rollout: FrozenJSON, past: "PastReleases") -> dict[str, object]:
    return {
        "rollout": rollout["metadata"]["name"],
        "namespace": rollout["metadata"]["namespace"],
        "releases": [release_document(each) for each in past.records],
        "missing": list(past.missing),
        "unreadable": list(past.unreadable),
        "kept": past.kept,
    }


def release_document(record: "ReleaseRecord") -> dict[str, object]:
    """Return a record as a program reads it: as the object has it, and how many seconds it took."""
    seconds = (record.ended_at - record.started_at).total_seconds()
    made: dict[str, object] = record.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {**made, "durationSeconds": round(seconds, 3)}
