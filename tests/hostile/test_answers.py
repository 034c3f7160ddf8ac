"""What comes in place of Prometheus' answer costs bounded memory, and is said in one sentence."""

import json
import tracemalloc
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from rollouts.errors import Permanent, Unavailable
from rollouts.metrics import prometheus
from rollouts.metrics.prometheus import PrometheusSource
from rollouts.metrics.range_answers import SeriesReader
from tests.hostile.answers import NO_ANSWERS, NO_SAMPLES, UNIX, Body
from tests.unit.analysis.harness import ERRORS, QUERY, Harness, settle
from tests.unit.metrics.conftest import FakePrometheus, serving

AT = datetime.fromtimestamp(UNIX, UTC)
MEMORY_BYTES = 200 * 1024 * 1024
"""What reading one answer may take: a controller has 512 MiB, and reads one at a time."""


@pytest.fixture
async def fake() -> AsyncIterator[FakePrometheus]:
    async with serving() as made:
        yield made


@pytest.fixture
async def source(fake: FakePrometheus) -> AsyncIterator[PrometheusSource]:
    made = PrometheusSource(fake.url, timeout_seconds=20)
    yield made
    await made.close()


def answering(fake: FakePrometheus, body: Body) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body.content, status=body.status, headers=body.headers)

    fake.answer = answer


@pytest.mark.parametrize("body", NO_ANSWERS.values(), ids=NO_ANSWERS)
async def test_what_is_no_answer_is_an_error_in_one_sentence(
    fake: FakePrometheus, source: PrometheusSource, body: Body
) -> None:
    answering(fake, body)
    for question in (
        source.value("x", at=AT),
        source.samples("x", until=AT, window_seconds=60),
    ):
        with pytest.raises(Unavailable) as refused:
            await question
        said = str(refused.value)
        assert said.startswith("Prometheus at http://127.0.0.1:")
        assert len(said.encode()) < 700, "it goes into status; and it can be sent"
    answering(fake, Body(lambda: b'{"data": {"result": [1, "2"]}}'))
    assert (await source.value("x", at=AT)).number == 2, "and it is asked again"


async def test_a_refusal_of_the_query_is_repeated_in_part(
    fake: FakePrometheus, source: PrometheusSource
) -> None:
    error = {"errorType": "bad_data", "error": "1:5: parse error " + "x" * 5_000_000}
    answering(fake, Body(json.dumps(error).encode, status=400))
    with pytest.raises(Permanent, match="1:5: parse error") as refused:
        await source.value("x", at=AT)
    assert len(str(refused.value)) < 700


async def test_what_leads_in_circles_is_left_after_a_few_turns(
    fake: FakePrometheus, source: PrometheusSource
) -> None:
    async def elsewhere(request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(str(request.url))

    fake.answer = elsewhere
    with pytest.raises(Unavailable, match="redirects"):
        await source.value("x", at=AT)
    assert len(fake.queries) < 6


async def test_what_never_ends_is_read_no_further_than_the_limit(
    fake: FakePrometheus, source: PrometheusSource
) -> None:

    sent = 0

    async def for_ever(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" " * 65536)
            sent += 65536

    fake.answer = for_ever
    with pytest.raises(Unavailable, match="more than 16 MiB"):
        await source.value("x", at=AT)
    assert sent < 64 * 1024 * 1024


@pytest.mark.parametrize(
    "element", ['[1767323045, "123456"]', '"\u00e9\u00e9"', "300", "1.5", "[]", '{"a":{}}']
)
async def test_the_most_that_is_read_fits_into_the_controllers_memory(
    source: PrometheusSource, element: str
) -> None:
    """Measured with a hundredth of it, so that it takes no time."""
    values = sum(map(element.count, ",[{")) + 1
    count = min(
        prometheus._MOST_VALUES // values,
        prometheus._LARGEST_ANSWER_BYTES // (len(element.encode()) + 1),
    )
    body = f'{{"data": {{"result": [{",".join([element] * (count // 100))}]}}}}'.encode()
    tracemalloc.start()
    source._understand(body, lambda answer: len(json.loads(answer)["data"]["result"]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 100 * peak < MEMORY_BYTES


NUMBERS: Any = st.one_of(st.integers(), st.floats(), st.floats().map(str), st.text(max_size=5))
SAMPLES: Any = st.lists(st.lists(NUMBERS, max_size=3), max_size=4)
NATIVES: Any = st.lists(
    st.tuples(
        NUMBERS,
        st.fixed_dictionaries(
            {"count": NUMBERS},
            optional={"buckets": st.lists(st.lists(NUMBERS, min_size=3, max_size=5), max_size=3)},
        ),
    ),
    max_size=3,
)
ANYTHING: Any = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["metric", "value", "values", "histogram", "histograms", "data", "result"]
            ),
            inner,
        ),
    ),
    max_leaves=8,
)
RESULTS: Any = st.one_of(
    ANYTHING,
    st.lists(st.fixed_dictionaries({"metric": ANYTHING, "values": SAMPLES}), max_size=3),
    st.lists(st.fixed_dictionaries({"metric": ANYTHING, "value": ANYTHING}), max_size=2),
    st.lists(st.fixed_dictionaries({"metric": ANYTHING, "histograms": NATIVES}), max_size=2),
)


