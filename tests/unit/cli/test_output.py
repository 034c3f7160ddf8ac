"""What is printed where there is no terminal, or one without Unicode, and how a view follows its terminal."""

import fcntl
import io
import os
import pty
import struct
import termios

import pytest
from rich.text import Text

from rollouts.cli.output import (
    ASCII_MARKS,
    PIPE_WIDTH,
    show,
    stdout_console,
    use_ascii_where_needed,
)


def test_no_two_verdicts_look_alike_in_ascii() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    use_ascii_where_needed(stream)
    stream.write("✓ ✗ ? ! ≤ ü")
    stream.flush()
    assert stream.buffer.getvalue() == b"+ x ? ! < ?"
    assert all(len(mark) == 1 and mark.isascii() for mark in ASCII_MARKS.values())


def test_into_a_pipe_a_line_is_neither_padded_nor_broken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    show(stdout_console(), Text("word " * 100))
    assert capsys.readouterr().out == ("word " * 100).rstrip() + "\n"


def test_into_a_pipe_columns_says_how_wide(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    show(stdout_console(), Text("word " * 20))
    assert [len(line) for line in capsys.readouterr().out.splitlines()] == [49, 49]


def test_on_a_terminal_the_width_is_what_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("LINES", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    master, terminal = pty.openpty()
    with os.fdopen(terminal, "w") as stdout, os.fdopen(master, "rb", buffering=0):
        for stream in ("stdin", "stdout", "stderr"):
            monkeypatch.setattr(f"sys.{stream}", stdout)
            monkeypatch.setattr(f"sys.__{stream}__", stdout)
        monkeypatch.setattr("rich.console._STD_STREAMS", (stdout.fileno(),))
        console = stdout_console()
        seen = []
        for columns in (100, 50, 120):
            fcntl.ioctl(stdout, termios.TIOCSWINSZ, struct.pack("HHHH", 20, columns, 0, 0))
            seen.append(console.width)
        assert seen == [100, 50, 120]
        assert stdout_console(at_least=PIPE_WIDTH).width == PIPE_WIDTH
