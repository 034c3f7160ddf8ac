"""
One API server: credentials, requests and streams of plain JSON.

Only here is the official client touched: its configuration (kubeconfig with tokens,
client certificates, exec plugins and OIDC; in a cluster the service account, whose token
is read anew every minute) and its REST layer. Errors leave as our own tree; nothing is
retried here, except once after credentials had expired (HTTP 401).
"""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import structlog
from kubernetes.aio import config as client_config
from kubernetes.aio.client import ApiClient, Configuration

from rollouts.backoff import retry_after_seconds
from rollouts.errors import RolloutsError, Unavailable, UsageError
from rollouts.kube import deep_json
from rollouts.kube.api_errors import Expired, api_error
from rollouts.model.kinds import JSON, FrozenJSON
from rollouts.proxies import is_proxied

log = structlog.get_logger(__name__)

APPLY_PATCH = "application/apply-patch+yaml"
"""The content type of a server-side apply: every JSON document is YAML."""
MERGE_PATCH = "application/merge-patch+json"

REQUEST_TIMEOUT_SECONDS = 10.0
WRITE_TIMEOUT_SECONDS = 35.0
"""
How long a write may take: an API server works on one for 34 s at the most.

Most of that is what admission webhooks take: 10 s each unless they say otherwise, also those whose
failure is ignored. Who gives up sooner never writes anything while such a one hangs.
"""
SILENT_SECONDS = 90.0
"""
How long a watch may be silent: an API server sends a bookmark every minute.

One that has sent nothing for longer may have come back from a backup, and not have reached the
resourceVersion that is watched from.
"""
USER_AGENT = "rollouts"
_NO_KUBECONFIG = (
    "there is no kubeconfig, and no service account: set KUBECONFIG or give --kubeconfig; `rollouts sandbox up` makes a"
    " cluster to try"
)

_load_kube_config: Any = client_config.load_kube_config
_load_incluster_config: Any = client_config.load_incluster_config

