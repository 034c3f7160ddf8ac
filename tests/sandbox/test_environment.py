"""A sandbox begins whole and ends without a trace, whatever ends it."""

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest

from rollouts.errors import Unavailable, UsageError
from rollouts.model.kinds import JSON, SERVICE
from rollouts.sandbox.environment import ControllerArguments, Sandbox
from rollouts.sandbox.state import Member, SandboxState
from rollouts.sandbox.updown import down, stand, up
from tests.waiting import comes_true

pytestmark = pytest.mark.sandbox

READY = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
http.server.HTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
"""
STAND = """
import asyncio, sys
from pathlib import Path
from rollouts.sandbox.environment import Sandbox
from rollouts.sandbox.updown import stand
print("standing up", flush=True)
asyncio.run(stand(Sandbox(Path(sys.argv[1]), controller=None), lambda state: None))
"""
ACCOUNT: JSON = {
    "apiVersion": "v1",
    "kind": "ServiceAccount",
    "metadata": {"name": "rollouts", "namespace": "default"},
}


def small_controller(settings: ControllerArguments) -> list[str]:
    """Return a controller that only says that it is ready."""
    return [sys.executable, "-c", READY, settings.address, str(settings.port)]


def standing(directory: Path) -> list[str]:
    return [sys.executable, "-c", STAND, str(directory)]


def processes_of(directory: Path) -> list[str]:
    """Return the command lines of living processes that name the directory."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and entry.name != str(os.getpid()):
            with suppress(OSError):
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if str(directory) in line:
                    found.append(line)
    return found


def gone(directory: Path, owner: Member | None = None) -> bool:
    """Wait until the directory, its owner and every process that names it are gone."""

    def nothing_left() -> bool:
        return not (directory.exists() or processes_of(directory) or (owner and owner.alive))

    return comes_true(nothing_left, 20)


async def test_everything_answers_and_nothing_is_left(tmp_path: Path) -> None:
    directory = tmp_path / "sandbox"
    async with Sandbox(directory, manifests=[ACCOUNT], controller=small_controller) as sandbox:
        state = SandboxState.read(directory)
        assert state is not None
        assert state.ready
        assert {each.name for each in state.processes} == {"nginx", "prometheus", "controller"}
        assert all(each.alive for each in state.processes)
        assert sandbox.kubeconfig.stat().st_mode & 0o077 == 0
        async with aiohttp.ClientSession() as session:
            for url in (
                f"{sandbox.api.url}/readyz",
                f"{sandbox.prometheus_url}/-/ready",
                sandbox.describe().urls["exporter"],
                sandbox.controller_url,
            ):
                async with session.get(url) as response:
                    assert response.status == 200
    assert not directory.exists()
    assert processes_of(directory) == []
    assert not any(each.alive for each in state.processes)


async def test_the_controller_is_its_service_account_and_people_are_the_admin(
    tmp_path: Path,
) -> None:
    sandbox = Sandbox(tmp_path / "sandbox", manifests=[ACCOUNT], controller=None)
    async with sandbox, aiohttp.ClientSession() as session:
        url = f"{sandbox.api.url}/api/v1/services"
        async with session.get(url) as response:
            assert response.status == 200
        token = sandbox.controller_settings.kubeconfig.read_text().split("token: ")[1].split()[0]
        async with session.get(url, headers={"Authorization": f"Bearer {token}"}) as response:
            assert response.status == 403
        users = [entry.user for entry in sandbox.api.audit if entry.resource == SERVICE.plural]
    assert users == ["kubernetes-admin", "system:serviceaccount:default:rollouts"]


async def test_the_controller_and_prometheus_can_be_ended_and_started_again(
    tmp_path: Path,
) -> None:
    async with Sandbox(tmp_path / "sandbox", controller=small_controller) as sandbox:
        await sandbox.kill_controller()
        await sandbox.stop_prometheus()
        assert {each.name for each in sandbox.describe().processes} == {"nginx"}
        await sandbox.start_prometheus()
        await sandbox.start_controller()
        assert len(sandbox.describe().processes) == 3


async def test_two_stand_side_by_side(tmp_path: Path) -> None:
    async with (
        Sandbox(tmp_path / "one", controller=None) as one,
        Sandbox(tmp_path / "two", controller=None) as two,
    ):
        assert one.network.number != two.network.number
        assert one.ingress_url != two.ingress_url


async def test_a_part_that_fails_ends_all_of_it_and_is_named(tmp_path: Path) -> None:
    directory = tmp_path / "sandbox"
    broken = Sandbox(directory, controller=lambda settings: ["/bin/false"])
    with pytest.raises(Unavailable, match=r"controller ended with status 1; see .*controller\.log"):
        await broken.start()
    assert not directory.exists()


async def test_an_exception_in_the_middle_ends_it(tmp_path: Path) -> None:
    directory = tmp_path / "sandbox"
    with pytest.raises(RuntimeError):
        async with Sandbox(directory, controller=None):
            raise RuntimeError
    assert not directory.exists()


async def test_a_directory_with_somebodys_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    with pytest.raises(UsageError, match="choose an empty directory"):
        await Sandbox(tmp_path, controller=None).start()
    assert (tmp_path / "precious").exists()


async def test_up_stands_by_itself_until_down(tmp_path: Path) -> None:
    directory = tmp_path / "sandbox"
    state = await asyncio.to_thread(up, directory, command=standing(directory))
    assert state.owner.alive
    with pytest.raises(UsageError, match="running"):
        await asyncio.to_thread(up, directory, command=standing(directory))
    assert await asyncio.to_thread(down, directory)
    assert not directory.exists()
    assert processes_of(directory) == []
    assert not await asyncio.to_thread(down, directory)


async def test_up_says_why_it_could_not(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no luck')"]
    with pytest.raises(Unavailable, match="no luck"):
        await asyncio.to_thread(up, tmp_path / "sandbox", command=command)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
async def test_nothing_is_left_however_the_process_ends(
    tmp_path: Path, number: signal.Signals
) -> None:
    directory = tmp_path / "sandbox"
    state = await asyncio.to_thread(up, directory, command=standing(directory))
    os.kill(state.owner.pid, number)
    assert await asyncio.to_thread(gone, directory, state.owner)


def test_a_signal_while_it_starts_ends_it_too(tmp_path: Path) -> None:
    directory = tmp_path / "sandbox"
    with subprocess.Popen(standing(directory), stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.terminate()
        child.wait()
    assert gone(directory)


async def test_stand_tells_when_it_is_ready(tmp_path: Path) -> None:
    told: list[SandboxState] = []

    def ready(state: SandboxState) -> None:
        told.append(state)
        os.kill(os.getpid(), signal.SIGTERM)

    await stand(Sandbox(tmp_path / "sandbox", controller=None), ready)
    assert [state.ready for state in told] == [True]
    assert not (tmp_path / "sandbox").exists()
