"""
`CounterSource` and `QuerySource` over Prometheus' HTTP API, by `prometheus-api-client`.

The client blocks (it uses requests), so that each query runs in one of a few threads, for a
bounded time. Its own retries are off: whoever asks counts errors and asks again anyway.
Requests, answers and errors are as Prometheus' documentation has them ("HTTP API").
"""

import asyncio
import io
import json
import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import requests
import urllib3
from prometheus_api_client import PrometheusConnect
from urllib3.util import Retry

from rollouts.errors import Permanent, TooLarge, TooSlow, Unavailable
from rollouts.metrics.access import Access, Address, session_of
from rollouts.metrics.range_answers import SeriesReader, result_of
from rollouts.model.truncation import sendable, truncated
from rollouts.ports import Series, Value

_CONCURRENT_QUERIES = 8
_LARGEST_ANSWER_BYTES = 16 * 1024 * 1024
_MOST_VALUES = 2_000_000
"""
An answer of the largest size has as many if it is samples. Of what is smaller there could be so many
more that they would not fit into the controller's memory.
"""
_UNREACHED = "; see whether it runs, is overloaded, or a NetworkPolicy keeps us out"
_FEWER = "; let fewer series be asked for, or keep fewer labels when scraping"
_ADDRESS = "; see whether --prometheus has the address of a Prometheus"
_MOST_REDIRECTS = 3
_LONGEST_IN_URL = 2000
"""A query of more characters is sent as a form: proxies take URLs of 8 KiB, or of 4."""
_TOO_LONG = (413, 414, 431)
_NO_FORM = (403, 405, 501)
"""What a proxy says that lets us read and nothing else."""

_T = TypeVar("_T")
_Read = Callable[[bytes], _T]
"""What makes something of an answer."""
_MISUNDERSTOOD = (
    *(KeyError, TypeError, ValueError, IndexError, AttributeError),
    *(OverflowError, RecursionError),  # of numbers that are too large, and lists that are too deep
)
"""What reading JSON raises that is not what it should be."""
_LONGEST_LINE = 800
"""So many bytes of a refusal are looked at; a quarter as many characters are repeated."""
_REFUSED = (400, 422)
_SLOW = ("timeout", "canceled")
"""The types of errors with which Prometheus itself gives a query up (`--query.timeout`)."""
"""
The query is wrong, or can't be executed, where the answer is in Prometheus' form: `errorType` is
"bad_data" or "execution" then, and of VictoriaMetrics the status once more.
"""
_LONGEST_TEXT = 500
"""So much of an error is repeated: it goes into status."""
_MOST_WARNINGS = 3
_LONGEST_WARNING = 200


class _UnknownOption(Unavailable):
    """A provider refuses `nocache`, as Google's does with every parameter that it does not know."""


class _NoForms(Unavailable):
    """A proxy lets us read by GET alone."""


