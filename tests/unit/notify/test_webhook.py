import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest
import respx

from rollouts.errors import Permanent, Unavailable
from rollouts.notify.absent import NoNotifier
from rollouts.notify.webhook import WebhookNotifier
from rollouts.ports import Notification, Notifier

URL = "https://hooks.example.com/T0/secret"
NOTICE = Notification("shop/checkout", "RolledBack", "8 % errors", datetime(2026, 1, 2, tzinfo=UTC))


class Sleeps:
    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
def sleeps() -> Sleeps:
    return Sleeps()


@pytest.fixture
async def notifier(sleeps: Sleeps) -> AsyncIterator[Notifier]:
    made = WebhookNotifier(URL, sleep=sleeps)
    yield made
    await made.close()


@respx.mock
async def test_a_notice_is_posted_as_json_that_slack_shows_too(notifier: Notifier) -> None:
    route = respx.post(URL).respond(200)
    await notifier.notify(NOTICE)
    assert json.loads(route.calls.last.request.content) == {
        "rollout": "shop/checkout",
        "reason": "RolledBack",
        "message": "8 % errors",
        "at": "2026-01-02T00:00:00+00:00",
        "text": "shop/checkout: 8 % errors (RolledBack)",
    }


@respx.mock
async def test_what_passes_is_tried_again_after_longer_and_longer_waits(
    notifier: Notifier, sleeps: Sleeps
) -> None:
    answers: list[httpx.Response | Exception] = [
        httpx.ConnectError("refused"),
        httpx.Response(503),
        httpx.Response(200),
    ]
    route = respx.post(URL).mock(side_effect=answers)
    await notifier.notify(NOTICE)
    assert route.call_count == 3
    assert 0 < sleeps.seconds[0] < sleeps.seconds[1] <= 1.0


@respx.mock
async def test_a_receiver_that_is_down_is_given_up_without_showing_its_path(
    notifier: Notifier,
) -> None:
    route = respx.post(URL).mock(side_effect=httpx.ReadTimeout(""))
    with pytest.raises(Unavailable, match=r"hooks\.example\.com.*ReadTimeout") as error:
        await notifier.notify(NOTICE)
    assert "secret" not in str(error.value)
    assert route.call_count == 3


@respx.mock
async def test_how_long_to_wait_is_the_receivers_to_say_within_bounds(
    notifier: Notifier, sleeps: Sleeps
) -> None:
    later = httpx.Response(429, headers={"Retry-After": "3600"})
    respx.post(URL).mock(side_effect=[later, httpx.Response(200)])
    await notifier.notify(NOTICE)
    assert 7 < sleeps.seconds[0] <= 10


@respx.mock
@pytest.mark.parametrize("status", [302, 400, 404, 410])
async def test_a_refusal_is_not_repeated(notifier: Notifier, status: int) -> None:
    route = respx.post(URL).respond(status)
    with pytest.raises(Permanent, match=str(status)):
        await notifier.notify(NOTICE)
    assert route.call_count == 1


@pytest.mark.parametrize(
    "url",
    ["ftp//secret", "hooks.example.com/secret", "https://hooks:secret/x", ""],
)
async def test_a_url_that_is_none_is_permanent_and_not_shown(url: str) -> None:
    notifier = WebhookNotifier(url)
    with pytest.raises(Permanent, match="URL") as error:
        await notifier.notify(NOTICE)
    assert "secret" not in str(error.value)
    await notifier.close()


async def test_the_silent_one_tells_nobody() -> None:
    notifier: Notifier = NoNotifier()
    await notifier.notify(NOTICE)
    await notifier.close()


async def test_what_a_receiver_says_without_end_is_not_read() -> None:
    """By a real connection: the answer's first bytes are there, and the last never come."""
    sent = 0

    async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65536)
                sent += 65536
                await writer.drain()
        except ConnectionError:
            writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    made = WebhookNotifier(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    await made.notify(NOTICE)
    await made.close()
    server.close()
    assert sent < 16 * 1024 * 1024, "no more than what lies in the buffers between the two"
