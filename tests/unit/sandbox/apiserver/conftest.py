"""A store, a server around it, and the clients that are tried on it."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import yaml

from rollouts.model.kinds import CRD, JSON
from rollouts.sandbox.apiserver.server import ApiServer
from rollouts.sandbox.apiserver.store import Store

KUBECTL = Path(sys.executable).with_name("kubectl")


@dataclass(frozen=True)
class Ran:
    """What a kubectl run left behind."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


Kubectl = Callable[..., Awaitable[Ran]]


def crd_body() -> JSON:
    """A definition that has one of everything that a schema can say."""
    return {
        "metadata": {"name": "gadgets.example.dev"},
        "spec": {
            "group": "example.dev",
            "scope": "Namespaced",
            "names": {"plural": "gadgets", "kind": "Gadget", "shortNames": ["gd"]},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": _schema()},
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": ".spec.replicas",
                            "statusReplicasPath": ".status.replicas",
                            "labelSelectorPath": ".status.selector",
                        },
                    },
                    "additionalPrinterColumns": [
                        {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
                        {"name": "Since", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                        {"name": "Size", "type": "integer", "jsonPath": ".spec.size", "priority": 1},
                    ],
                }
            ],
        },
    }  # fmt: skip


def _schema() -> JSON:
    return {
        "type": "object",
        "description": "A thing to test with.",
        "required": ["spec"],
        "properties": {
            "spec": {
                "type": "object",
                "description": "What is wanted.",
                "required": ["size"],
                "properties": {
                    "size": {"type": "integer", "minimum": 0, "maximum": 100, "description": "How big."},
                    "replicas": {"type": "integer", "default": 1},
                    "colour": {"type": "string", "enum": ["red", "blue"]},
                    "nick": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5},
                    "wait": {"x-kubernetes-int-or-string": True},
                    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                    "tags": {"type": "object", "additionalProperties": {"type": "string"}},
                    "parts": {
                        "type": "array",
                        "maxItems": 3,
                        "x-kubernetes-list-type": "map",
                        "x-kubernetes-list-map-keys": ["name"],
                        "items": {
                            "type": "object",
                            "required": ["name"],
                            "properties": {
                                "name": {"type": "string"},
                                "weight": {"type": "integer", "default": 7},
                                "fixed": {"type": "string"},
                            },
                            "x-kubernetes-validations": [
                                {"rule": "!has(oldSelf.fixed) || self.fixed == oldSelf.fixed", "message": "fixed stays"}
                            ],
                        },
                    },
                    "steps": {"type": "array", "items": {"type": "string"}},
                },
                "x-kubernetes-validations": [
                    {"rule": "!has(self.nick) || self.size > 0", "message": "a named gadget has a size"},
                    {"rule": "self.size >= oldSelf.size", "messageExpression": "'size was ' + string(oldSelf.size)"},
                ],
            },
            "status": {
                "type": "object",
                "x-kubernetes-preserve-unknown-fields": True,
            },
        },
    }  # fmt: skip


def gadget(name: str = "one", **spec: object) -> JSON:
    return {
        "apiVersion": "example.dev/v1",
        "kind": "Gadget",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"size": 5} | spec,
    }


def deployment(name: str = "web", image: str = "demo:1") -> JSON:
    container = {"name": "app", "image": image, "ports": [{"containerPort": 8080}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [container]},
            },
        },
    }


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def gadgets(store: Store) -> Store:
    """A store that knows the kind Gadget."""
    store.create(CRD, crd_body())
    return store


@pytest.fixture
async def server(store: Store) -> AsyncIterator[ApiServer]:
    server = ApiServer(store)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def http(server: ApiServer) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(server.url) as session:
        yield session


@pytest.fixture
def kubeconfig(server: ApiServer, tmp_path: Path) -> Path:
    return write_kubeconfig(tmp_path / "kubeconfig", server.url)


def write_kubeconfig(path: Path, url: str, token: str = "anything") -> Path:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "it", "cluster": {"server": url}}],
        "users": [{"name": "me", "user": {"token": token}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "me", "namespace": "default"}}],
        "current-context": "it",
    }  # fmt: skip
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.fixture
def kubectl(kubeconfig: Path, tmp_path: Path) -> Kubectl:
    """Run the real kubectl; `stdin` is an object, or several, to feed it as YAML."""

    async def run(*arguments: str, stdin: object = None, config: Path = kubeconfig) -> Ran:
        process = await asyncio.create_subprocess_exec(
            KUBECTL,
            *arguments,
            env={**os.environ, "HOME": str(tmp_path), "KUBECONFIG": str(config)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        documents = stdin if isinstance(stdin, list) else [stdin] if stdin else []
        fed = yaml.safe_dump_all(documents).encode()
        async with asyncio.timeout(60):
            out, err = await process.communicate(fed)
        return Ran(process.returncode or 0, out.decode(), err.decode())

    return run
