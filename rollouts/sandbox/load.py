"""
Steady traffic, and an honest account of what came back.

Open loop: request number i is due at start + i / rate, whatever happened to those before
it. None is skipped: one that can't be sent when due, because too many are under way, is
sent late and counted in `behind`.

Who answered is told by the header `x-version`, which the demo app puts on every answer,
errors included. So three ends are told apart:

- succeeded: the app answered, below 500;
- failed: the app answered with 5xx (a bad release does this);
- lost: refused, reset, timed out, or an error that the app did not send (the data plane's 404, 502,
  503, 504). This is what a rollout itself must never cause.

A time-out is the data plane's fault only where we looked for the answer: time in which this
process did not run (a busy machine, a long computation) counts for no request.
"""

import asyncio
import math
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import aiohttp

from rollouts.sandbox.awake_timeouts import AwakeTimeouts

APP_HEADER = "x-version"
LATE_AFTER_SECONDS = 0.1
_GROWTH = 1.05  # of latency buckets: quantiles are within 5 %
_SMALLEST_SECONDS = 0.0001


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked for: `url` is the data plane's, `host` goes into the Host header."""

    url: str
    host: str = ""
    path: str = "/"
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VersionCount:
    """What one version of the app has answered."""

    responses: int
    failed: int
    first_at: datetime
    last_at: datetime
    first_failed_at: datetime | None
    last_failed_at: datetime | None
    last_sent_at: datetime
    """When the latest request was sent of those that it has answered: under load an answer may come late."""


@dataclass(frozen=True, slots=True)
class SecondCount:
    """What was sent in one second, and what became of it."""

    at: datetime
    sent: int = 0
    succeeded: int = 0
    failed: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True)
class LoadReport:
    """
    The account so far; `sent` is the sum of the three ends and of `in_flight`.

    `behind` counts requests sent more than 0.1 s after they were due, `lag_seconds` is the
    worst. Latencies begin when a request was due. `versions` is by `x-version`; answers
    without it that are no errors are under "".
    """

    started_at: datetime
    duration_seconds: float
    sent: int
    in_flight: int
    succeeded: int
    failed: int
    lost: int
    lost_reasons: Mapping[str, int]
    behind: int
    lag_seconds: float
    p50_seconds: float
    p99_seconds: float
    versions: Mapping[str, VersionCount]
    seconds: tuple[SecondCount, ...]


@dataclass(slots=True)
class _Version:
    first_at: datetime
    last_at: datetime
    last_sent_at: datetime
    responses: int = 0
    failed: int = 0
    first_failed_at: datetime | None = None
    last_failed_at: datetime | None = None

    def count(self, sent_at: datetime, at: datetime, *, failed: bool) -> None:
        self.responses += 1
        self.last_at = at
        self.last_sent_at = max(self.last_sent_at, sent_at)
        if failed:
            self.failed += 1
            self.first_failed_at = self.first_failed_at or at
            self.last_failed_at = at

    def freeze(self) -> VersionCount:
        return VersionCount(
            self.responses,
            self.failed,
            self.first_at,
            self.last_at,
            self.first_failed_at,
            self.last_failed_at,
            self.last_sent_at,
        )


class Account:
    """Adds up how requests ended; keeps the last `seconds_kept` seconds one by one."""

    def __init__(self, seconds_kept: int = 3600) -> None:
        self.started_at = datetime.now(UTC)
        self._ends: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._versions: dict[str, _Version] = {}
        self._latencies: Counter[int] = Counter()
        self._seconds: deque[tuple[datetime, Counter[str]]] = deque(maxlen=seconds_kept)
        self._behind = 0
        self._lag_seconds = 0.0
        self._ended_at: datetime | None = None

    def sent(self, lag_seconds: float) -> Counter[str]:
        """Count a request that leaves now; return the second in which its end is to be counted."""
        now = datetime.now(UTC).replace(microsecond=0)
        if not self._seconds or self._seconds[-1][0] < now:
            self._seconds.append((now, Counter()))
        self._ends["sent"] += 1
        self._lag_seconds = max(self._lag_seconds, lag_seconds)
        if lag_seconds > LATE_AFTER_SECONDS:
            self._behind += 1
        second = self._seconds[-1][1]
        second["sent"] += 1
        return second

    def answered(
        self, second: Counter[str], status: int, version: str | None, sent_at: datetime
    ) -> None:
        """Count an answer; `version` is None when the app's header is missing."""
        if version is None and status >= 400:
            self.lost(second, f"HTTP {status} not from the app")
            return
        failed = status >= 500
        now = datetime.now(UTC)
        counted = self._versions.setdefault(version or "", _Version(now, now, sent_at))
        counted.count(sent_at, now, failed=failed)
        end = "failed" if failed else "succeeded"
        self._ends[end] += 1
        second[end] += 1

    def lost(self, second: Counter[str], reason: str) -> None:
        self._ends["lost"] += 1
        self._reasons[reason] += 1
        second["lost"] += 1

    def took(self, seconds: float) -> None:
        steps = math.log(max(seconds, _SMALLEST_SECONDS) / _SMALLEST_SECONDS, _GROWTH)
        self._latencies[math.ceil(steps)] += 1

    def close(self) -> None:
        """Stop the clock: nothing more will be sent."""
        self._ended_at = datetime.now(UTC)

    def report(self) -> LoadReport:
        ends = self._ends
        until = self._ended_at or datetime.now(UTC)
        return LoadReport(
            started_at=self.started_at,
            duration_seconds=(until - self.started_at).total_seconds(),
            sent=ends["sent"],
            in_flight=ends["sent"] - ends["succeeded"] - ends["failed"] - ends["lost"],
            succeeded=ends["succeeded"],
            failed=ends["failed"],
            lost=ends["lost"],
            lost_reasons=dict(self._reasons),
            behind=self._behind,
            lag_seconds=self._lag_seconds,
            p50_seconds=self._quantile(0.5),
            p99_seconds=self._quantile(0.99),
            versions={name: version.freeze() for name, version in self._versions.items()},
            seconds=tuple(SecondCount(at, **counts) for at, counts in self._seconds),
        )

    def _quantile(self, q: float) -> float:
        left = q * self._latencies.total()
        for bucket, count in sorted(self._latencies.items()):
            left -= count
            if left <= 0:
                return _SMALLEST_SECONDS * _GROWTH**bucket
        return 0.0