class PrometheusSource:
    """
    The Prometheus (or what speaks its API: Thanos, Mimir, VictoriaMetrics) at `url`.

    Raises:
        UsageError: `url` is none. A user and a password in it are used, and never shown.
    """

    def __init__(
        self, url: str, *, access: Access | None = None, timeout_seconds: float = 5.0
    ) -> None:
        address = Address.of(url)
        self._where = f"Prometheus at {address.url}"
        self._timeout_seconds = timeout_seconds
        self._session = session_of(address, access or Access())
        self._session.hooks["response"] = [self._receive]
        self._session.max_redirects = _MOST_REDIRECTS
        self._client: Any = PrometheusConnect(
            url=address.url,
            session=self._session,
            retry=Retry(total=0, read=False),
            timeout=timeout_seconds,
        )
        # VictoriaMetrics would answer for a moment that is 30 s ago (-search.latencyOffset).
        self._options = {"nocache": "1"}
        self._forms = True
        self._threads = ThreadPoolExecutor(_CONCURRENT_QUERIES, thread_name_prefix="prometheus")
        # What is read of an answer takes many times the memory of the answer: one at a time.
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="answers")

    async def close(self) -> None:
        """Give back connections and threads; what is still being asked runs into its timeout."""
        for threads in (self._threads, self._reader):
            threads.shutdown(wait=False, cancel_futures=True)
        self._session.close()

    async def samples(
        self, selector: str, *, until: datetime, window_seconds: float
    ) -> tuple[Series, ...]:
        """
        Return the raw samples in (until - window, until], per series; NaN is left out.

        It is an instant query of a range selector, which gives samples as they were scraped.
        Prometheus before 3.0 also gives the one at exactly until - window; it is left out
        here, so that versions agree. The window is rounded to milliseconds.

        Raises:
            Permanent: Prometheus does not understand the selector.
            Unavailable: no answer, or nonsense.
        """
        window_ms = max(1, round(window_seconds * 1000))
        until_ms = round(until.timestamp() * 1000)
        reader = SeriesReader(until_ms - window_ms, until_ms)
        return await self._query(f"{selector}[{window_ms}ms]", until, reader.read)

    async def value(self, query: str, *, at: datetime) -> Value:
        """
        Return the one number that `query` evaluates to, with the warnings of the answer.

        There is none for an empty result, and for NaN or an infinity: 0/0 and x/0 mean that there was
        no traffic to divide by, which is evidence of nothing. Then what the answer only informs of
        is among the warnings as well.

        Raises:
            Permanent: the expression is wrong, or yields more than one series.
            Unavailable: no answer, or nonsense.
        """
        return await self._query(query, at, partial(_value, query))

    async def last_scrape(self, up: str, *, at: datetime) -> float:
        """
        Return when a target that the selector `up` selects last answered, in unix seconds; 0: none did.

        Raises:
            Unavailable: no answer, or nonsense.
        """
        found = await self._number(f"max(timestamp({up}) and {up} == 1)", at) or 0.0
        if not 0 <= found <= at.timestamp() + 1:
            raise self._nonsense()
        return found

    async def most_scrapes(self, *, until: datetime, window_seconds: float) -> int:
        """
        Return how often the target that was scraped most was, in (until - window, until]; 0 without any.

        Raises:
            Unavailable: no answer, or nonsense.
        """
        window_ms = max(1, round(window_seconds * 1000))
        return round(await self._number(f"max(count_over_time(up[{window_ms}ms]))", until) or 0)

    async def _number(self, promql: str, at: datetime) -> float | None:
        return (await self.value(promql, at=at)).number

    async def _query(self, promql: str, at: datetime, read: _Read[_T]) -> _T:
        """Return what `read` makes of the result; asking and reading keep nobody else waiting."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout_seconds + 1):
                body = await loop.run_in_executor(self._threads, self._ask, promql, at)
                return await loop.run_in_executor(self._reader, self._understand, body, read)
        except TimeoutError as error:
            limit = f"{self._timeout_seconds:g} s"
            raise TooSlow(f"{self._where} did not answer within {limit}{_UNREACHED}") from error

    def _ask(self, promql: str, at: datetime) -> bytes:
        """Ask, in a thread, and return the answer as it came."""
        try:
            return self._answer(promql, at, self._options)
        except _UnknownOption:
            answer = self._answer(promql, at, {})
            self._options = {}  # not when that is refused as well, with what was asked in the words
            return answer

    def _answer(self, promql: str, at: datetime, options: Mapping[str, str]) -> bytes:
        params = {
            "time": f"{at.timestamp():.3f}",
            "timeout": f"{self._timeout_seconds:g}s",
            **options,
        }
        try:
            return self._sent(promql, params)
        except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
            raise TimeoutError from error
        except requests.exceptions.InvalidHeader:  # it says which, with what may be secret
            raise Unavailable(
                f"{self._where} can't be asked: a header can't be sent; see --prometheus-header, and the token"
            ) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            # A certificate that is wrong is said in full: nobody keeps us out.
            way_out = "" if isinstance(error, requests.exceptions.SSLError) else _UNREACHED
            raise Unavailable(
                f"{self._where} can't be reached: {_cause(error)}{way_out}"
            ) from error
        except TimeoutError:
            raise
        except OSError as error:  # a certificate's file, for one
            raise Unavailable(f"{self._where} can't be asked: {error}") from error

    def _sent(self, promql: str, params: Mapping[str, str]) -> bytes:
        """Send a query in the URL, or as a form where that would be too long; return the answer."""
        if not self._forms or len(promql) <= _LONGEST_IN_URL:
            return self._sent_in_url(promql, params)
        try:
            answer = self._session.post(
                f"{self._client.url}/api/v1/query",
                data={"query": promql, **params},
                timeout=self._timeout_seconds,
            )
        except _NoForms:
            body = self._sent_in_url(promql, params)
            self._forms = False  # not when that is refused as well
            return body
        received: bytes = answer.json()["data"]["result"]
        return received

    def _sent_in_url(self, promql: str, params: Mapping[str, str]) -> bytes:
        received: bytes = self._client.custom_query(promql, params=params)
        return received

    def _receive(self, response: requests.Response, *_: object, **__: object) -> None:
        """
        Read the answer within time and bounds, and raise what a refusal means.

        A hook of the session, because the client turns a refusal into text, and because
        requests' timeout is for two bytes in a row, not for the answer.
        """
        try:
            body = self._received(response)
        except BaseException:
            response.close()  # there may be more to come, without end
            raise
        response.raw = io.BytesIO()
        # The client would read it at once, beside seven others.
        response.json = lambda **_: {"data": {"result": body}}  # type: ignore[method-assign]
        if response.status_code != 200 and not response.is_redirect:
            is_form = response.request.method == "POST"
            raise self._refusal(response.status_code, body, is_form=is_form)

    def _received(self, response: requests.Response) -> bytes:
        until = time.monotonic() + self._timeout_seconds
        received = io.BytesIO()
        for chunk in response.raw.stream(65536, decode_content=True):
            received.write(chunk)
            if received.tell() > _LARGEST_ANSWER_BYTES:
                raise TooLarge(f"{self._where} answered more than 16 MiB{_FEWER}")
            if time.monotonic() > until:
                raise TimeoutError
        body = received.getvalue()
        if sum(map(body.count, (b",", b"[", b"{"))) > _MOST_VALUES:
            raise TooLarge(f"{self._where} answered more than {_MOST_VALUES:,} values{_FEWER}")
        return body

    def _refusal(self, status: int, body: bytes, *, is_form: bool) -> Permanent | Unavailable:
        if is_form and status in _NO_FORM:
            return _NoForms(f"{self._where} answered HTTP {status}: it takes no forms")
        if status in _TOO_LONG:
            return TooLarge(f"{self._where} answered HTTP {status}: it takes no query so long")
        try:
            answer = json.loads(body)
            kind, text = _text(answer["errorType"]), _text(answer["error"])
        except _MISUNDERSTOOD:
            unknown = status == 400 and b"nocache" in body
            kind_of = _UnknownOption if unknown else TooSlow if status == 504 else Unavailable
            return kind_of(f"{self._where} answered HTTP {status}{_first_line(body)}")
        if status in _REFUSED:
            return Permanent(f"{self._where} refuses the query: {text}")
        kind_of = TooSlow if kind in _SLOW else Unavailable
        return kind_of(f"{self._where} answered HTTP {status}: {kind}: {text}")

    def _understand(self, body: bytes, read: _Read[_T]) -> _T:
        try:
            return read(body)
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Unavailable(
                f"{self._where} answered something that is not JSON{_ADDRESS}"
            ) from error
        except _MISUNDERSTOOD as error:
            raise self._nonsense() from error

    def _nonsense(self) -> Unavailable:
        return Unavailable(f"{self._where} answered JSON that is no query result{_ADDRESS}")


def _first_line(body: bytes) -> str:
    """Return what a refusal without Prometheus' form says first, after a colon; nothing of a page or of bytes."""
    line = next(
        iter(body[:_LONGEST_LINE].decode(errors="replace").strip().splitlines()), ""
    ).strip()
    is_text = line.isprintable() and not line.startswith("<")
    return f": {sendable(truncated(line, _LONGEST_LINE // 4))}" if line and is_text else ""


