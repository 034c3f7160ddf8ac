"""The verbs on a whole sandbox: what CI and a release manager would type, from nothing to nothing."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(180)]

EXAMPLE = Path(__file__).parents[2] / "examples" / "canary-nginx.yaml"
KUBECTL = Path(sys.executable).with_name("kubectl")

Ended = subprocess.CompletedProcess[str]
Run = Callable[..., Ended]


REAL = pytest.param("real", marks=[pytest.mark.control_plane, pytest.mark.nightly])


@pytest.fixture(scope="module", params=["own", REAL])
def control_plane_options(request: pytest.FixtureRequest) -> list[str]:
    """What is said to have the sandbox on its own control plane, and on a real one."""
    if request.param == "own":
        return []
    return ["--control-plane", str(request.getfixturevalue("control_plane_programs"))]


@pytest.fixture(scope="module")
def directory(
    tmp_path_factory: pytest.TempPathFactory, control_plane_options: list[str]
) -> Iterator[Path]:
    """A sandbox that was left running, with the example in it."""
    made = tmp_path_factory.mktemp("sandbox") / "d"
    where = ["--detach", "--dir", str(made), *control_plane_options]
    started = call("sandbox", "up", *where, kubeconfig=Path("none"))
    assert started.returncode == 0, started.stderr
    assert f"export KUBECONFIG={made / 'kubeconfig'}" in started.stdout
    try:
        kubectl = [str(KUBECTL), f"--kubeconfig={made / 'kubeconfig'}", "apply", "-f", str(EXAMPLE)]
        subprocess.run(kubectl, check=True, timeout=60)
        yield made
    finally:
        ended = call("sandbox", "down", "--dir", str(made), kubeconfig=Path("none"))
    assert ended.returncode == 0, ended.stderr
    assert not made.exists()


@pytest.fixture
def rollouts(directory: Path) -> Run:
    def run(*arguments: str) -> Ended:
        return call(*arguments, kubeconfig=directory / "kubeconfig")

    return run


def call(*arguments: str, kubeconfig: Path) -> Ended:
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "COLUMNS": "100"}
    command = [sys.executable, "-m", "rollouts", *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_release_by_hand_from_image_to_abort_to_promotion(rollouts: Run) -> None:
    first = rollouts("wait", "checkout", "--timeout", "60s")
    assert first.returncode == 0, first.stdout + first.stderr

    idle = rollouts("promote", "checkout")
    assert idle.returncode == 1
    assert "refused: no rollout is under way" in idle.stderr

    wanted = rollouts("set-image", "checkout", "web=demo/checkout:2.0", "--output", "json")
    revision = json.loads(wanted.stdout)["hash"]
    late = rollouts("wait", "checkout", "--revision", revision, "--timeout", "1s")
    assert late.returncode == 3, late.stdout + late.stderr

    assert rollouts("pause", "checkout").returncode == 0
    held = rollouts("wait", "checkout", "--fail-on-pause", "--output", "json")
    assert held.returncode == 4
    assert json.loads(held.stdout)["hash"] == revision
    assert "held by a pause command" in rollouts("get", "checkout").stdout

    assert rollouts("abort", "checkout", "--reason", "odd logs").returncode == 0
    stopped = rollouts("wait", "checkout", "--revision", revision)
    assert stopped.returncode == 1
    assert "odd logs" in stopped.stdout

    assert rollouts("retry", "checkout").returncode == 0
    assert rollouts("promote", "checkout", "--full", "--revision", "1").returncode == 1
    assert rollouts("promote", "checkout", "--full", "--revision", "2").returncode == 0
    # Nobody sends anything: the criteria can't say, and --full goes past them.
    done = rollouts("wait", "checkout", "--timeout", "60s")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is promoted" in done.stdout
    assert json.loads(rollouts("get", "checkout", "-o", "json").stdout)["phase"] == "Healthy"
    assert rollouts("list", "-A").stdout.splitlines()[1].split()[:3] == [
        "default",
        "checkout",
        "Healthy",
    ]


def test_a_load_is_counted(rollouts: Run) -> None:
    rollouts("wait", "checkout", "--timeout", "60s")
    loaded = rollouts("sandbox", "load", "--duration", "1s", "--rate", "20", "--output", "json")
    report = json.loads(loaded.stdout)
    assert (report["sent"], report["lost"]) == (20, 0)


def test_a_directory_without_a_sandbox(tmp_path: Path) -> None:
    nothing = call("sandbox", "down", "--dir", str(tmp_path), kubeconfig=Path("none"))
    assert nothing.returncode == 2
    assert "there is no sandbox" in nothing.stderr
