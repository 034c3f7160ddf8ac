import asyncio
import json
import shutil
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from aiohttp import web

from rollouts.errors import Unavailable
from rollouts.kube.connection import Connection
from rollouts.model.kinds import JSON
from tests.fakes.api_server import FakeApiServer, status


def write_kubeconfig(directory: Path, server: JSON, user: JSON) -> Path:
    config = {
        "current-context": "test",
        "contexts": [
            {"name": "test", "context": {"cluster": "test", "user": "test", "namespace": "shop"}}
        ],
        "clusters": [{"name": "test", "cluster": server}],
        "users": [{"name": "test", "user": user}],
    }
    path = directory / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


async def test_an_exec_plugin_gives_the_token_and_gives_it_anew_when_it_expired(
    api: FakeApiServer, tmp_path: Path
) -> None:
    count, plugin = tmp_path / "count", tmp_path / "plugin.py"
    count.write_text("0")
    plugin.write_text(
        "import json, pathlib\n"
        f"count = pathlib.Path({str(count)!r})\n"
        "count.write_text(str(int(count.read_text()) + 1))\n"
        "print(json.dumps({'apiVersion': 'client.authentication.k8s.io/v1',\n"
        "    'kind': 'ExecCredential', 'status': {'token': 'token-' + count.read_text()}}))\n"
    )
    command = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": [str(plugin)],
        "interactiveMode": "Never",
    }
    kubeconfig = write_kubeconfig(tmp_path, {"server": api.url}, {"exec": command})
    connection = Connection(kubeconfig)
    accepted = ["Bearer token-1"]
    api.faults.append(
        lambda r: None if r.headers["Authorization"] in accepted else status(401, "expired")
    )
    await connection.request("GET", "/api/v1/pods")
    accepted[:] = ["Bearer token-2"]
    await connection.request("GET", "/api/v1/pods")
    assert count.read_text() == "2"
    assert connection.namespace == "shop"
    await connection.close()


def openssl(directory: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


def sign(directory: Path, name: str, subject: str, extension: str) -> None:
    (directory / f"{name}.ext").write_text(extension)
    openssl(
        directory,
        *("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key"),
        *("-out", f"{name}.csr", "-subj", subject),
    )
    openssl(
        directory,
        *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key"),
        *("-CAcreateserial", "-days", "2", "-out", f"{name}.crt", "-extfile", f"{name}.ext"),
    )


@pytest.fixture
async def tls_server(tmp_path: Path) -> AsyncIterator[str]:
    """A server that lets in who has a certificate of our authority, and says who it was."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the certificates, is not installed")
    openssl(
        tmp_path,
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=ca"),
        *("-keyout", "ca.key", "-out", "ca.crt", "-addext", "keyUsage=critical,keyCertSign"),
    )
    sign(tmp_path, "server", "/CN=server", "subjectAltName=IP:127.0.0.1\n")
    sign(tmp_path, "client", "/O=system:masters/CN=ann", "extendedKeyUsage=clientAuth\n")

    async def answer(request: web.Request) -> web.Response:
        assert request.transport is not None
        subject = request.transport.get_extra_info("peercert")["subject"]
        return web.json_response({"user": dict(pair for (pair,) in subject)["commonName"]})

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tmp_path / "ca.crt")
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    context.verify_mode = ssl.CERT_REQUIRED
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_a_client_certificate_says_who_we_are(tls_server: str, tmp_path: Path) -> None:
    cluster = {"server": tls_server, "certificate-authority": "ca.crt"}
    user = {"client-certificate": "client.crt", "client-key": "client.key"}
    connection = Connection(write_kubeconfig(tmp_path, cluster, user))
    assert await connection.request("GET", "/version") == {"user": "ann"}
    await connection.close()


async def test_an_api_server_of_an_unknown_authority_is_not_trusted(
    tls_server: str, tmp_path: Path
) -> None:
    connection = Connection(write_kubeconfig(tmp_path, {"server": tls_server}, {"token": "x"}))
    with pytest.raises(Unavailable, match="certificate"):
        await connection.request("GET", "/version")
    await connection.close()


async def test_an_answer_that_does_not_come_is_given_up(api: FakeApiServer, tmp_path: Path) -> None:
    connection = Connection(api.kubeconfig(tmp_path))
    api.served.clear()
    answer = asyncio.Event()

    async def wait(request: web.Request) -> web.StreamResponse:
        await answer.wait()
        return web.Response(text=json.dumps({}))

    api._get = wait  # type: ignore[method-assign,assignment]
    with pytest.raises(Unavailable, match="did not answer in time"):
        await connection.request("GET", "/api/v1/pods", timeout_seconds=0.05)
    answer.set()
    await connection.close()