_CONNECTION_ERRORS = (aiohttp.ClientError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    timeout: aiohttp.ClientTimeout
    query: Mapping[str, str | int] = field(default_factory=dict)
    body: FrozenJSON | None = None
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class Connection:
    """
    A connection to the API server that a kubeconfig, or the pod we run in, names.

    `kubeconfig` None means what kubectl would take: `KUBECONFIG`, `~/.kube/config`, or
    else the service account of the pod. Opened by the first request.
    """

    def __init__(self, kubeconfig: Path | None = None, context: str | None = None) -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self._client: Any = None
        self._opening = asyncio.Lock()
        self.host = ""
        self.namespace = "default"

    async def open(self) -> None:
        """
        Read the credentials; nothing is sent yet.

        Raises:
            UsageError: there is no kubeconfig, or it can't be used.
        """
        async with self._opening:
            if self._client is None:
                configuration = Configuration()
                await self._load_credentials(configuration)
                self.host = str(configuration.host)
                self._client = _client(configuration)

    async def close(self) -> None:
        """Give back every connection; a stream that is still read ends with an error."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: FrozenJSON | None = None,
        content_type: str = "application/json",
        timeout_seconds: float | None = None,
    ) -> JSON:
        """
        Return the JSON object that the API server answers; None for the time that a read or write may take.

        Raises:
            RolloutsError: as `Cluster.write` says; `Expired` for HTTP 410.
        """
        usual = REQUEST_TIMEOUT_SECONDS if method == "GET" else WRITE_TIMEOUT_SECONDS
        timeout = aiohttp.ClientTimeout(total=timeout_seconds or usual)
        asked = f"{method} {path}"
        try:
            request = _Request(method, path, timeout, query or {}, body, content_type)
            async with await self._send(request) as response:
                text = await response.text(errors="replace")
        except _CONNECTION_ERRORS as error:
            raise self._unavailable(asked, error) from error
        answer = _object_in(text)
        if response.status >= 300:
            raise _refusal(response, answer, asked)
        if answer is None:
            raise Unavailable(f"{asked}: {self.host} answered something other than a JSON object")
        if answer.get("kind") == "Status" and answer.get("status") == "Failure":
            # Such as of an eviction (HTTP 201) where two PodDisruptionBudgets are about the pod.
            raise api_error(int(answer.get("code") or 500), answer, asked=asked)
        return answer

    @asynccontextmanager
    async def stream(
        self,
        path: str,
        query: Mapping[str, str | int],
        *,
        longest_seconds: float,
        silent_seconds: float | None = None,
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """
        Read an answer that comes line by line, for `longest_seconds` at the most.

        The lines end when the API server closes; an incomplete last one is dropped.

        Raises:
            RolloutsError: as `request`; `Unavailable` also when the stream breaks; `Expired` when
                nothing comes for `silent_seconds`.
        """
        timeout = aiohttp.ClientTimeout(
            total=longest_seconds, sock_connect=REQUEST_TIMEOUT_SECONDS, sock_read=silent_seconds
        )
        asked = f"GET {path}"
        try:
            # Since 1.37 some watches come compressed, in parts of which aiohttp before 3.14 reads the first.
            headers = {"Accept-Encoding": "identity"}
            request = _Request("GET", path, timeout, query, headers=headers)
            async with await self._send(request) as response:
                if response.status >= 300:
                    answer = _object_in(await response.text(errors="replace"))
                    raise _refusal(response, answer, asked)
                async with aclosing(_lines(response.content)) as lines:
                    yield lines
        except aiohttp.SocketTimeoutError as error:
            raise Expired(
                f"{asked}: the API server sent nothing for {silent_seconds:g} s"
            ) from error
        except _CONNECTION_ERRORS as error:
            raise self._unavailable(asked, error) from error

    async def _send(self, request: _Request) -> aiohttp.ClientResponse:
        await self.open()
        response = await self._send_once(request)
        if response.status != 401 or not await self._renew_credentials():
            return response
        response.release()
        return await self._send_once(request)

    async def _send_once(self, request: _Request) -> aiohttp.ClientResponse:
        method, url, headers, data, _ = await self._client.param_serialize(
            request.method,
            request.path,
            query_params=dict(request.query),
            header_params={
                "Accept": "application/json",
                "Content-Type": request.content_type,
                **request.headers,
            },
            body=None if request.body is None else dict(request.body),
            auth_settings=["BearerToken"],
        )
        answer = await self._client.call_api(
            method, url, headers, body=data, _request_timeout=request.timeout
        )
        response: aiohttp.ClientResponse = answer.response
        return response

    async def _renew_credentials(self) -> bool:
        """Read the credentials again, and return whether they have changed."""
        configuration = self._client.configuration
        before = _credentials(configuration)
        try:
            await self._load_credentials(configuration)
        except RolloutsError as error:
            log.warning("credentials could not be renewed", problem=str(error))
            return False
        if configuration.cert_file:
            context = self._client.rest_client.ssl_context
            context.load_cert_chain(configuration.cert_file, keyfile=configuration.key_file)
        return _credentials(configuration) != before

    async def _load_credentials(self, configuration: Any) -> None:
        path = self._kubeconfig_path()
        try:
            if path is None:
                _load_incluster_config(configuration)
                self.namespace = _service_account_namespace()
                return
            loader = await _load_kube_config(
                config_file=path,
                context=self._context,
                client_configuration=configuration,
                persist_config=False,
            )
            chosen = loader.current_context["context"]
            self.namespace = str(chosen.get("namespace") or "default")
        except Exception as error:  # the client raises what its parsers raise
            if path is None:
                raise UsageError(_NO_KUBECONFIG) from error
            raise UsageError(
                f"kubeconfig {path} can't be used: {error}; see `kubectl config view`"
            ) from error

    def _kubeconfig_path(self) -> str | None:
        """Return the kubeconfig's path (or several, as in KUBECONFIG), or None in a pod."""
        if self._kubeconfig is not None:
            if not self._kubeconfig.is_file():
                raise _absent(self._kubeconfig, "--kubeconfig")
            return str(self._kubeconfig)
        named = os.environ.get("KUBECONFIG")
        if named:
            if not any(Path(part).is_file() for part in named.split(os.pathsep) if part):
                raise _absent(named, "KUBECONFIG")
            return named
        usual = Path.home() / ".kube" / "config"
        return str(usual) if usual.is_file() else None

    def _unavailable(self, asked: str, error: BaseException) -> Unavailable:
        if isinstance(error, TimeoutError):
            return Unavailable(f"{asked}: {self.host} did not answer in time")
        return Unavailable(f"{asked}: {self.host}: {error or type(error).__name__}")


def _refusal(
    response: aiohttp.ClientResponse, answer: FrozenJSON | None, asked: str
) -> RolloutsError:
    after = retry_after_seconds(response.headers.get("Retry-After"), now=datetime.now(UTC))
    return api_error(response.status, answer or {}, asked=asked, after_seconds=after)


def _absent(path: object, source: str) -> UsageError:
    return UsageError(
        f"there is no kubeconfig at {path}, which {source} names; correct or unset it"
    )


def _client(configuration: Any) -> Any:
    """Return the official client on a session that notices a dead peer, and spares loopback a proxy."""
    client = ApiClient(configuration=configuration)
    client.user_agent = USER_AGENT
    client.rest_client.pool_manager = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=0, ssl=client.rest_client.ssl_context, socket_factory=_kept_alive_socket
        ),
        trust_env=is_proxied(configuration.host),
    )
    return client


def _kept_alive_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """Return a socket that finds out within a minute that the other side has vanished."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 20), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return made


def _credentials(configuration: Any) -> tuple[str, str]:
    """Return what identifies the present credentials, to tell whether renewing changed them."""
    return str(configuration.api_key.get("BearerToken", "")), str(configuration.cert_file or "")


def _service_account_namespace() -> str:
    mounted = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
    return mounted.read_text().strip() if mounted.is_file() else "default"


def _object_in(text: str) -> JSON | None:
    try:
        parsed = deep_json.loads(text)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


async def _lines(content: aiohttp.StreamReader) -> AsyncGenerator[bytes]:
    """Yield complete lines of any length."""
    rest = b""
    async for chunk in content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield line
