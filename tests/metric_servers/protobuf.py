"""
Native histograms as an app exports them: only Prometheus' protobuf format has them.

Written by hand after `io/prometheus/client/metrics.proto`; numbers of fields are its own.
"""

import math
import struct
from collections import Counter
from collections.abc import Iterable, Mapping

CONTENT_TYPE = (
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
)
_HISTOGRAM = 4
_SCHEMA = 0
"""Bounds are powers of two."""


def histogram(name: str, observed: Iterable[float], classic_bounds: Iterable[float]) -> bytes:
    """Return the exposition of a histogram that is native and, with `classic_bounds`, classic too."""
    values = list(observed)
    told = _number(1, len(values)) + _double(2, sum(values))
    for bound in classic_bounds:
        within = sum(each <= bound for each in values)
        told += _message(3, _number(1, within) + _double(2, bound))
    told += _number(5, _zigzag(_SCHEMA)) + _double(6, 2.0**-128) + _number(7, 0)
    told += _positive(Counter(math.ceil(math.log2(each)) for each in values))
    family = _text(1, name) + _number(3, _HISTOGRAM) + _message(4, _message(7, told))
    return _varint(len(family)) + family


def _positive(buckets: Mapping[int, int]) -> bytes:
    """Return the spans, one for all buckets from the first to the last, and the counts as differences."""
    if not buckets:
        return _message(12, _number(1, 0) + _number(2, 0))  # says that it is a native one
    first, last = min(buckets), max(buckets)
    counts = [buckets.get(index, 0) for index in range(first, last + 1)]
    told = _message(12, _number(1, _zigzag(first)) + _number(2, len(counts)))
    for before, count in zip([0, *counts], counts, strict=False):
        told += _number(13, _zigzag(count - before))
    return told


def _zigzag(number: int) -> int:
    return 2 * number if number >= 0 else -2 * number - 1


def _varint(number: int) -> bytes:
    told = bytearray()
    while number > 0x7F:
        told.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*told, number])


def _number(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number)


def _double(field: int, number: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", number)


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _text(field: int, text: str) -> bytes:
    return _message(field, text.encode())