class Load:
    """
    Sends `requests_per_second` to `target`, for `duration_seconds` or until `stop`.

    `report` may be called at any time. Connections are kept alive; at most
    `max_in_flight` requests are under way at once.
    """

    def __init__(
        self,
        target: Target,
        requests_per_second: float,
        *,
        duration_seconds: float = math.inf,
        timeout_seconds: float = 5.0,
        max_in_flight: int = 512,
    ) -> None:
        if requests_per_second <= 0:
            raise ValueError("requests_per_second must be above 0")
        self._target = target
        self._rate = requests_per_second
        self._duration_seconds = duration_seconds
        self._timeouts = AwakeTimeouts(timeout_seconds)
        self._slots = asyncio.Semaphore(max_in_flight)
        self._connections = max_in_flight
        self._stopping = asyncio.Event()
        self._account = Account()

    def report(self) -> LoadReport:
        """Return the account as of now."""
        return self._account.report()

    def stop(self) -> None:
        """Send nothing more; `run` returns when what is under way has ended."""
        self._stopping.set()

    async def run(self) -> LoadReport:
        """Send, and return the account when the last answer is in."""
        self._account = Account()
        connector = aiohttp.TCPConnector(limit=self._connections)
        with self._timeouts.beating():
            async with (
                aiohttp.ClientSession(
                    connector=connector, timeout=aiohttp.ClientTimeout(total=None)
                ) as session,
                asyncio.TaskGroup() as requests,
            ):
                await self._send(session, requests)
        return self.report()

    async def _send(self, session: aiohttp.ClientSession, requests: asyncio.TaskGroup) -> None:
        begin = time.monotonic()
        number = 0
        while (due := number / self._rate) < self._duration_seconds:
            if await self._stopped_before(begin + due):
                break
            await self._slots.acquire()
            requests.create_task(self._request(session, begin + due))
            number += 1
        self._account.close()

    async def _stopped_before(self, due: float) -> bool:
        """Wait until `due`; return at once, and True, when told to stop."""
        wait_seconds = due - time.monotonic()
        if wait_seconds > 0 and not self._stopping.is_set():
            try:
                async with asyncio.timeout(wait_seconds):
                    await self._stopping.wait()
            except TimeoutError:
                pass
        return self._stopping.is_set()

    async def _request(self, session: aiohttp.ClientSession, due: float) -> None:
        target, account = self._target, self._account
        headers = dict(target.headers)
        if target.host:
            headers["Host"] = target.host
        second, sent_at = account.sent(time.monotonic() - due), datetime.now(UTC)
        try:
            async with (
                self._timeouts.one(),
                session.request(
                    target.method, target.url + target.path, headers=headers, allow_redirects=False
                ) as response,
            ):
                await response.read()
                version = response.headers.get(APP_HEADER)
                account.answered(second, response.status, version, sent_at)
        except TimeoutError:
            account.lost(second, "timed out")
        except (aiohttp.ClientError, OSError) as error:
            account.lost(second, _reason(error))
        finally:
            account.took(time.monotonic() - due)
            self._slots.release()


def _reason(error: Exception) -> str:
    """Return a reason without addresses and ports, so that equal ones add up."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return "connection refused" if error.errno == 111 else f"not connected: {error.errno}"
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionResetError):
        return "connection reset"
    return type(error).__name__
