"""
The only wiring: which implementation goes behind which port.

Everything heavy is imported inside the functions, so that naming this module costs nothing.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from rollouts.controller.settings import ControllerSettings
from rollouts.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from rollouts.controller.loop import Controller
    from rollouts.kube.cluster import KubeCluster
    from rollouts.kube.lease import Lease
    from rollouts.metrics.pages import HttpPages
    from rollouts.metrics.prometheus import PrometheusSource
    from rollouts.ports import MetricSources, Notifier

LEASE_NAME = "rollouts-controller"
STOPPED, LOST_LEADERSHIP = 0, 1


def run_controller(settings: ControllerSettings) -> int:
    """
    Run the controller until it is told to stop; return the exit status.

    0 after SIGTERM or SIGINT; 1 when another took over the lead, so that the process has
    to start anew.

    Raises:
        UsageError: a setting can't be used.
    """
    configure_logging(settings)
    return asyncio.run(_run_until_signal(settings))


async def _run_until_signal(settings: ControllerSettings) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return await controller(settings, stop)


async def controller(settings: ControllerSettings, stop: asyncio.Event) -> int:
    """Run the controller until `stop` is set; return the exit status, as `run_controller`."""
    from rollouts.controller.clock import SystemClock
    from rollouts.controller.http_server import HttpServer
    from rollouts.controller.loop import Controller
    from rollouts.controller.watches import WATCHED
    from rollouts.kube.cluster import connect

    cluster = connect(settings.kubeconfig, settings.context, settings.namespaces, WATCHED)
    sources, close_sources = _sources(settings)
    running = Controller(cluster, sources, _notifier(settings), SystemClock(), settings)
    endpoints = HttpServer(running.metrics.render, lambda: _problems(cluster))
    try:
        await endpoints.start(settings.address, settings.port)
    except OSError as error:
        where = f"{settings.address}:{settings.port}"
        raise UsageError(
            f"can't listen on {where}: {error.strerror or error}; choose another --address or --port"
        ) from error
    try:
        await _unless(stop, cluster.start())
        return await _lead(settings, cluster, running, stop)
    finally:
        await cluster.stop()
        await close_sources()
        await endpoints.stop()


async def _lead(
    settings: ControllerSettings, cluster: "KubeCluster", running: "Controller", stop: asyncio.Event
) -> int:
    """Run as the leader, if there is an election at all; release the lead at the end."""
    lease = _lease(settings, cluster)
    if stop.is_set():
        return STOPPED
    if lease is None:
        running.metrics.leading.set(1)
        await running.run(stop)
        await cluster.finish()
        return STOPPED
    cluster.seconds_left = lease.seconds_left
    try:
        await _unless(stop, lease.acquire())
        if stop.is_set():
            return STOPPED
        running.metrics.leading.set_function(lambda: float(lease.is_leading()))
        over = asyncio.Event()
        waiting = [
            asyncio.create_task(_then(stop.wait(), over)),
            asyncio.create_task(_then(lease.lost(), over)),
        ]
        try:
            await running.run(over)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        await cluster.finish()
        return STOPPED if stop.is_set() else LOST_LEADERSHIP
    finally:
        await lease.release()


def _lease(settings: ControllerSettings, cluster: "KubeCluster") -> "Lease | None":
    from rollouts.kube.lease import LEASE, Lease
    from rollouts.model.kinds import Ref

    in_cluster = settings.kubeconfig is None and "KUBERNETES_SERVICE_HOST" in os.environ
    if not (in_cluster if settings.leader_elect is None else settings.leader_elect):
        return None
    namespace = settings.lease_namespace or cluster.connection.namespace
    return Lease(cluster.connection, Ref(LEASE, namespace, LEASE_NAME))


def _problems(cluster: "KubeCluster") -> list[str]:
    from rollouts.controller import definition

    if not cluster.synced():
        return cluster.problems() or ["the caches are not synced yet"]
    return definition.findings(cluster)


def _sources(settings: ControllerSettings) -> "tuple[MetricSources, Callable[[], Awaitable[None]]]":
    """
    Return which provider the counters come from, and which answers queries; and how to close them.

    Another provider that only answers queries goes beside Prometheus, or beside `NoCounterSource`.
    """
    from rollouts.metrics.absent import no_sources
    from rollouts.ports import MetricSources

    if not settings.prometheus_url:
        return no_sources(), _nothing_to_close
    source, pages = prometheus(settings), _pages(settings)
    if pages is None:
        return MetricSources(counters=source, queries=source), source.close
    reading = pages

    async def close() -> None:
        await source.close()
        await reading.close()

    per_second = settings.readings_per_second
    return MetricSources(source, source, reading, per_second), close


def _pages(settings: ControllerSettings) -> "HttpPages | None":
    """
    Return what reads the pods' own metrics, if they are to be read.

    Raises:
        UsageError: a file that the settings name can't be read.
    """
    from rollouts.metrics.pages import HttpPages, PageAccess

    if not settings.readings_per_second:
        return None
    _see_readable("--readings-token-file", settings.readings_token_file)
    _see_readable("--readings-ca-file", settings.readings_ca_file)
    if settings.readings_token_file and settings.readings_insecure_skip_verify:
        raise UsageError(
            "--readings-token-file and --readings-insecure-skip-verify: give one of them; whoever answers"
            " would be sent the token"
        )
    access = PageAccess(
        settings.readings_token_file,
        settings.readings_ca_file,
        settings.readings_insecure_skip_verify,
    )
    return HttpPages(access)


def prometheus(settings: ControllerSettings) -> "PrometheusSource":
    """
    Return the Prometheus that the settings name.

    Raises:
        UsageError: a setting of it can't be used, or a file that it names can't be read.
    """
    from rollouts.metrics.access import Access
    from rollouts.metrics.prometheus import PrometheusSource

    _agree(settings)
    ca_file = settings.prometheus_ca_file
    access = Access(
        headers=settings.prometheus_headers,
        token_file=settings.prometheus_token_file,
        username=settings.prometheus_username,
        password_file=settings.prometheus_password_file,
        verify_tls=str(ca_file) if ca_file else not settings.prometheus_insecure_skip_verify,
        cert_file=settings.prometheus_cert_file,
        key_file=settings.prometheus_key_file,
    )
    return PrometheusSource(settings.prometheus_url, access=access)


def _agree(settings: ControllerSettings) -> None:
    """
    See that the settings of Prometheus go together, and that the files are there.

    Raises:
        UsageError: they do not, or one is not.
    """
    password = bool(settings.prometheus_password_file)
    if bool(settings.prometheus_username) != password:
        raise UsageError(
            "--prometheus-username and --prometheus-password-file go together: give both, or neither"
        )
    if password and settings.prometheus_token_file:
        raise UsageError("--prometheus-token-file and --prometheus-password-file: give one of them")
    if settings.prometheus_key_file and not settings.prometheus_cert_file:
        raise UsageError("--prometheus-key-file goes with --prometheus-cert-file: give that too")
    if settings.prometheus_ca_file and settings.prometheus_insecure_skip_verify:
        raise UsageError(
            "--prometheus-ca-file and --prometheus-insecure-skip-verify: give one of them"
        )
    for option, path in (
        ("token", settings.prometheus_token_file),
        ("password", settings.prometheus_password_file),
        ("ca", settings.prometheus_ca_file),
        ("cert", settings.prometheus_cert_file),
        ("key", settings.prometheus_key_file),
    ):
        _see_readable(f"--prometheus-{option}-file", path)


def _see_readable(option: str, path: "Path | None") -> None:
    """
    See that a file can be read, if there is one.

    Raises:
        UsageError: it can't.
    """
    try:
        if path is not None:
            path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{option}: {path} can't be read ({error.strerror or error}); name a file that is there,"
            " and that the controller may read"
        ) from error


def _notifier(settings: ControllerSettings) -> "Notifier":
    """
    Return what tells people.

    Raises:
        UsageError: the file with the webhook's URL can't be read or holds none, or the URL is given twice.
    """
    url = _webhook(settings)
    if not url:
        from rollouts.notify.absent import NoNotifier

        return NoNotifier()
    from rollouts.notify.webhook import WebhookNotifier

    return WebhookNotifier(url)


def _webhook(settings: ControllerSettings) -> str:
    path = settings.notify_webhook_file
    if path is None:
        return settings.notify_webhook
    if settings.notify_webhook:
        raise UsageError("--notify-webhook and --notify-webhook-file: give one of them")
    _see_readable("--notify-webhook-file", path)
    url = path.read_text(errors="replace").strip()
    if not url.startswith(("http://", "https://")) or len(url.split()) != 1:
        raise UsageError(
            f"--notify-webhook-file: {path} holds no URL; write http(s)://HOST/… into it"
        )
    return url


def configure_logging(settings: ControllerSettings) -> None:
    """Make every log line of this process one JSON object (or readable text) on stderr."""
    import logging
    import sys

    import structlog

    # Of a failure its stack is told, and no variable: those hold passwords, and tokens in headers.
    stacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    as_json = settings.log_format == "json"
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    details = [structlog.processors.ExceptionRenderer(stacks)] if as_json else []
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *details,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[settings.log_level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


async def _unless(stop: asyncio.Event, work: Awaitable[None]) -> None:
    """Wait for `work`, but no longer than until `stop`."""
    working, stopping = asyncio.ensure_future(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            await working
    finally:
        working.cancel()
        stopping.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


async def _then(first: Awaitable[object], event: asyncio.Event) -> None:
    await first
    event.set()


async def _nothing_to_close() -> None:
    """Close what is not there."""
