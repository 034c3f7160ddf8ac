"""The corpus of what may come in place of Prometheus' answer, as bodies with the headers that go with them."""

import gzip
import itertools
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

UNIX = 1_767_323_045.0
"""When it is asked."""


@dataclass(frozen=True)
class Body:
    made: Callable[[], bytes]
    """Called by the tests that need it alone: some are large, or take long to be compressed."""
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200

    @property
    def content(self) -> bytes:
        return self.made()


def _result(result: str) -> bytes:
    return (
        f'{{"status": "success", "data": {{"resultType": "matrix", "result": {result}}}}}'.encode()
    )


def _compressed(plain: bytes, times: int = 1) -> bytes:
    for _ in range(times):
        plain = gzip.compress(plain, 1)
    return plain


def _spaces() -> bytes:
    return b" " * (64 * 1024 * 1024)


def _lists() -> str:
    return ",".join(itertools.repeat("[]", 2_000_001))


_GZIP = {"Content-Encoding": "gzip"}
_SERIES = _result('[{"metric": {"a": "b"}, "values": [[1, "1"]]}]')

NO_ANSWERS = {
    "lists that are too deep": Body(lambda: b"[" * 1_000_000),
    "lists that are too deep, and end": Body(lambda: _result("[" * 100_000 + "]" * 100_000)),
    "maps that are too deep": Body(lambda: b'{"data":' * 100_000),
    "a number of 5000 digits": Body(lambda: _result("[" + "1" * 5000 + "]")),
    "a value of 4000 digits": Body(
        lambda: _result('[{"metric": {}, "value": [1, %s]}]' % ("1" * 4000))
    ),
    "more than 16 MiB": Body(lambda: _spaces()[: 17 * 1024 * 1024]),
    "compressed beyond measure": Body(lambda: _compressed(_spaces()), _GZIP),
    "compressed twice": Body(lambda: _compressed(_spaces(), 2), {"Content-Encoding": "gzip, gzip"}),
    "deflated beyond measure": Body(
        lambda: zlib.compress(_spaces(), 1), {"Content-Encoding": "deflate"}
    ),
    "compressed and cut off": Body(lambda: _compressed(_SERIES)[:-12], _GZIP),
    "compressed, it says": Body(lambda: b"hello", _GZIP),
    "cut off in a text": Body(lambda: _SERIES[:-20]),
    "more values than fit into memory": Body(lambda: _result(f"[{_lists()}]")),
    "a page": Body(lambda: b"<!doctype html><title>Sign in</title>", {"Content-Type": "text/html"}),
    "bytes that are no text": Body(lambda: b"\xff\xfe\x00{"),
    "an error as long as an answer may be": Body(
        lambda: json.dumps({"errorType": "internal", "error": "x" * 10_000_000}).encode(),
        status=500,
    ),
    "an error that is half a surrogate": Body(
        lambda: b'{"errorType": "internal", "error": "\\ud800"}', status=500
    ),
    "an error that is too deep": Body(
        lambda: b'{"errorType": "x", "error": ' + b"[" * 100_000, status=422
    ),
}
"""Each is an error, whatever was asked, in one short sentence that says whose."""

NO_SAMPLES = {
    "a time of 4000 digits": _result('[{"metric": {}, "values": [[%s, "1"]]}]' % ("1" * 4000)),
    "a time that is none": _result('[{"metric": {}, "values": [[NaN, "1"]]}]'),
    "a time without end": _result('[{"metric": {}, "values": [[1e999, "1"]]}]'),
    "a value that is a word": _result('[{"metric": {}, "values": [[1, "many"]]}]'),
    "labels that are none": _result('[{"metric": [["a", "b"]], "values": []}]'),
}
"""Each is an error where samples are asked for."""
