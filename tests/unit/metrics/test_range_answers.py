"""Large answers are read in pieces, and nothing of them is otherwise for that."""

import json
from typing import Any

import pytest

from rollouts.metrics import range_answers
from rollouts.metrics.range_answers import SeriesReader, elements
from rollouts.ports import Histogram, Series

ENDS = ("", ',"infos":["},{\\"metric\\":"]', ',"warnings":["a"],"x":{"result":[1]}')


def answer(result: list[Any], end: str = "") -> bytes:
    text = json.dumps(result, separators=(",", ":"))
    data = f'{{"resultType":"matrix","result":{text}}}'
    return f'{{"status":"success","data":{data}{end}}}'.encode()


def element(number: int, **more: Any) -> dict[str, Any]:
    labels = {"i": str(number), "awkward": '},{"metric":{"é\\', "__name__": "m"}
    return {"metric": labels, "values": [[10.5, "1"], [11, str(number)], [12, "NaN"]], **more}


@pytest.fixture(params=[1, 300, 10_000_000])
def piece_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(range_answers, "PIECE_BYTES", request.param)
    size: int = request.param
    return size


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("many", [0, 1, 2, 50])
def test_all_is_read_whatever_the_pieces(piece_bytes: int, many: int, end: str) -> None:
    body = answer([element(number) for number in range(many)], end)
    found = SeriesReader(10_500, 20_000).read(body)
    assert found == tuple(
        Series(element(number)["metric"], ((11.0, float(number)),)) for number in range(many)
    )
    if piece_bytes == 1 and many:
        assert len(list(elements(body))) == many


def test_native_histograms_are_read_too(piece_bytes: int) -> None:
    natives = [[11, {"count": "3", "sum": "1", "buckets": [[0, "0.25", "0.5", "3"]]}]]
    body = answer([element(number, histograms=natives) for number in range(5)])
    for found in SeriesReader(0, 20_000).read(body):
        assert found.histograms == ((11.0, Histogram(3, ((0.25, 0.5, 3),))),)


def test_what_is_written_otherwise_is_read_at_once(piece_bytes: int) -> None:
    result = [{"values": [[11, "1"]], "metric": {"i": str(number)}} for number in range(5)]
    body = json.dumps({"data": {"result": result}}, indent=1).encode()
    assert len(SeriesReader(0, 20_000).read(body)) == 5


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"data":{"result":{}}}',
        b'{"data":{"result":[{"metric":{}}]}}',
        answer([element(1), {"metric": [], "values": []}]),
        answer([element(1), element(2)])[:-9],
        answer([element(1), {"metric": {}, "values": [[1, "x"]]}, element(2)]),
    ],
)
def test_what_is_no_answer_is_an_error(piece_bytes: int, body: bytes) -> None:
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        SeriesReader(0, 20_000).read(body)
