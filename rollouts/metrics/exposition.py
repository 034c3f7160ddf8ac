"""
Counters of one page of metrics, filtered while it streams in.

Reads Prometheus' text format (0.0.4 and 1.0.0) and OpenMetrics' (1.0.0). Only lines that begin with a
name that is wanted are looked at, and nothing else is kept, so that a page may be large, without an
end, or have lines of any length. What a page says of its types is not believed: a counter is what is
asked for as one. A line that is wanted and can't be understood is an error, never a number.

Facts: lines end in LF, the last one too; `name{label="value",…} value [timestamp]`, in OpenMetrics
followed by ` # ` and an exemplar; in values of labels a backslash, a quote and a line feed are
escaped; a name that is no identifier is quoted, and stands first in the braces; OpenMetrics ends
with `# EOF` (prometheus.io, "Exposition formats"; OpenMetrics 1.0, "Text format").
"""

import re
from collections.abc import Iterator, Mapping

from rollouts.errors import TooLarge, Unavailable
from rollouts.model.prefixes import Prefixes
from rollouts.model.truncation import sendable, truncated
from rollouts.ports import WantedSeries

LONGEST_LINE_BYTES = 64 * 1024
MOST_SERIES = 10_000
MOST_KEPT_BYTES = 4 * 1024 * 1024
"""So long are all lines together whose series are kept."""
_SHOWN = 100

_LABEL = re.compile(
    r'[ \t]*(?:(?P<name>[a-zA-Z_][a-zA-Z0-9_]*)|"(?P<quoted>(?:[^"\\]|\\.)*)")[ \t]*'
    r'(?:=[ \t]*"(?P<value>(?:[^"\\]|\\.)*)"[ \t]*)?(?P<after>[,}])'
)
_NO_MORE_LABELS = re.compile(r"[ \t]*\}")
_NUMBER = re.compile(
    r"[ \t]*(?P<value>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?Inf|NaN)(?=[ \t]|$)"
)
_ESCAPE = re.compile(r"\\(.)")
_UNESCAPED = {"n": "\n", '"': '"', "\\": "\\"}
_END = b"\n# EOF\n"

Found = tuple[Mapping[str, str], float]
"""The labels of a series, its name among them, and its value."""


