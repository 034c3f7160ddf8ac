"""Where a real control plane is found, and that nothing of it is left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rollouts.errors import Unavailable
from tests.control_plane import processes
from tests.control_plane.build import DEFAULT_VERSION, PROGRAMS
from tests.control_plane.processes import Absent, ControlPlane, binaries, is_alive
from tests.waiting import comes_true


def programs(directory: Path, script: str) -> Path:
    directory.mkdir(parents=True)
    for name in PROGRAMS:
        (directory / name).write_text(f"#!/bin/sh\n{script}\n")
        (directory / name).chmod(0o755)
    return directory


@pytest.fixture(autouse=True)
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where ours are looked for."""
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setattr(processes, "BUILT", tmp_path / "built")
    return tmp_path / "built"


def test_without_any_it_says_what_makes_them() -> None:
    with pytest.raises(Absent, match="`make control-plane` builds one"):
        binaries()


def test_ours_are_found(built: Path) -> None:
    ours = programs(built / DEFAULT_VERSION, "true")
    assert binaries() == ours


def test_the_assets_of_the_field_come_first(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs(built / DEFAULT_VERSION, "true")
    assets = programs(tmp_path / "assets", "true")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    assert binaries() == assets
    (assets / "kube-controller-manager").unlink()
    with pytest.raises(Absent, match=r"KUBEBUILDER_ASSETS=\S+ lacks one of etcd"):
        binaries()


def test_one_that_ends_at_once_is_told_with_its_logs(tmp_path: Path) -> None:
    plane = ControlPlane(programs(tmp_path / "bin", "echo no; exit 1"), tmp_path / "run")
    with (
        pytest.raises(Unavailable, match=r"the API server does not answer; see .*etcd\.log"),
        plane,
    ):
        pass
    assert plane._plane.running == {}


STARTS_ONE_AND_WAITS = """
import sys, time
from pathlib import Path
from tests.control_plane.processes import ControlPlane
plane = ControlPlane(Path(sys.argv[1]), Path(sys.argv[2]))
plane._thread.start()
plane._do(plane._plane.run("etcd"))
print(plane._plane.running["etcd"].pid, flush=True)
sys.stdin.read()
"""


def test_they_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    sleeping = programs(tmp_path / "bin", "exec sleep 1000")
    child = subprocess.Popen(
        [sys.executable, "-c", STARTS_ONE_AND_WAITS, str(sleeping), str(tmp_path / "run")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    with child.stdin, child.stdout:
        pid = int(child.stdout.readline())
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    assert comes_true(lambda: not is_alive(pid))
