"""
YAML documents as plain JSON, and where each field stands in its file.

Reads YAML as the Kubernetes tools do: a date is text, `n` is a boolean, 5.0 is 5, a key that is there
twice is an error.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from rollouts.cli.lint.located_finding import LocatedFinding, Position
from rollouts.model.finding import Finding

_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Document:
    """One document (or one item of a List), and its nodes."""

    file: str
    content: Any
    node: yaml.Node

    def locate(self, finding: Finding) -> LocatedFinding:
        """Return the finding where its field stands."""
        return LocatedFinding(self.file, self.position(finding.field), finding)

    def position(self, field: str) -> Position:
        """Return where `field` stands, or the nearest that exists around it."""
        node, found = self.node, _start(self.node)
        for name, index in _PART.findall(field):
            if index and isinstance(node, yaml.SequenceNode) and int(index) < len(node.value):
                node = node.value[int(index)]
                found = _start(node)
                continue
            entry = _entry(node, name) if name else None
            if entry is None:
                return found
            found, node = _start(entry[0]), entry[1]
        return found


class _Loader(yaml.SafeLoader):
    """SafeLoader without dates, with the booleans of YAML 1.1 that it leaves out."""

    bool_values = {**yaml.SafeLoader.bool_values, "y": True, "n": False}  # noqa: RUF012 - it is theirs

    def construct_number(self, node: yaml.ScalarNode) -> float:
        """Return a whole number as one, which is how it comes to be written in JSON."""
        value = self.construct_yaml_float(node)
        return int(value) if value.is_integer() else value


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^[yYnN]$"), list("yYnN"))
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_number)


MOST_NODES = 200_000
"""More than this no object of Kubernetes has; a few lines of aliases can stand for billions."""


def read(text: str, file: str) -> tuple[list[Document], list[LocatedFinding]]:
    """Return the documents up to the first syntax error, items of a List one by one, and what is no YAML."""
    documents: list[Document] = []
    faults: list[LocatedFinding] = []
    loader: _Loader | None = None
    try:
        loader = _Loader(text)
        while loader.check_node():
            node = loader.get_node()
            assert node is not None  # check_node says so
            if _expanded(node, {}) > MOST_NODES:
                why = (
                    f"the aliases in this YAML stand for more than {MOST_NODES} values; write them out in"
                    " files of their own"
                )
                faults.append(_error(file, _start(node), why))
                break
            faults.extend(_twice(file, node))
            content = loader.construct_document(node)
            if content is not None:
                documents.extend(_items(Document(file, content, node)))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Position(mark.line + 1, mark.column + 1) if mark else Position()
        reason = ", ".join(part for part in (error.context, error.problem) if part)
        faults.append(_error(file, where, f"this is not YAML: {reason}"))
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        faults.append(_error(file, Position(line, 1), f"this is not YAML: {error.reason}"))
    except RecursionError:
        faults.append(_error(file, Position(), "this YAML is nested too deeply to be read"))
    finally:
        if loader is not None:
            loader.dispose()
    return documents, faults


def _expanded(node: yaml.Node, known: dict[int, int]) -> int:
    """Return how many nodes it stands for, every alias counted as what it names."""
    if id(node) not in known:
        children: list[yaml.Node] = []
        if isinstance(node, yaml.SequenceNode):
            children = node.value
        elif isinstance(node, yaml.MappingNode):
            children = [part for pair in node.value for part in pair]
        known[id(node)] = 1 + sum(_expanded(child, known) for child in children)
    return known[id(node)]


def _items(document: Document) -> list[Document]:
    content = document.content
    if not isinstance(content, dict) or content.get("kind") != "List":
        return [document]
    entry = _entry(document.node, "items")
    if entry is None or not isinstance(entry[1], yaml.SequenceNode):
        return []
    return [
        Document(document.file, item, node)
        for item, node in zip(content["items"], entry[1].value, strict=True)
    ]


def _error(file: str, at: Position, message: str, field: str = "") -> LocatedFinding:
    return LocatedFinding(file, at, Finding("error", "", message, field))


def _twice(file: str, node: yaml.Node, path: str = "") -> Iterator[LocatedFinding]:
    """Yield keys that stand twice in one mapping: the first would be lost silently."""
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _twice(file, item, f"{path}[{index}]")
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, value in node.value:
        field = f"{path}.{key.value}" if path else str(key.value)
        if isinstance(key, yaml.ScalarNode):
            if key.value in seen and key.value != "<<":
                why = "is given twice, and the first would be lost; keep one"
                yield _error(file, _start(key), why, field)
            seen.add(key.value)
        yield from _twice(file, value, field)


def _entry(node: yaml.Node, name: str) -> tuple[yaml.Node, yaml.Node] | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next(((key, value) for key, value in node.value if key.value == name), None)


def _start(node: yaml.Node) -> Position:
    return Position(node.start_mark.line + 1, node.start_mark.column + 1)
