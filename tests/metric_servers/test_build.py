"""How the metric servers are got: what is asked of Go and of apt-get, and what is said without them."""

import os
from pathlib import Path

import pytest

from tests.control_plane.build import CannotBuild
from tests.metric_servers import build
from tests.metric_servers.build import HERE, PROGRAMS, FromDebian, FromGo

FROM_GO = [each for each in PROGRAMS if isinstance(each, FromGo)]


@pytest.fixture(autouse=True)
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the programs come to lie; there are none yet."""
    directory = tmp_path / "metric-servers"
    monkeypatch.setattr(build, "BUILT", directory)
    return directory


def put(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.mark.parametrize("program", FROM_GO, ids=lambda each: each.name)
def test_the_committed_module_is_for_the_version_that_the_program_is_called_by(
    program: FromGo,
) -> None:
    module, _, version = program.name.rpartition("-")
    required = {"prometheus": f"v0.{version.split('.')[0]}{version.split('.')[1]}.0"}
    text = (HERE / program.module / "go.mod").read_text()
    assert f" {required.get(module, f'v{version}')}" in text
    assert f"tool {program.package}\n" in text


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda each: each.name)
def test_what_is_there_is_not_made_again(
    program: FromGo | FromDebian, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(built / program.name, "")
    monkeypatch.setenv("PATH", "")
    assert build.get(program, lambda _: None) == built / program.name


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda each: each.name)
def test_what_is_missing_is_said_and_nothing_is_left(
    program: FromGo | FromDebian, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(CannotBuild, match=r"go is not on PATH|another system"):
        build.get(program, lambda _: None)
    assert list(built.iterdir()) == []


def test_a_build_that_fails_leaves_nothing_and_one_that_does_not_leaves_the_program(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    put(tmp_path / "go", "echo half > $4; exit 7")
    with pytest.raises(CannotBuild, match="has failed with 7"):
        build.get(FROM_GO[0], lambda _: None)
    assert list(built.iterdir()) == []
    put(tmp_path / "go", 'echo "$@" > $4')
    program = build.get(FROM_GO[0], lambda _: None)
    assert FROM_GO[0].package in program.read_text()
    assert list(built.iterdir()) == [program]
