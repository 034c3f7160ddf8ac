"""
The series in a range answer, read in pieces: of an answer of megabytes, each piece is so small that
whoever shares the interpreter is not kept waiting for long.

Prometheus and what speaks its API write the elements of a result one after the other, `metric` first.
Between two of them there are bytes that no text has in it, where a quotation mark has a backslash. What
is written otherwise is read at once.
"""

import json
import math
from collections.abc import Iterator
from typing import Any

from rollouts.model.truncation import sendable
from rollouts.ports import Histogram, Series

PIECE_BYTES = 128 * 1024
_BEGIN = b'"result":['
_FIRST = b'{"metric":'
_BETWEEN = b"}," + _FIRST


def elements(body: bytes) -> Iterator[list[Any]]:
    """
    Yield the elements of an answer's result, some at a time.

    Raises:
        ValueError, KeyError, TypeError, RecursionError: it is not JSON, or no answer.
    """
    begin = body.find(_BEGIN) + len(_BEGIN)
    head = body[:begin]
    if begin >= len(_BEGIN) and body.startswith(_FIRST, begin):
        while (cut := body.find(_BETWEEN, begin + PIECE_BYTES)) >= 0:
            yield json.loads(b"[" + body[begin : cut + 1] + b"]")
            begin = cut + 2
    # What is left is an answer of its own, whose end is not ours to find.
    yield result_of(json.loads(head + body[begin:] if begin >= len(_BEGIN) else body))


def result_of(answer: Any) -> list[Any]:
    """
    Return the elements of an answer.

    Raises:
        KeyError, TypeError: it is none.
    """
    result = answer["data"]["result"]
    if not isinstance(result, list):
        raise TypeError("a result is a list")
    return result


class SeriesReader:
    """Makes series of an answer: their samples in (after, until], in milliseconds. NaN is left out."""

    def __init__(self, after_ms: int, until_ms: int) -> None:
        self._after_ms = after_ms
        self._until_ms = until_ms
        self._texts: dict[str, str] = {}
        """Names and values of labels, each once."""

    def read(self, body: bytes) -> tuple[Series, ...]:
        """
        Return the series of an answer.

        Raises:
            ValueError, KeyError, TypeError, AttributeError, RecursionError: it is none.
        """
        return tuple([self._series(each) for some in elements(body) for each in some])

    def _series(self, each: Any) -> Series:
        """Return one element, whose samples are numbers, native histograms, or both."""
        natives = each.get("histograms", [])
        values = each.get("values", []) if natives else each["values"]
        after, until = self._after_ms, self._until_ms
        samples = [(float(at), float(value)) for at, value in values]
        return Series(
            {self._text(name): self._text(value) for name, value in each["metric"].items()},
            tuple(
                [
                    sample
                    for sample in samples
                    if after < round(sample[0] * 1000) <= until and not math.isnan(sample[1])
                ]
            ),
            tuple(
                [
                    (float(at), _histogram(value))
                    for at, value in natives
                    if after < round(float(at) * 1000) <= until
                ]
            ),
        )

    def _text(self, found: object) -> str:
        whole = str(found)
        text = self._texts.get(whole)
        if text is None:
            text = self._texts[whole] = sendable(whole)
        return text


def _histogram(value: Any) -> Histogram:
    """Return a native histogram; of each bucket the answer also says which bounds belong to it."""
    buckets = (
        (_no_nan(lower), _no_nan(upper), _no_nan(count))
        for _, lower, upper, count in value.get("buckets", [])
    )
    return Histogram(_no_nan(value["count"]), tuple(buckets))


def _no_nan(text: Any) -> float:
    number = float(text)
    if math.isnan(number):
        raise ValueError("NaN is no count and no bound")
    return number