@pytest.fixture(scope="module")
def nowhere() -> PrometheusSource:
    return PrometheusSource("http://127.0.0.1:1")


def either_understood_or_refused(source: PrometheusSource, result: Any) -> None:
    body = json.dumps({"data": {"result": result}, "warnings": result, "infos": result}).encode()
    end = round(UNIX * 1000)
    readers: tuple[Any, ...] = (
        lambda answer: [prometheus._value("x", answer).number],
        lambda answer: [each.samples for each in SeriesReader(0, end).read(answer)],
        lambda answer: [each.histograms for each in SeriesReader(0, end).read(answer)],
    )
    for read in readers:
        try:
            assert "nan" not in repr(source._understand(body, read))
        except (Unavailable, Permanent):
            continue


@settings(max_examples=60)
@given(RESULTS)
def test_no_result_raises_anything_but_what_the_port_says(
    nowhere: PrometheusSource, result: Any
) -> None:
    either_understood_or_refused(nowhere, result)


@pytest.mark.nightly
@settings(max_examples=3000)
@given(RESULTS)
def test_no_result_whatsoever_raises_anything_but_what_the_port_says(
    nowhere: PrometheusSource, result: Any
) -> None:
    either_understood_or_refused(nowhere, result)


@pytest.mark.parametrize("content", NO_SAMPLES.values(), ids=NO_SAMPLES)
async def test_what_are_no_samples_is_an_error(
    fake: FakePrometheus, source: PrometheusSource, content: bytes
) -> None:
    answering(fake, Body(lambda: content))
    with pytest.raises(Unavailable, match="that is no query result"):
        await source.samples("x", until=AT, window_seconds=60)


async def test_samples_of_another_time_than_was_asked_for_are_left_out(
    fake: FakePrometheus, source: PrometheusSource
) -> None:
    times = (0, -1e300, UNIX - 60, UNIX - 59, UNIX, UNIX + 1, 1e300)
    values = [[time, "1"] for time in times]
    fake.answer = fake.result("matrix", [{"metric": {}, "values": values}])
    (found,) = await source.samples("x", until=AT, window_seconds=60)
    assert [at for at, _ in found.samples] == [UNIX - 59, UNIX]


@pytest.mark.parametrize("time", ["1e300", "-1", "2000000000"])
async def test_a_scrape_that_is_to_come_is_no_answer(
    fake: FakePrometheus, source: PrometheusSource, time: str
) -> None:
    fake.answer = fake.result("vector", [{"metric": {}, "value": [UNIX, time]}])
    with pytest.raises(Unavailable, match="that is no query result"):
        await source.last_scrape("up", at=AT)


async def test_a_source_that_lies_about_one_release_is_an_error_of_that_criterion_alone() -> None:
    """Duplicate series, numbers that no counter has and times of no calendar: all else is counted."""
    harness = Harness(ERRORS, QUERY)
    harness.metrics.answers = {'sales{hash="canaryhash",n="shop"}': 1e308}
    await harness.wait(20)
    harness.expose()
    for value in (float("inf"), -1e308, 1e308):
        harness.serve("canary", 10)
        harness.metrics.values |= {
            key: value for key in harness.metrics.values if ("status", "200") in key
        }
        await harness.wait(15)
    await settle()
    assert harness.measured().error
    assert harness.latest.measurements["sales"].value == 1e308
    await harness.monitor.close()
