"""
A `Notifier` that posts each notification as JSON to a URL.

The body is {"rollout", "reason", "message", "at", "text"}; `text` is one readable line, which
makes the same body an incoming message for Slack and for what imitates it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx

from rollouts.backoff import Backoff, retry_after_seconds
from rollouts.errors import Permanent, Unavailable
from rollouts.ports import Notification
from rollouts.proxies import is_proxied

TIMEOUT_SECONDS = 5.0
ATTEMPTS = 3

_BACKOFF = Backoff(first_seconds=0.5, longest_seconds=10.0)


class WebhookNotifier:
    """
    Posts to `url`, up to three times while nobody answers or the answer is a 5xx or 429.

    `sleep` is what waits between the attempts.
    """

    def __init__(
        self, url: str, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._url = url
        # Never more than the host: the path of a webhook is often its secret.
        self._where = _host(url)
        self._sleep = sleep
        # With a transport of its own it heeds no proxy, and still the authorities of SSL_CERT_FILE.
        direct = None if is_proxied(url) else httpx.AsyncHTTPTransport()
        self._client = httpx.AsyncClient(timeout=TIMEOUT_SECONDS, transport=direct)

    async def notify(self, notification: Notification) -> None:
        """
        Deliver the notification.

        Raises:
            Unavailable: the receiver did not take it in any attempt.
            Permanent: the receiver refuses it (4xx), or the URL is none.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await self._post(notification)
                break
            except Unavailable as error:
                if attempt == ATTEMPTS:
                    raise
                await self._sleep(_BACKOFF.delay(attempt, at_least_seconds=error.after_seconds))

    async def close(self) -> None:
        """Give back the connections."""
        await self._client.aclose()

    async def _post(self, notification: Notification) -> None:
        if not self._where:
            raise Permanent("the URL of --notify-webhook has no host; give http(s)://HOST/…")
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):  # httpx's own is between two bytes
                # What it says besides is not read: it may have no end.
                async with self._client.stream(
                    "POST", self._url, json=body_of(notification)
                ) as response:
                    status = response.status_code
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            # The error itself may hold a part of the URL.
            raise Permanent(
                "the URL of --notify-webhook is wrong: it has to be http(s)://HOST/…"
            ) from None
        except (httpx.HTTPError, TimeoutError) as error:
            what = str(error) or type(error).__name__
            raise Unavailable(
                f"the webhook at {self._where} did not answer: {what}; see whether it runs, and whether"
                " a NetworkPolicy lets the controller out to it"
            ) from error
        if status == 429 or status >= 500:
            after = retry_after_seconds(response.headers.get("Retry-After"), now=datetime.now(UTC))
            raise Unavailable(
                f"the webhook at {self._where} answered {status}; see the receiver's log",
                after_seconds=after,
            )
        if status >= 300:
            raise Permanent(
                f"the webhook at {self._where} refused the notification with {status};"
                " see --notify-webhook, and the receiver's log"
            )


def body_of(notification: Notification) -> dict[str, str]:
    """Return what is posted."""
    return {
        "rollout": notification.rollout,
        "reason": notification.reason,
        "message": notification.message,
        "at": notification.at.astimezone(UTC).isoformat(),
        "text": f"{notification.rollout}: {notification.message} ({notification.reason})",
    }


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
