"""
Every message that a user can meet, in one list made from the source.

    python -m tests.messages > docs/messages.md

A message is a string of two words or more that is no docstring; where a call says that a string
is for people (an error, an Event, a log line), one word is enough. The docstring of a verb is one as
well: it is what `--help` shows. What is filled in is shown as `{…}`. The list is read by people, from end to end; `test_messages.py` looks for sentences that
are in it twice.
"""

import ast
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.main import get_command

from rollouts.cli.main import app

ROOT = Path(__file__).parents[1]
HOLE = "{…}"

# What the name of a call says about the strings in it.
KINDS_BY_CALL = {
    "FieldError": "Errors in a spec",
    "rule": "Errors in a spec",
    "Finding": "Findings of preflight and of lint",
    "Event": "Status, Events and history",
    "event": "Status, Events and history",
    "Option": "Help of the command line",
    "Argument": "Help of the command line",
    "Typer": "Help of the command line",
    "say": "Output of the command line",
    "print": "Output of the command line",
    "echo": "Output of the command line",
    "UsageError": "Errors",
    "Unavailable": "Errors",
    "Permanent": "Errors",
    "Conflict": "Errors",
    "NotFound": "Errors",
    "Forbidden": "Errors",
    "Unauthorized": "Errors",
    "RetryLater": "Errors",
    "NoMetrics": "Errors",
    "Malformed": "Errors",
    "Inexpressible": "Errors",
    "Counter": "Help of the controller's metrics",
    "Gauge": "Help of the controller's metrics",
    "Histogram": "Help of the controller's metrics",
    "GaugeMetricFamily": "Help of the controller's metrics",
}
# Of a string that no such call has: what its place is for. The longest match wins.
KINDS_BY_PLACE = {
    "rollouts": "Errors",
    "rollouts/analysis": "Measurements and verdicts",
    "rollouts/cli": "Output of the command line",
    "rollouts/cli/lint": "Findings of preflight and of lint",
    "rollouts/controller": "Status, Events and history",
    "rollouts/controller/preflight": "Findings of preflight and of lint",
    "rollouts/core": "Status, Events and history",
    "rollouts/core/next/commands.py": "Answers to commands",
    "rollouts/core/next/revision_commands.py": "Answers to commands",
    "rollouts/core/next/step_commands.py": "Answers to commands",
    "rollouts/judge": "Measurements and verdicts",
    "rollouts/model": "Errors in a spec",
    "rollouts/model/crd.py": "Texts of the CRD",
    "rollouts/model/service_texts.py": "Findings of preflight and of lint",
    "rollouts/sandbox": "The sandbox",
    "rollouts/traffic": "Findings of preflight and of lint",
}
LOG = "Log events"
LEVELS = {"debug", "info", "warning", "error", "exception"}
# Calls whose strings are read by machines, and assertions, which are read by us.
FOR_MACHINES = {
    "compile",
    "strftime",
    "encode",
    "format_map",
    "fullmatch",
    "match",
    "sub",
    "search",
    "AssertionError",
    "Literal",
    "get_logger",
}
# What these keywords of a call are told is for machines as well.
KEYWORDS_FOR_MACHINES = {"content_type", "guide_style", "header_style", "metavar", "name", "style"}
# They speak in the words of Kubernetes and of KEDA, which they stand in for.
OTHERS_WORDS = (
    "rollouts/sandbox/apiserver/",
    "rollouts/sandbox/workloads/",
    "rollouts/sandbox/autoscaling/",
)
_CHART = "charts/rollouts"
# What of these files is said to people.
TEXTS_BESIDE_THE_CODE = {
    f"{_CHART}/files/alerts.yaml": re.compile(
        r"(?:summary|description): (?:>-)?\s*((?:.|\n {12,})+)"
    ),
    f"{_CHART}/templates/NOTES.txt": re.compile(r"(?:^|\n)((?:[A-Z`].*\n?)(?:[a-z`].*\n?)*)"),
    f"{_CHART}/templates/_helpers.tpl": re.compile(r'fail \(printf "([^"]*)"'),
    f"{_CHART}/templates/deletion-policy.yaml": re.compile(r"message: >-\s*((?:.|\n {8,})+)"),
    "docs/argo-cd/argocd-cm.yaml": re.compile(r'message = "([^"]* [^"]*)"'),
}
_FILLED_IN = re.compile(r"\{\{-?.*?\}\}|%[sv]")
_TWO_WORDS = re.compile(r"[A-Za-z]{2,}\S*\s+\S*(?:[A-Za-z]{2,}|\{…\})|\{…\}\S*\s+\S*[A-Za-z]{2,}")
_CODE = re.compile(
    r"^(?:[\[\]<>/\\^]|\{(?!…)|#|(?:not )?bold\b|sum\b|max_over|rate\()|\(\?|;$|&&|\|\||charset="
)


@dataclass(frozen=True, order=True, slots=True)
class Message:
    """One sentence, and what it is for; `place` is its module and function."""

    kind: str
    text: str
    place: str


def messages() -> list[Message]:
    """Return all messages of the product, by kind and text."""
    found = {message for path in _modules() for message in _messages_of(path)}
    return sorted(found | set(_help_of_verbs(get_command(app))) | set(_beside_the_code()))


