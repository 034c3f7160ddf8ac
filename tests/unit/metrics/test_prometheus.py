import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from rollouts.errors import Permanent, TooLarge, TooSlow, Unavailable
from rollouts.metrics.access import Access
from rollouts.metrics.prometheus import PrometheusSource
from rollouts.ports import Histogram, Series
from tests.unit.metrics.conftest import FakePrometheus

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
UNIX = AT.timestamp()
NATIVE = {"count": "3", "sum": "1.5", "buckets": [[0, "0.25", "0.5", "3"]]}


@pytest.fixture
async def source(prometheus: FakePrometheus) -> AsyncIterator[PrometheusSource]:
    made = PrometheusSource(prometheus.url, timeout_seconds=2)
    yield made
    await made.close()


def vector(*values: str) -> list[Any]:
    return [{"metric": {"i": str(i)}, "value": [UNIX, v]} for i, v in enumerate(values)]


async def test_raw_samples_are_asked_for_by_a_range_selector(
    prometheus: FakePrometheus, source: PrometheusSource
) -> None:
    metric = {"__name__": "requests_total", "canary": ""}
    values = [[UNIX - 12.5, "1"], [UNIX - 12.4, "2"], [UNIX - 1, "NaN"], [UNIX, "3e2"]]
    prometheus.answer = prometheus.result("matrix", [{"metric": metric, "values": values}])
    found = await source.samples('requests_total{canary=""}', until=AT, window_seconds=12.5)
    assert found == (Series(metric, ((UNIX - 12.4, 2.0), (UNIX, 300.0))),)
    [asked] = prometheus.queries
    assert asked["query"] == 'requests_total{canary=""}[12500ms]'
    assert float(asked["time"]) == UNIX


async def test_samples_may_be_native_histograms(
    prometheus: FakePrometheus, source: PrometheusSource
) -> None:
    metric = {"__name__": "durations"}
    histograms = [[UNIX - 20, NATIVE], [UNIX - 1, NATIVE], [UNIX, {"count": "0", "sum": "0"}]]
    both = {"metric": metric, "values": [[UNIX - 2, "1"]], "histograms": histograms}
    prometheus.answer = prometheus.result("matrix", [both])
    (found,) = await source.samples("durations", until=AT, window_seconds=12.5)
    assert found.samples == ((UNIX - 2, 1.0),)
    histogram = Histogram(3, ((0.25, 0.5, 3),))
    assert found.histograms == ((UNIX - 1, histogram), (UNIX, Histogram(0)))


async def test_no_series_is_no_series(prometheus: FakePrometheus, source: PrometheusSource) -> None:
    prometheus.answer = prometheus.result("matrix", [])
    assert await source.samples("x", until=AT, window_seconds=1) == ()


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (vector("0.25"), 0.25),
        ([UNIX, "7"], 7.0),
        ([], None),
        (vector("NaN"), None),
        (vector("+Inf"), None),
        (vector("-Inf"), None),
        ([UNIX, "NaN"], None),
    ],
)
async def test_a_value_is_one_number_or_none(
    prometheus: FakePrometheus, source: PrometheusSource, result: Any, expected: float | None
) -> None:
    prometheus.answer = prometheus.result("whatever", result)
    assert (await source.value("x", at=AT)).number == expected


async def test_several_series_are_refused_with_advice(
    prometheus: FakePrometheus, source: PrometheusSource
) -> None:
    prometheus.answer = prometheus.result("vector", vector("1", "2"))
    with pytest.raises(Permanent, match=r"2 series.*sum"):
        await source.value("x", at=AT)


async def test_a_range_where_a_number_is_needed_is_refused_with_advice(
    prometheus: FakePrometheus, source: PrometheusSource
) -> None:
    prometheus.answer = prometheus.result("matrix", [{"metric": {}, "values": [[UNIX, "1"]]}])
    with pytest.raises(Permanent, match="rate"):
        await source.value("x[1m]", at=AT)


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ({"histogram": [UNIX, NATIVE]}, "native histogram.*histogram_quantile.*histogram_count"),
        ({"histograms": [[UNIX, NATIVE]]}, "range of samples"),
    ],
)
async def test_a_native_histogram_where_a_number_is_needed_is_refused_with_advice(
    prometheus: FakePrometheus, source: PrometheusSource, result: Any, told: str
) -> None:
    prometheus.answer = prometheus.result("vector", [{"metric": {}, **result}])
    with pytest.raises(Permanent, match=told):
        await source.value("x", at=AT)


@pytest.mark.parametrize(
    ("result", "warnings"),
    [
        (vector("3"), ("a store is away",)),
        ([], ("a store is away", "PromQL info: ignored histogram in sum aggregation (1:1)")),
    ],
)
async def test_a_value_comes_with_warnings_and_none_with_all_that_explains_it(
    prometheus: FakePrometheus, source: PrometheusSource, result: Any, warnings: tuple[str, ...]
) -> None:
    answer = {
        "data": {"resultType": "vector", "result": result},
        "warnings": ["a store is away"],
        "infos": ["PromQL info: ignored histogram in sum aggregation (1:1)"],
    }
    prometheus.answer = prometheus.json(answer)
    assert (await source.value("x", at=AT)).warnings == warnings