def _value(query: str, body: bytes) -> Value:
    """
    Return the one number of an answer; None for none, and for NaN or an infinity.

    Raises:
        Permanent: it has more than one series, samples, or a histogram.
    """
    answer = json.loads(body)
    number = _number(query, result_of(answer))
    said = [*_texts(answer, "warnings"), *(_texts(answer, "infos") if number is None else ())]
    warnings = (truncated(sendable(each), _LONGEST_WARNING) for each in said[:_MOST_WARNINGS])
    return Value(number, tuple(warnings))


def _number(query: str, result: list[Any]) -> float | None:
    if not result:
        return None
    if not isinstance(result[0], dict):  # a scalar is [time, "value"]
        return _finite(result[1])
    if len(result) > 1:
        raise Permanent(
            f"{query!r} yields {len(result)} series where one number is needed:"
            " aggregate them, for example with sum(…)"
        )
    if "values" in result[0] or "histograms" in result[0]:
        raise Permanent(
            f"{query!r} yields a range of samples where one number is needed:"
            " wrap it in a function, for example rate(…)"
        )
    if "histogram" in result[0]:
        raise Permanent(
            f"{query!r} yields a native histogram where one number is needed:"
            " wrap it in a function, for example histogram_quantile(0.99, …) or histogram_count(…)"
        )
    return _finite(result[0]["value"][1])


def _texts(answer: Any, name: str) -> list[str]:
    """Return a list of texts that an answer may have beside its result; what is none says nothing."""
    found = answer.get(name)
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def _finite(text: Any) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _text(value: object) -> str:
    """Return the beginning of an error's words."""
    return truncated(sendable(str(value)), _LONGEST_TEXT)


def _cause(error: BaseException) -> str:
    """Return the innermost sentence of what requests and urllib3 wrap several times."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    text = str(reason or error)
    return _text(text.rsplit(": ", 1)[-1] if reason else text)
