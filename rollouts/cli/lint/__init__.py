"""`lint`: what is wrong in files, with its line, and around a Rollout in the cluster."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from rollouts.cli.lint.located_finding import LocatedFinding, Position
from rollouts.cli.output import ReportFormat, ReportOutputOption, emit, plain
from rollouts.cli.session import GlobalOptions, Session, complete_rollout, run_verb
from rollouts.errors import UsageError
from rollouts.model.finding import Finding

__all__ = ["lint"]

FilesArgument = Annotated[
    list[str] | None,
    typer.Argument(help="YAML files; - is stdin.", metavar="[FILE]...", show_default=False),
]
MoreFilesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--filename",
        "-f",
        help="The same as FILE, as with kubectl.",
        metavar="FILE",
        show_default=False,
    ),
]
LiveOption = Annotated[
    str,
    typer.Option(
        "--live",
        help="Look in the cluster, too, for what is in the way of this Rollout.",
        metavar="NAME",
        autocompletion=complete_rollout,
    ),
]
PrometheusOption = Annotated[
    str,
    typer.Option(
        "--prometheus",
        help="With --live: ask this Prometheus whether it has what the criteria need.",
        metavar="URL",
    ),
]


def lint(
    settings: GlobalOptions,
    *,
    files: FilesArgument = None,
    filename: MoreFilesOption = None,
    live: LiveOption = "",
    prometheus: PrometheusOption = "",
    output: ReportOutputOption = ReportFormat.TEXT,
) -> int:
    """
    Find what is wrong in YAML files, and what is in the way in the cluster.

    Objects in the same files are checked together, by the rules that hold in a cluster.
    With --live the cluster is looked at for everything that would get in the way of a release:
    as it is, or as it will be once these files are applied. Nothing is written.
    Exit status: 1 when there is an error, or no Rollout to check, 0 when there are warnings at most.

    \b
    Examples:
      rollouts lint deploy/*.yaml
      helm template shop | rollouts lint -
      rollouts lint --live checkout
      rollouts lint --live checkout -f new-rollout.yaml
      rollouts lint --live checkout --prometheus http://prometheus:9090
    """  # noqa: D301 - \b keeps the lines apart
    from rollouts.cli.lint.files import findings_in  # noqa: PLC0415 - brings pydantic and yaml

    named = [*(files or ()), *(filename or ())]
    if not named and not live:
        raise UsageError("there is nothing to check: give a FILE, or --live NAME")
    if prometheus and not live:
        raise UsageError("--prometheus goes with --live NAME: a file alone has no metrics yet")
    texts: dict[str, str] = {}
    found = []
    for file in named:
        try:
            texts[file] = _text(file)
        except UsageError as error:
            finding = Finding("error", "", str(error).removeprefix(f"{file}: "))
            found.append(LocatedFinding(file, Position(), finding))
    if live:
        # What holds between objects is looked for in the cluster, with the files' laid over it.
        found += [each for each in findings_in(texts, alone=True) if not _is_unchecked(each)]
        said = {each.finding for each in found}
        around = _live_findings(settings, live, texts, prometheus)
        found += [each for each in around if each.finding not in said]
    else:
        found += findings_in(texts)
    return _report(found, output)


def _is_unchecked(found: LocatedFinding) -> bool:
    """Return whether it only says that an object of another kind is not checked by itself."""
    return (found.finding.severity, found.finding.field) == ("note", "kind")


def _report(found: list[LocatedFinding], output: ReportFormat) -> int:
    """Print what was found, and return the exit status."""
    errors = sum(each.finding.severity == "error" for each in found)
    warnings = sum(each.finding.severity == "warning" for each in found)
    if output is ReportFormat.JSON:
        listed = [each.as_json() for each in found]
        emit({"errors": errors, "warnings": warnings, "findings": listed}, "json")
    else:
        for each in found:
            print(plain(str(each)))
        print(f"{_count(errors, 'error')}, {_count(warnings, 'warning')}")
    return 1 if errors else 0


def _live_findings(
    settings: GlobalOptions, name: str, texts: dict[str, str], prometheus: str
) -> list[LocatedFinding]:
    """Return what is found around a Rollout in the cluster, with the files' objects laid over it."""
    from rollouts.cli.lint.documents import read  # noqa: PLC0415 - brings yaml
    from rollouts.cli.lint.live import live_findings  # noqa: PLC0415 - brings pydantic

    written = [document.content for file in texts for document in read(texts[file], file)[0]]
    found: list[LocatedFinding] = []

    async def looked(session: Session, **_: Any) -> int:
        ref = session.rollout(name)
        place = f"{ref.namespace}/{ref.name}"
        looked_at = await live_findings(session.requests, ref, written, prometheus)
        found.extend(LocatedFinding(place, None, finding) for finding in looked_at)
        return 0

    run_verb(looked, settings, {})
    return found


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def _text(file: str) -> str:
    try:
        if file == "-":
            return sys.stdin.read()
        return Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{file} is not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8"
        ) from None