class Exposition:
    """
    One page, of which the wanted series are kept.

    Feed it with the page's bytes as they come, then end it. `open_metrics`: the page says that it is
    OpenMetrics, so that it has to have its end.
    """

    def __init__(self, wanted: WantedSeries, *, open_metrics: bool = False) -> None:
        self._wanted = wanted
        self._open_metrics = open_metrics
        names = [name.encode() for name in wanted.names]
        self._begins = (*names, *(b'{"' + name + b'"' for name in names))
        self._is_wanted = re.compile(
            b"(?:%s)"
            % b"|".join(
                re.escape(each) + (b"" if each.startswith(b"{") else rb"(?=[{ \t])")
                for each in self._begins
            )
        )
        self._prefixes = Prefixes(wanted.begins)
        # What looks like the label may be in the text of another, so that its value is only looked at.
        self._label = re.compile(
            rb'%s"?[ \t]*=[ \t]*(?="(?P<value>(?:[^"\\]|\\.)+)")' % re.escape(wanted.label.encode())
        )
        self._bare = re.compile(
            rb"\n(?:%s)[ \t]+(?=[^{ \t])" % b"|".join(re.escape(each) for each in names)
        )
        self._rest = bytearray()
        """A line that has begun."""
        self._skips = False
        """Whether that line has become too long, and is nobody's."""
        self._ended = False
        self._kept_bytes = 0
        self._found: dict[tuple[tuple[str, str], ...], float] = {}

    def feed(self, chunk: bytes) -> None:
        """
        Take in the next bytes, in pieces of any length.

        Raises:
            TooLarge: there are more series than are kept, or a wanted line has no end.
            Unavailable: a wanted line can't be understood, or a series is there twice.
        """
        end = chunk.rfind(b"\n")
        if self._ended:
            return
        if end < 0:
            self._begin(chunk)
            return
        if self._skips:
            lines = chunk[chunk.find(b"\n") : end + 1]
        else:
            lines = b"\n" + self._rest + chunk[: end + 1]
        self._rest, self._skips = bytearray(), False
        if self._open_metrics and (over := lines.find(_END)) >= 0:
            self._ended, lines = True, lines[: over + 1]
        self._look_through(lines)
        self._begin(chunk[end + 1 :])

    def _begin(self, part: bytes) -> None:
        """Keep the part of a line, as long as it is not too long."""
        if self._skips or self._ended:
            return
        self._rest += part
        if len(self._rest) > LONGEST_LINE_BYTES:
            self._see_length(self._rest)
            self._rest, self._skips = bytearray(), True

    def _see_length(self, line: bytes | bytearray) -> None:
        if len(line) > LONGEST_LINE_BYTES and self._is_wanted.match(line):
            longest = LONGEST_LINE_BYTES // 1024
            raise TooLarge(f"a line is longer than {longest} KiB: {_shown(line)}")

    def _look_through(self, lines: bytes) -> None:
        """Take in whole lines, each between two line feeds."""
        if self._wanted.begins:
            for at in dict.fromkeys(self._labelled(lines)):
                if self._is_wanted.match(lines, at):
                    self._take(lines[at : lines.index(b"\n", at)])
            return
        for begin in self._begins:
            at = lines.find(b"\n" + begin)
            while at >= 0:
                end = lines.index(b"\n", at + 1)
                if self._is_wanted.match(lines, at + 1):
                    self._take(lines[at + 1 : end])
                at = lines.find(b"\n" + begin, end)

    def _labelled(self, lines: bytes) -> Iterator[int]:
        """Yield where lines begin that may have the label that is wanted, or that have no labels."""
        for found in self._bare.finditer(lines):
            yield found.start() + 1
        for found in self._label.finditer(lines):
            if any(self._prefixes.of(found["value"].decode(errors="replace"))):
                yield lines.rindex(b"\n", 0, found.start()) + 1

    def _take(self, line: bytes) -> None:
        self._see_length(line)
        try:
            labels, value = _parsed(line.decode())
        except (UnicodeDecodeError, ValueError):
            raise Unavailable(f"a line can't be understood: {_shown(line)}") from None
        if labels.get("__name__") not in self._wanted.names or not self._is_asked_for(labels):
            return
        series = tuple(sorted(labels.items()))
        if series in self._found:
            raise Unavailable(f"a series is there twice: {_shown(line)}")
        self._kept_bytes += len(line)
        if len(self._found) >= MOST_SERIES or self._kept_bytes > MOST_KEPT_BYTES:
            raise TooLarge(f"it has too many series of {labels['__name__']}")
        self._found[series] = value

    def _is_asked_for(self, labels: Mapping[str, str]) -> bool:
        if not self._wanted.begins or len(labels) == 1:
            return True
        return any(self._prefixes.of(labels.get(self._wanted.label, "")))

    def end(self) -> list[Found]:
        """
        Return what was found, when the page has been read to its end.

        A last line without its line feed was cut off, and is left out.

        Raises:
            Unavailable: it is OpenMetrics, and lacks its end.
        """
        if self._open_metrics and not self._ended and self._rest != b"# EOF":
            raise Unavailable("the page ends before its # EOF")
        return [(dict(labels), value) for labels, value in self._found.items()]


def _parsed(line: str) -> Found:
    """
    Return the series that a line shows.

    Raises:
        ValueError: it can't be understood.
    """
    name = re.split(r"[ \t{]", line, maxsplit=1)[0]
    labels = {"__name__": name} if name else {}
    at = len(line) - len(line[len(name) :].lstrip(" \t"))
    if line.startswith("{", at):
        at = _read_labels(line, at + 1, labels)
    number = _NUMBER.match(line, at)
    if number is None:
        raise ValueError("it has no number")
    return labels, float(number["value"])


def _read_labels(line: str, at: int, labels: dict[str, str]) -> int:
    """
    Read the labels that begin at `at` into `labels`; return where they are over.

    Raises:
        ValueError: they can't be understood, or one is there twice.
    """
    while (over := _NO_MORE_LABELS.match(line, at)) is None:
        found = _LABEL.match(line, at)
        if found is None:
            raise ValueError("a label can't be understood")
        key, text = found["name"] or _unescaped(found["quoted"] or ""), found["value"]
        if text is None:  # the name of the metric, which only a quoted one can be
            key, text = "__name__", found["quoted"]
        if not text and key == "__name__":
            raise ValueError("a label has no value")
        if key in labels:
            raise ValueError("a label is there twice")
        labels[key] = _unescaped(text)
        at = found.end()
        if found["after"] == "}":
            return at
    return over.end()


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda found: _UNESCAPED.get(found[1], found[0]), text)


def _shown(line: bytes | bytearray) -> str:
    return truncated(sendable(bytes(line[: 2 * _SHOWN]).decode(errors="replace")), _SHOWN)
