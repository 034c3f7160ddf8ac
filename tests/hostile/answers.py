"""The corpus of what may come in place of Prometheus' answer, as bodies with the headers that go with them."""

import gzip
import itertools
import json
import zlib
from dataclasses import dataclass, field

UNIX = 1_767_323_045.0
"""When it is asked."""


@dataclass(frozen=True)
class Body:
    content: bytes
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200


def _result(result: str) -> bytes:
    return (
        f'{{"status": "success", "data": {{"resultType": "matrix", "result": {result}}}}}'.encode()
    )


def _compressed(plain: bytes, times: int = 1) -> bytes:
    for _ in range(times):
        plain = gzip.compress(plain, 1)
    return plain


_GZIP = {"Content-Encoding": "gzip"}
_SPACES = b" " * (64 * 1024 * 1024)
_SERIES = _result('[{"metric": {"a": "b"}, "values": [[1, "1"]]}]')
_LISTS = ",".join(itertools.repeat("[]", 2_000_001))

NO_ANSWERS = {
    "lists that are too deep": Body(b"[" * 1_000_000),
    "lists that are too deep, and end": Body(_result("[" * 100_000 + "]" * 100_000)),
    "maps that are too deep": Body(b'{"data":' * 100_000),
    "a number of 5000 digits": Body(_result("[" + "1" * 5000 + "]")),
    "a value of 4000 digits": Body(_result('[{"metric": {}, "value": [1, %s]}]' % ("1" * 4000))),
    "more than 16 MiB": Body(_SPACES[: 17 * 1024 * 1024]),
    "compressed beyond measure": Body(_compressed(_SPACES), _GZIP),
    "compressed twice": Body(_compressed(_SPACES, 2), {"Content-Encoding": "gzip, gzip"}),
    "deflated beyond measure": Body(zlib.compress(_SPACES, 1), {"Content-Encoding": "deflate"}),
    "compressed and cut off": Body(_compressed(_SERIES)[:-12], _GZIP),
    "compressed, it says": Body(b"hello", _GZIP),
    "cut off in a text": Body(_SERIES[:-20]),
    "more values than fit into memory": Body(_result(f"[{_LISTS}]")),
    "a page": Body(b"<!doctype html><title>Sign in</title>", {"Content-Type": "text/html"}),
    "bytes that are no text": Body(b"\xff\xfe\x00{"),
    "an error as long as an answer may be": Body(
        json.dumps({"errorType": "internal", "error": "x" * 10_000_000}).encode(), status=500
    ),
    "an error that is half a surrogate": Body(
        b'{"errorType": "internal", "error": "\\ud800"}', status=500
    ),
    "an error that is too deep": Body(b'{"errorType": "x", "error": ' + b"[" * 100_000, status=422),
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
