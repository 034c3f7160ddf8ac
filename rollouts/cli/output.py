"""Where words go: documents and tables to stdout, progress and errors to stderr."""

import codecs
import io
import json
import os
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rollouts.errors import UsageError
from rollouts.model.durations import parse_duration

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

PIPE_WIDTH = 1000
"""Cells of a line that nobody looks at in a terminal: who reads it breaks it."""


class Format(StrEnum):
    """A machine's format, or a person's."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


class ListFormat(StrEnum):
    """As `Format`, and a wider table."""

    TEXT = "text"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"


class ReportFormat(StrEnum):
    """For what is no Kubernetes object."""

    TEXT = "text"
    JSON = "json"


class WaitFormat(StrEnum):
    """As `Format`, and two for CI: JUnit's XML, and Markdown as GitHub shows it."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"
    JUNIT = "junit"
    GITHUB = "github"


def _output_option(formats: type[StrEnum]) -> Any:
    """Return --output, whose wrong values are answered in our words."""

    def chosen(text: str) -> StrEnum:
        if text not in list(formats):
            raise typer.BadParameter(f"there is no format {text}; choose from {', '.join(formats)}")
        return formats(text)

    return typer.Option(
        "--output",
        "-o",
        help="The format of what is printed.",
        parser=chosen,
        autocompletion=lambda: [str(each) for each in formats],
        metavar=f"<{'|'.join(formats)}>",
    )


OutputOption = Annotated[Format, _output_option(Format)]
ListOutputOption = Annotated[ListFormat, _output_option(ListFormat)]
WaitOutputOption = Annotated[WaitFormat, _output_option(WaitFormat)]
ReportOutputOption = Annotated[ReportFormat, _output_option(ReportFormat)]


def emit(document: Any, output: str) -> None:
    """Print one document to stdout, as JSON or YAML."""
    if output == "json":
        print(json.dumps(document, indent=2))
        return
    import yaml  # noqa: PLC0415 - JSON needs none of it

    print(yaml.safe_dump(document, sort_keys=False, width=100, allow_unicode=True), end="")


def plain(text: str) -> str:
    """Return the text as one line in which nothing steers a terminal: a blank for each such sign."""
    return "".join(each if each.isprintable() else " " for each in text)


def plain_object(value: Any) -> Any:
    """Return a copy of a JSON value with every text in it plain."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dict):
        return {key: plain_object(part) for key, part in value.items()}
    return [plain_object(part) for part in value] if isinstance(value, list) else value


def say(text: str) -> None:
    """Print one line about progress, or an error, to stderr at once."""
    print(plain(text), file=sys.stderr, flush=True)


ASCII_MARKS = {
    "✓": "+",
    "✗": "x",
    "●": "*",
    "○": "o",
    "▶": ">",
    "·": ".",
    "█": "#",
    "░": "-",
    "≤": "<",
    "≥": ">",
    "×": "x",
    "–": "-",
    "−": "-",
    "…": "~",
}
"""What stands for a sign where the terminal or the file has none for it: one cell each, no two verdicts alike."""


def use_ascii_where_needed(stream: object) -> None:
    """Let a text stream write what its encoding lacks as ASCII; what has no likeness there is "?"."""
    codecs.register_error("rollouts-ascii", _ascii)
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="rollouts-ascii")


def _ascii(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    return "".join(ASCII_MARKS.get(each, "?") for each in lost), error.end


def show(console: "Console", view: "RenderableType") -> None:
    """Print a view: as it is on a terminal, else as plain lines, which are neither padded nor broken."""
    if console.is_terminal:
        console.print(view)
        return
    with console.capture() as captured:
        console.print(view)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()), flush=True)


def stdout_console(*, at_least: int = 0) -> "Console":
    """
    Return a console that obeys NO_COLOR, and prints no control codes into a pipe.

    `at_least` is a width in cells: what does not fit the terminal is then wrapped by it, not cut.
    """
    from rich.console import Console  # noqa: PLC0415 - takes a tenth of a second

    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        at_least = max(at_least, PIPE_WIDTH)
    # A width that is set, if only to what it is, follows the terminal no longer.
    if console.width < at_least:  # noqa: PLR1730
        console.width = at_least
    return console


def duration_option(text: str) -> float | None:
    """
    Return the seconds that --timeout means, None when it is not given.

    Raises:
        UsageError: it is no duration.
    """
    return parse_seconds("--timeout", text) if text else None


def parse_seconds(option: str, text: str) -> float:
    """
    Return the seconds that an option such as 90s or 5m means.

    Raises:
        UsageError: it is no duration.
    """
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None