async def test_remarks_are_repeated_in_part(
    prometheus: FakePrometheus, source: PrometheusSource
) -> None:
    answer = {"data": {"resultType": "vector", "result": []}, "warnings": [7, "x" * 999, *"abcd"]}
    prometheus.answer = prometheus.json(answer)
    long, *others = (await source.value("x", at=AT)).warnings
    assert others == ["a", "b"]
    assert len(long) <= 200


async def test_no_answer_is_wanted_for_a_moment_before(
    prometheus: FakePrometheus, source: PrometheusSource
) -> None:
    await source.value("x", at=AT)
    assert prometheus.queries[0]["nocache"] == "1"  # else VictoriaMetrics goes back by 30 s


async def test_who_refuses_to_be_told_that_is_asked_without_it_from_then_on(
    prometheus: FakePrometheus, source: PrometheusSource
) -> None:
    """Google's managed Prometheus takes no parameter that it does not know."""
    why = 'Invalid JSON payload received. Unknown name "nocache": Cannot bind query parameter.'
    refused = prometheus.json({"error": {"code": 400, "message": why}}, 400)
    answered = prometheus.result("vector", vector("0.25"))

    async def strict(request: web.Request) -> web.StreamResponse:
        return await (refused if "nocache" in request.query else answered)(request)

    prometheus.answer = strict
    assert [(await source.value("x", at=AT)).number for _ in range(2)] == [0.25, 0.25]
    assert ["nocache" in each for each in prometheus.queries] == [True, False, False]
    prometheus.answer = refused
    with pytest.raises(Unavailable, match="answered HTTP 400"):
        await source.value("x", at=AT)


async def test_who_refuses_all_and_repeats_what_was_asked_is_told_again(
    prometheus: FakePrometheus, source: PrometheusSource
) -> None:
    """As a proxy does in front of it, whose page for HTTP 400 shows the address."""

    async def refused(request: web.Request) -> web.StreamResponse:
        return web.Response(status=400, text=f"Bad request: {request.path_qs}")

    prometheus.answer = refused
    with pytest.raises(Unavailable, match="answered HTTP 400"):
        await source.value("x", at=AT)
    prometheus.answer = prometheus.result("vector", vector("0.25"))
    await source.value("x", at=AT)
    assert prometheus.queries[-1]["nocache"] == "1"


@pytest.mark.parametrize(
    ("status", "kind"), [(400, "bad_data"), (422, "execution"), (400, "400"), (422, "422")]
)
async def test_a_wrong_expression_is_told_in_prometheus_own_words(
    prometheus: FakePrometheus, source: PrometheusSource, status: int, kind: str
) -> None:
    text = '1:5: parse error: unexpected "}"'
    refusal = {"status": "error", "errorType": kind, "error": text}
    prometheus.answer = prometheus.json(refusal, status)
    with pytest.raises(Permanent, match="1:5: parse error"):
        await source.value("x }", at=AT)


async def test_a_query_that_prometheus_gave_up_is_unavailable(
    prometheus: FakePrometheus, source: PrometheusSource
) -> None:
    refusal = {"status": "error", "errorType": "timeout", "error": "query timed out"}
    prometheus.answer = prometheus.json(refusal, 503)
    with pytest.raises(TooSlow, match="503: timeout: query timed out"):
        await source.value("x", at=AT)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 502, 503, 204])
async def test_what_is_in_front_of_prometheus_may_refuse(
    prometheus: FakePrometheus, source: PrometheusSource, status: int
) -> None:
    prometheus.answer = prometheus.text("<html>no</html>", status)
    with pytest.raises(Unavailable, match=rf"127\.0\.0\.1.*HTTP {status}"):
        await source.value("x", at=AT)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "remoteAddr: 10.0.0.1; cannot parse query\nat line 1",
            ": remoteAddr: 10.0.0.1; cannot parse query",
        ),
        ("x" * 10_000, f": {'x' * 199}…"),
        ("<html>no</html>", ""),
        ("\x00\x01", ""),
        ("", ""),
    ],
)
async def test_a_refusal_that_is_not_in_prometheus_form_says_its_first_line(
    prometheus: FakePrometheus, source: PrometheusSource, text: str, said: str
) -> None:
    prometheus.answer = prometheus.text(text, 400)
    with pytest.raises(Unavailable) as caught:
        await source.value("x", at=AT)
    assert str(caught.value).endswith(f"answered HTTP 400{said}")


NONSENSE = [
    "",
    "<html></html>",
    "null",
    "[]",
    "3",
    "{}",
    '{"status": "success"}',
    '{"data": []}',
    '{"data": {"result": null}}',
    '{"data": {"result": {}}}',
    '{"data": {"result": [3]}}',
    '{"data": {"result": [{}]}}',
    '{"data": {"result": [[1]]}}',
    '{"data": {"result": [{"metric": {}, "value": [1]}]}}',
    '{"data": {"result": [{"metric": {}, "value": [1, "many"]}]}}',
    '{"data": {"result": [{"metric": {}, "value": [1, null]}]}}',
]