def _beside_the_code() -> Iterator[Message]:
    """Yield what the chart says, and what Argo CD is told to say."""
    for place, pattern in TEXTS_BESIDE_THE_CODE.items():
        for text in pattern.findall((ROOT / place).read_text(encoding="utf-8")):
            said = " ".join(_FILLED_IN.sub(HOLE, text).split())
            yield Message("The chart and its companions", said.strip("'\""), place)


def _help_of_verbs(command: Any, name: str = "rollouts") -> Iterator[Message]:
    """Yield what `--help` says of each verb before its examples, which are no sentences."""
    said = (command.help or "").partition("\b")[0]
    verbs = getattr(command, "commands", {})
    if said.strip() and not verbs:
        yield Message("Help of the verbs", " ".join(said.split()), name)
    for verb, below in verbs.items():
        yield from _help_of_verbs(below, f"{name} {verb}")


def _modules() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "rollouts/*.py"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout.split("\0")
    found = (name for name in listed if name and not name.startswith(OTHERS_WORDS))
    return sorted(name for name in found if (ROOT / name).is_file())


def _messages_of(path: str) -> Iterator[Message]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"), path)
    yield from _within(tree, path, function="", kind="")


def _within(node: ast.AST, path: str, *, function: str, kind: str) -> Iterator[Message]:
    """Yield the messages below `node`, which is in `function`, and in a call of this `kind`."""
    for child in ast.iter_child_nodes(node):
        if _is_docstring(node, child) or _is_annotation(node, child):
            continue
        text = _text(child)
        if text is not None:
            said = " ".join(text.split())
            if kind != FOR_US and _is_message(said, told=bool(kind)) and not _is_rule(node, child):
                place = f"{path.removeprefix('rollouts/')} {function}".strip()
                yield Message(kind or _kind_of_place(path), said, place)
            # What a hole is filled with may hold a message of its own.
            for hole in _holes(child):
                yield from _within(hole, path, function=function, kind=kind)
            continue
        inner = child.name if isinstance(child, FUNCTION) else function
        yield from _within(child, path, function=inner, kind=_kind_of(child, kind))


FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
FOR_US = "for us"


def _kind_of(node: ast.AST, kind: str) -> str:
    """Return what is known of the strings in `node`; for all but a few that is what was known before."""
    match node:
        case ast.Subscript() | ast.Compare() | ast.Attribute(attr="split"):
            return FOR_US
        case ast.keyword(arg=name) if name in KEYWORDS_FOR_MACHINES:
            return FOR_US
        case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr=name)) if name in LEVELS:
            return LOG
        case ast.Call(func=ast.Attribute(attr=name)) | ast.Call(func=ast.Name(id=name)):
            return FOR_US if name in FOR_MACHINES else KINDS_BY_CALL.get(name, kind)
    return kind


def _kind_of_place(path: str) -> str:
    return KINDS_BY_PLACE[max((each for each in KINDS_BY_PLACE if path.startswith(each)), key=len)]


def _is_docstring(parent: ast.AST, node: ast.AST) -> bool:
    """Return whether `node` is a string that stands by itself: it documents what is above it."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_rule(parent: ast.AST, node: ast.AST) -> bool:
    """Return whether `node` is the CEL expression of a rule, whose message stands after it."""
    return (
        isinstance(parent, ast.Call)
        and ast.unparse(parent.func) == "rule"
        and node is parent.args[0]
    )


def _is_annotation(parent: ast.AST, node: ast.AST) -> bool:
    """Return whether `node` says a type; what typer is told in one is for people, though."""
    where = (getattr(parent, "annotation", None), getattr(parent, "returns", None))
    return node in where and not any(isinstance(each, ast.Call) for each in ast.walk(node))


def _text(node: ast.AST) -> str | None:
    """Return a string as its source has it, with holes; None for anything else."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values):
            return "".join(_text(each) or HOLE for each in values)
        case ast.BinOp(left, ast.Add(), right):
            parts = _text(left), _text(right)
            if parts == (None, None):
                return None
            return "".join(HOLE if part is None else part for part in parts)
    return None


def _holes(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.JoinedStr(values):
            for each in values:
                yield from _holes(each)
        case ast.BinOp(left, ast.Add(), right):
            yield from _holes(left)
            yield from _holes(right)
        case ast.FormattedValue(value):
            yield ast.Expr(value) if not isinstance(value, ast.Constant) else value
        case ast.Constant():
            return
        case _:
            yield node


def _is_message(text: str, *, told: bool) -> bool:
    """Return whether people read it; `told` says that a call for people has it."""
    if _CODE.search(text):
        return False
    return bool(_TWO_WORDS.search(text)) or (told and " " in text and text.isprintable())


def page() -> str:
    """Return the list as a page."""
    lines = [
        "# Messages",
        "",
        "Every message of ours that a user can meet, made from the source by `make messages`.",
        f"What is filled in is shown as `{HOLE}`. `tests/test_messages.py` compares it with the source.",
    ]
    kind = ""
    for message in messages():
        if message.kind != kind:
            kind = message.kind
            lines += ["", f"## {kind}", ""]
        lines.append(f"- {message.text} (`{message.place}`)")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
