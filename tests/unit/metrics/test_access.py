"""Secrets are read when they are needed, and shown never."""

import base64
import ssl
from pathlib import Path

import pytest

from rollouts.errors import RolloutsError, Unavailable, UsageError
from rollouts.metrics.access import Access, Address
from rollouts.metrics.prometheus import PrometheusSource
from tests.unit.metrics.conftest import FakePrometheus, serving
from tests.unit.metrics.test_prometheus import AT


async def ask(source: PrometheusSource) -> None:
    try:
        await source.value("x", at=AT)
    finally:
        await source.close()


def basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


async def test_a_token_that_is_replaced_counts_at_once(
    prometheus: FakePrometheus, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    source = PrometheusSource(prometheus.url, access=Access(token_file=file))
    await source.value("x", at=AT)
    file.write_text("second\n")
    await ask(source)
    sent = [each["Authorization"] for each in prometheus.headers]
    assert sent == ["Bearer first", "Bearer second"]


async def test_so_does_a_password(prometheus: FakePrometheus, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("first\n")
    access = Access(username="shop", password_file=file)
    source = PrometheusSource(prometheus.url, access=access)
    await source.value("x", at=AT)
    file.write_text("sécond")
    await ask(source)
    sent = [each["Authorization"] for each in prometheus.headers]
    assert sent == [basic("shop", "first"), basic("shop", "sécond")]


@pytest.mark.parametrize("text", [None, "", "  \n"])
async def test_a_secret_that_is_not_there_now_is_no_answer_and_the_next_one_counts(
    prometheus: FakePrometheus, tmp_path: Path, text: str | None
) -> None:
    file = tmp_path / "token"
    if text is not None:
        file.write_text(text)
    source = PrometheusSource(prometheus.url, access=Access(token_file=file))
    with pytest.raises(Unavailable, match="the token of Prometheus can't be read"):
        await source.value("x", at=AT)
    assert not prometheus.queries
    file.write_text("there")
    await ask(source)
    assert prometheus.headers[-1]["Authorization"] == "Bearer there"


@pytest.mark.parametrize("text", ["ses\name", "sesämé", "ses\x00ame"])
async def test_a_token_that_can_not_be_sent_is_not_shown(
    prometheus: FakePrometheus, tmp_path: Path, text: str
) -> None:
    file = tmp_path / "token"
    file.write_text(text)
    with pytest.raises(Unavailable, match="the token of Prometheus can't be sent") as error:
        await ask(PrometheusSource(prometheus.url, access=Access(token_file=file)))
    assert "ses" not in str(error.value).replace(str(file), "")
    assert not prometheus.queries


async def test_nor_is_a_header_that_can_not_be_sent(prometheus: FakePrometheus) -> None:
    access = Access(headers={"X-Scope": "ses\name"})
    with pytest.raises(Unavailable, match="a header can't be sent") as error:
        await ask(PrometheusSource(prometheus.url, access=access))
    assert "name" not in str(error.value)


async def test_a_password_in_the_url_is_sent_and_not_shown(prometheus: FakePrometheus) -> None:
    url = prometheus.url.replace("http://", "http://shop:open%20s%2Fsame@")
    source = PrometheusSource(url)
    await source.value("x", at=AT)
    assert prometheus.headers[-1]["Authorization"] == basic("shop", "open s/same")
    prometheus.answer = prometheus.text("no", 500)
    with pytest.raises(RolloutsError) as error:
        await ask(source)
    assert "s%2Fsame" not in str(error.value)
    assert "shop" not in str(error.value)
    assert prometheus.url.rstrip("/") in str(error.value)


@pytest.mark.parametrize("host", ["127.0.0.1:1", "nowhere.invalid", "[::1]:1"])
async def test_nor_when_nobody_answers(host: str) -> None:
    source = PrometheusSource(f"http://shop:sesame@{host}/prom", timeout_seconds=1)
    with pytest.raises(Unavailable) as error:
        await ask(source)
    assert "sesame" not in str(error.value)
    cause = error.value.__cause__
    while cause is not None:
        assert "sesame" not in f"{cause} {cause!r}"
        cause = cause.__cause__ or cause.__context__


@pytest.mark.parametrize(
    "url",
    [
        "http://shop:ses/ame@prometheus:9090",
        "http://shop:ses#ame@prometheus:9090",
        "http://shop:ses?ame@prometheus:9090",
        "http://shop:sesame@prometheus:port",
        "http://shop:sesame@[::1:9090",
        "http://shop:sesame@",
        "shop:sesame@prometheus:9090",
        "ftp://shop:sesame@prometheus",
        "http://prometheus/?token=sesame",
        "http://prometheus/#sesame",
    ],
)
def test_a_url_that_can_not_be_used_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(UsageError) as error:
        PrometheusSource(url)
    for part in ("sesame", "ses", "ame@"):
        assert part not in str(error.value)


def test_an_address_is_a_url_without_what_is_secret() -> None:
    address = Address.of("https://me:w@prometheus.shop:9090/select/0/")
    assert address == Address("https://prometheus.shop:9090/select/0", ("me", "w"))
    assert "'w'" not in repr(address)
    assert Address.of("http://[::1]:9090").url == "http://[::1]:9090"


def test_secrets_are_not_in_what_an_access_looks_like() -> None:
    access = Access({"X": "sesame"}, "sesame", basic_auth=("sesame", "sesame"), username="sesame")
    assert "sesame" not in repr(access)


async def test_a_certificate_is_trusted_if_its_authority_is_named(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    async with serving(context) as prometheus:
        with pytest.raises(Unavailable, match=r"can't be reached.*certificate"):
            await ask(PrometheusSource(prometheus.url))
        await ask(PrometheusSource(prometheus.url, access=Access(verify_tls=str(certificate))))
        await ask(PrometheusSource(prometheus.url, access=Access(verify_tls=False)))
        assert len(prometheus.queries) == 2


async def test_a_server_may_ask_for_a_certificate_of_ours(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(certificate)
    trusting = str(certificate)
    async with serving(context) as prometheus:
        with pytest.raises(Unavailable):
            await ask(PrometheusSource(prometheus.url, access=Access(verify_tls=trusting)))
        ours = Access(verify_tls=trusting, cert_file=certificate)
        await ask(PrometheusSource(prometheus.url, access=ours))
        assert len(prometheus.queries) == 1


async def test_an_authority_that_has_gone_is_no_answer(tmp_path: Path) -> None:
    async with serving(None) as prometheus:
        url = prometheus.url.replace("http:", "https:")
        access = Access(verify_tls=str(tmp_path / "absent.pem"))
        with pytest.raises(Unavailable, match=r"absent\.pem"):
            await ask(PrometheusSource(url, access=access))