@pytest.mark.parametrize("body", NONSENSE)
async def test_nonsense_is_no_value(
    prometheus: FakePrometheus, source: PrometheusSource, body: str
) -> None:
    prometheus.answer = prometheus.text(body)
    with pytest.raises(Unavailable, match=r"Prometheus at http://127\.0\.0\.1.*answered"):
        await source.value("x", at=AT)


@pytest.mark.parametrize(
    "body",
    [
        *NONSENSE,
        '{"data": {"result": [{"metric": 3, "values": []}]}}',
        '{"data": {"result": [{"metric": {}, "values": 3}]}}',
        '{"data": {"result": [{"metric": {}, "values": [[1, "x"]]}]}}',
        '{"data": {"result": [{"metric": {}, "values": [[1, 2, 3]]}]}}',
    ],
)
async def test_nonsense_is_no_samples(
    prometheus: FakePrometheus, source: PrometheusSource, body: str
) -> None:
    prometheus.answer = prometheus.text(body)
    with pytest.raises(Unavailable, match="answered"):
        await source.samples("x", until=AT, window_seconds=5)


async def test_nobody_there_is_unavailable_in_one_sentence() -> None:
    source = PrometheusSource("http://127.0.0.1:1", timeout_seconds=1)
    with pytest.raises(Unavailable) as error:
        await source.value("x", at=AT)
    assert "http://127.0.0.1:1 can't be reached: " in str(error.value)
    assert "refused" in str(error.value)
    assert len(str(error.value)) < 160
    await source.close()


async def test_an_answer_that_never_comes_is_waited_for_a_bounded_time(
    prometheus: FakePrometheus,
) -> None:
    async def never(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    prometheus.answer = never
    source = PrometheusSource(prometheus.url, timeout_seconds=0.2)
    with pytest.raises(Unavailable, match=r"within 0\.2 s"):
        await source.value("x", at=AT)
    await source.close()


async def test_an_answer_that_trickles_is_given_up(prometheus: FakePrometheus) -> None:
    async def trickle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.05)

    prometheus.answer = trickle
    source = PrometheusSource(prometheus.url, timeout_seconds=0.2)
    with pytest.raises(Unavailable, match=r"within 0\.2 s"):
        await source.value("x", at=AT)
    await source.close()


async def test_a_connection_cut_in_the_middle_is_unavailable(
    prometheus: FakePrometheus, source: PrometheusSource
) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"status": "succ')
        assert request.transport is not None
        request.transport.close()
        return response

    prometheus.answer = cut
    with pytest.raises(Unavailable, match="can't be reached"):
        await source.value("x", at=AT)


async def test_credentials_are_sent_and_not_shown(prometheus: FakePrometheus) -> None:
    access = Access(headers={"X-Scope-OrgID": "shop"}, token="secret-token")
    source = PrometheusSource(prometheus.url, access=access)
    await source.value("x", at=AT)
    assert prometheus.headers[-1]["Authorization"] == "Bearer secret-token"
    assert prometheus.headers[-1]["X-Scope-OrgID"] == "shop"
    assert "secret" not in repr(access)
    await source.close()
    source = PrometheusSource(prometheus.url, access=Access(basic_auth=("me", "word")))
    await source.value("x", at=AT)
    expected = base64.b64encode(b"me:word").decode()
    assert prometheus.headers[-1]["Authorization"] == f"Basic {expected}"
    await source.close()


LONG = 'requests_total{pod=~"' + "|".join(f"shop-{number}" for number in range(500)) + '"}'


async def test_what_is_too_long_for_a_url_is_sent_as_a_form(
    prometheus: FakePrometheus, source: PrometheusSource
) -> None:
    prometheus.answer = prometheus.result("matrix", [])
    assert await source.samples(LONG, until=AT, window_seconds=5) == ()
    [asked] = prometheus.queries
    assert prometheus.methods == ["POST"]
    assert asked["query"] == f"{LONG}[5000ms]"
    assert float(asked["time"]) == UNIX


async def test_who_takes_no_forms_is_asked_in_the_url_from_then_on(
    prometheus: FakePrometheus, source: PrometheusSource
) -> None:
    empty, refused = prometheus.result("matrix", []), prometheus.text("no", 405)

    async def answer(request: web.Request) -> web.StreamResponse:
        return await (refused if request.method == "POST" else empty)(request)

    prometheus.answer = answer
    for _ in range(2):
        assert await source.samples(LONG, until=AT, window_seconds=5) == ()
    assert prometheus.methods == ["POST", "GET", "GET"]


@pytest.mark.parametrize("status", [413, 414, 431])
async def test_a_query_that_is_too_long_says_so(
    prometheus: FakePrometheus, source: PrometheusSource, status: int
) -> None:
    prometheus.answer = prometheus.text("too long", status)
    with pytest.raises(TooLarge, match=f"HTTP {status}: it takes no query so long"):
        await source.samples(LONG, until=AT, window_seconds=5)
