"""`lint`: everything that is wrong in files, with its line, and around a Rollout in the cluster."""

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rollouts.cli.output import ReportFormat, ReportOutputOption, emit, plain
from rollouts.cli.session import Session, Settings, complete_rollout, run_verb
from rollouts.errors import UsageError
from rollouts.model.kinds import GROUP, VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rollouts.cli.positions import Document

FilesArgument = Annotated[
    list[str] | None,
    typer.Argument(help="YAML files; - is stdin.", metavar="[FILE]...", show_default=False),
]
MoreFilesOption = Annotated[
    list[str] | None,
    typer.Option("--filename", "-f", help="As FILE.", metavar="FILE", show_default=False),
]
LiveOption = Annotated[
    str,
    typer.Option(
        "--live",
        help="Look for traps around this Rollout in the cluster, too.",
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


@dataclass(frozen=True, slots=True)
class LintFinding:
    """
    One line of a lint report.

    One about the cluster has no line: `file` is the Rollout, and `field` the reason that the
    condition Preflight has for it.
    """

    file: str
    line: int
    column: int
    severity: str
    field: str
    reason: str

    def __str__(self) -> str:
        field = f"{self.field}: " if self.field else ""
        at = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{at}: {self.severity}: {field}{self.reason}"


def lint(
    settings: Settings,
    *,
    files: FilesArgument = None,
    filename: MoreFilesOption = None,
    live: LiveOption = "",
    prometheus: PrometheusOption = "",
    output: ReportOutputOption = ReportFormat.TEXT,
) -> int:
    """
    Find what is wrong in YAML files, and what is in the way in the cluster.

    Services and Ingresses in the same files are checked against the Rollouts that name them.
    With --live the cluster is looked at for everything that would get in the way of a release:
    as it is, or as it will be once these files are applied. Nothing is written.
    Exit status: 1 when there is an error, 0 when there are warnings at most.

    \b
    Examples:
      rollouts lint deploy/*.yaml
      helm template shop | rollouts lint -
      rollouts lint --live checkout
      rollouts lint --live checkout -f new-rollout.yaml
      rollouts lint --live checkout --prometheus http://prometheus:9090
    """  # noqa: D301 - \b keeps the lines apart
    named = [*(files or ()), *(filename or ())]
    if not named and not live:
        raise UsageError("nothing to look at: give a FILE, or --live NAME")
    if prometheus and not live:
        raise UsageError("--prometheus goes with --live NAME: a file alone has no metrics yet")
    texts: dict[str, str] = {}
    findings = []
    for file in named:
        try:
            texts[file] = _text(file)
        except UsageError as error:
            findings.append(
                LintFinding(file, 1, 1, "error", "", str(error).removeprefix(f"{file}: "))
            )
    findings += findings_in(texts)
    if live:
        findings = [each for each in findings if (each.severity, each.field) != ("note", "kind")]
        findings += _live_findings(settings, live, texts, prometheus)
    return _report(findings, output)


def _report(findings: list[LintFinding], output: ReportFormat) -> int:
    """Print the findings, and return the exit status."""
    errors = sum(finding.severity == "error" for finding in findings)
    warnings = sum(finding.severity == "warning" for finding in findings)
    if output is ReportFormat.JSON:
        listed = [asdict(finding) for finding in findings]
        emit({"errors": errors, "warnings": warnings, "findings": listed}, "json")
    else:
        for finding in findings:
            print(plain(str(finding)))
        print(f"{_count(errors, 'error')}, {_count(warnings, 'warning')}")
    return 1 if errors else 0


def _live_findings(
    settings: Settings, name: str, texts: dict[str, str], prometheus: str
) -> list[LintFinding]:
    """Return what is to be said about a Rollout in the cluster, with the files' objects laid over it."""
    from rollouts.cli.lint_live import look  # noqa: PLC0415 - brings pydantic
    from rollouts.cli.positions import read  # noqa: PLC0415 - brings yaml

    written = [document.content for file in texts for document in read(texts[file], file)[0]]
    found: list[LintFinding] = []

    async def looked(session: Session, **_: Any) -> int:
        ref = session.rollout(name)
        where = f"{ref.namespace}/{ref.name}"
        found.extend(
            LintFinding(where, 0, 0, remark.severity, remark.field, remark.reason)
            for remark in await look(session.requests, ref, written, prometheus)
        )
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
        raise UsageError(f"{file}: not UTF-8 ({error.reason} at byte {error.start})") from None


def findings_in(texts: dict[str, str]) -> list[LintFinding]:
    """Return what is to be said about these files (text by name), in their order."""
    from rollouts.cli.positions import read  # noqa: PLC0415 - brings yaml

    documents: list[Document] = []
    findings: list[LintFinding] = []
    for file, text in texts.items():
        name = "<stdin>" if file == "-" else file
        read_here, faults = read(text, name)
        documents += read_here
        findings += [
            LintFinding(
                name,
                fault.position.line,
                fault.position.column,
                "error",
                fault.field,
                fault.reason,
            )
            for fault in faults
        ]
        if not read_here and not faults:
            findings.append(LintFinding(name, 1, 1, "note", "", "there is no document in it"))
    for document in documents:
        findings += _about(document, documents)
    order = {name: index for index, name in enumerate(texts)}
    findings.sort(key=lambda found: (order.get(found.file, -1), found.line, found.column))
    return findings


def _about(document: "Document", documents: "Sequence[Document]") -> "Iterator[LintFinding]":
    from rollouts.cli.lint_together import cross_check  # noqa: PLC0415 - brings pydantic
    from rollouts.cli.remarks import Remark  # noqa: PLC0415 - as above
    from rollouts.errors import InvalidSpec  # noqa: PLC0415 - as above
    from rollouts.model.validation import parse_rollout  # noqa: PLC0415 - as above

    content = document.content
    remarks: list[Remark] = []
    if not isinstance(content, dict) or not isinstance(content.get("kind"), str):
        remarks = [Remark("error", "kind", "is missing: this is no Kubernetes object")]
    elif content["kind"] != "Rollout" or _foreign(content.get("apiVersion")):
        what = f"{content.get('apiVersion')} {content['kind']}"
        remarks = [Remark("note", "kind", f"{what} is not checked by itself")]
        if content["kind"] == "Rollout" and str(content["apiVersion"]).startswith("argoproj.io/"):
            text = f"this is Argo's Rollout, which is not checked; ours is {GROUP}/{VERSION}"
            remarks = [Remark("warning", "apiVersion", text)]
        elif _is_nearly_ours(content):
            remarks = [Remark("warning", "kind", f"{what} is not checked; did you mean Rollout?")]
    else:
        remarks = [Remark("error", field, reason) for field, reason in _head(content)]
        try:
            spec = parse_rollout(content)
        except InvalidSpec as invalid:
            remarks += [Remark("error", error.field, error.reason) for error in invalid.errors]
        else:
            remarks += cross_check(documents, content, spec)
    for remark in remarks:
        at = document.position(remark.field)
        yield LintFinding(
            document.file, at.line, at.column, remark.severity, remark.field, remark.reason
        )


def _is_nearly_ours(content: dict[str, object]) -> bool:
    """Return whether a kind is a slip of the pen away from Rollout."""
    import difflib  # noqa: PLC0415 - only when linting

    kind = str(content["kind"])
    return kind != "Rollout" and bool(difflib.get_close_matches(kind.lower(), ["rollout"], 1, 0.85))


def _foreign(api_version: object) -> bool:
    """Return whether a Rollout is somebody else's, such as Argo's."""
    return (
        isinstance(api_version, str)
        and "/" in api_version
        and api_version.split("/")[0] != GROUP
        and not api_version.startswith("rollout")
    )


def _head(content: dict[str, object]) -> "Iterator[tuple[str, str]]":
    """Yield what is wrong outside the spec."""
    import difflib  # noqa: PLC0415 - only when linting

    wanted = f"{GROUP}/{VERSION}"
    if content.get("apiVersion") != wanted:
        yield "apiVersion", f"expected {wanted}, got {content.get('apiVersion')!r}"
    known = ("apiVersion", "kind", "metadata", "spec", "status")
    for key in content:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            yield str(key), f"unknown field; {hint}"
    metadata = content.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not name:
        yield "metadata.name", "is missing, or is no text"
