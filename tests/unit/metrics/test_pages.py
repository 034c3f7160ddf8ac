"""Pages over HTTP on loopback: what is read, within which bounds, and what is sent."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from rollouts.errors import TooLarge, Unavailable
from rollouts.metrics import pages
from rollouts.metrics.pages import HttpPages, PageAccess
from rollouts.ports import MetricsPage, Series, WantedSeries
from tests.unit.metrics.conftest import serving

NAME = "http_requests_total"
WANTED = WantedSeries((NAME,))
AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
PAGE = f'# TYPE {NAME} counter\n{NAME}{{code="200",pod="mine"}} 12\n{NAME}{{code="500"}} 3\n'

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def text(body: str, **options: object) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(text=body, **options)  # type: ignore[arg-type]

    return answer


@asynccontextmanager
async def process(answer: Answer, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serve a process' metrics; yield their URL."""
    async with serving(context) as fake:
        fake.answer = answer
        fake.path = "/metrics"
        yield fake.url.removesuffix("/prom/") + "/metrics"


def trusted_by(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def read(
    url: str, access: PageAccess | None = None, *, timeout_seconds: float = 60.0
) -> tuple[Series, ...]:
    source = HttpPages(access, timeout_seconds=timeout_seconds)
    try:
        return await source.read(MetricsPage(url, {"pod": "web-1"}), WANTED, at=AT)
    finally:
        await source.close()


async def test_series_are_named_as_prometheus_names_what_it_scrapes() -> None:
    async with process(text(PAGE)) as url:
        found = await read(url)
    at = AT.timestamp()
    assert found == (
        Series(
            {"__name__": NAME, "code": "200", "exported_pod": "mine", "pod": "web-1"}, ((at, 12.0),)
        ),
        Series({"__name__": NAME, "code": "500", "pod": "web-1"}, ((at, 3.0),)),
    )


async def test_open_metrics_that_are_cut_off_count_as_not_read() -> None:
    options = {"content_type": "application/openmetrics-text"}
    async with process(text(PAGE, **options)) as url:
        with pytest.raises(Unavailable, match=r"no metrics at .*/metrics: .* # EOF"):
            await read(url)
    async with process(text(PAGE + "# EOF\n", **options)) as url:
        assert len(await read(url)) == 2


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (text("", status=403), "HTTP 403"),
        (text("", status=302, headers={"Location": "/metrics?again"}), "HTTP 302"),
        (text(PAGE, headers={"Content-Encoding": "gzip"}), "compressed"),
        (text(f"{NAME} many\n"), "can't be understood"),
    ],
)
async def test_what_is_no_page_is_an_error_and_no_number(answer: Answer, why: str) -> None:
    async with process(answer) as url:
        with pytest.raises(Unavailable, match=why):
            await read(url)


async def test_a_page_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "LARGEST_PAGE_BYTES", 1024 * 1024)

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"other 1\n" * 8192)

    async with process(answer) as url:
        with pytest.raises(TooLarge, match="larger than 1 MiB"):
            await read(url)


@pytest.mark.parametrize("begins", [True, False])
async def test_a_page_that_takes_too_long_is_given_up(*, begins: bool) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if begins:
            await response.prepare(request)
            await response.write(PAGE.encode())
        await asyncio.Event().wait()
        return response

    async with process(answer) as url:
        with pytest.raises(Unavailable, match=r"/metrics within 0.2 s"):
            await read(url, timeout_seconds=0.2)


async def test_who_is_not_there_is_said_with_the_address() -> None:
    async with process(text(PAGE)) as url:
        pass
    with pytest.raises(Unavailable, match=f"no metrics at {url}: Connect"):
        await read(url)


async def test_a_token_goes_over_tls_only(tmp_path: Path, certificate: Path) -> None:
    context = trusted_by(certificate)
    token_file = tmp_path / "token"
    token_file.write_text("secret\n")
    access = PageAccess(token_file=token_file, ca_file=certificate)
    seen: list[str | None] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers.get("Authorization"))
        return web.Response(text=PAGE)

    async with process(answer) as url:
        await read(url, access)
    async with process(answer, context) as url:
        await read(url, access)
        token_file.write_text("")
        with pytest.raises(Unavailable, match="the token of --readings-token-file can't be read"):
            await read(url, access)
    assert seen == [None, "Bearer secret"]


async def test_a_certificate_is_verified(certificate: Path) -> None:
    context = trusted_by(certificate)
    async with process(text(PAGE), context) as url:
        with pytest.raises(Unavailable, match="its certificate is not trusted"):
            await read(url)
        assert len(await read(url, PageAccess(ca_file=certificate))) == 2
        assert len(await read(url, PageAccess(insecure_skip_verify=True))) == 2
