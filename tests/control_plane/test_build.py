"""How the real control plane is built: what is asked of Go, and what is said without it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.control_plane import build
from tests.control_plane.build import DEFAULT_VERSION, HERE, PROGRAMS, CannotBuild
from tests.control_plane.processes import is_alive
from tests.waiting import comes_true


@pytest.fixture(autouse=True)
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the programs come to lie; there are none yet."""
    directory = tmp_path / "control-plane"
    monkeypatch.setattr(build, "BUILT", directory)
    return directory


def test_the_committed_module_is_for_the_default_version() -> None:
    text = (HERE / "go.mod").read_text()
    assert f"\tk8s.io/kubernetes v{DEFAULT_VERSION}\n" in text
    staging = re.findall(r"^\t(k8s\.io/\S+) => (k8s\.io/\S+) (\S+)$", text, re.MULTILINE)
    assert len(staging) > 30
    assert all(name == same and v == f"v0{DEFAULT_VERSION[1:]}" for name, same, v in staging)


def test_another_version_replaces_the_staging_modules_of_its_release() -> None:
    local = {"Old": {"Path": "k8s.io/api"}, "New": {"Path": "./staging/src/k8s.io/api"}}
    other = {"Old": {"Path": "example.dev/x"}, "New": {"Path": "example.dev/y", "Version": "v1"}}
    text = build.go_mod({"Go": "1.24.0", "Replace": [local, other]}, "1.34.4")
    assert "go 1.24.0\n" in text
    assert "require k8s.io/kubernetes v1.34.4\n" in text
    assert "\tk8s.io/api => k8s.io/api v0.34.4\n" in text
    assert "example.dev" not in text


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_documents_name_each_version_that_is_tested(document: str) -> None:
    root = HERE.parents[1]
    found = re.search(
        r"^OTHER_CONTROL_PLANES \?= (.+)$", (root / "Makefile").read_text(), re.MULTILINE
    )
    assert found
    told = set(re.findall(r"\b1\.\d+\.\d+\b", (root / document).read_text()))
    assert {DEFAULT_VERSION, *found[1].split()} <= told


def test_what_is_built_is_not_built_again(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for program in PROGRAMS:
        path = built / "1.36.3" / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o755)
    monkeypatch.setenv("PATH", "")
    assert build.build("1.36.3") == built / "1.36.3"


@pytest.mark.parametrize("version", ["1.36", "v1.36.3", "latest", "../1.36.3"])
def test_a_version_has_three_numbers(version: str) -> None:
    with pytest.raises(CannotBuild, match=re.escape(version)):
        build.build(version)


def test_without_go_it_says_so_and_leaves_nothing(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(CannotBuild, match="go is not on PATH"):
        build.build("1.36.3")
    assert not built.exists()


def fake_go(directory: Path, toolchain: str, then: str = "exit 7") -> None:
    """Put a Go that is 1.20 on PATH, which knows of a release that needs 1.26, and does `then` to build it."""
    release = directory / "release.mod"
    script = f"""#!/bin/sh
case "$1 $2" in
"mod download") echo '{{"GoMod": "{release}"}}' ;;
"mod edit") echo '{{"Go": "1.26.0", "Replace": []}}' ;;
"env -json") echo '{{"GOVERSION": "go1.20.3", "GOTOOLCHAIN": "{toolchain}"}}' ;;
*) {then} ;;
esac
"""
    path = directory / "go"
    path.write_text(script)
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("toolchain", "told"),
    [
        pytest.param("local", r"needs Go 1\.26\.0, and go is 1\.20\.3", id="a Go that is too old"),
        pytest.param("auto", r"`go build .*` has failed with 7", id="a build that fails"),
    ],
)
def test_what_can_t_be_built_is_named_and_leaves_nothing(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toolchain: str, told: str
) -> None:
    fake_go(tmp_path, toolchain)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(CannotBuild, match=told):
        build.build("1.36.3")
    assert list(built.iterdir()) == []


MAIN = """
import sys
from pathlib import Path
from tests.control_plane import build
build.BUILT = Path(sys.argv[1])
build.main("1.36.3")
"""


def test_who_is_told_to_stop_leaves_nothing_behind(built: Path, tmp_path: Path) -> None:
    fake_go(tmp_path, "auto", 'sleep 1000 & echo $! > "$GOTMPDIR/../../compiler"; wait')
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    asked = [sys.executable, "-c", MAIN, str(built)]
    with subprocess.Popen(
        asked, env={**os.environ, "PATH": path}, stderr=subprocess.PIPE, text=True
    ) as building:
        compiler = built / "compiler"
        assert comes_true(lambda: compiler.exists() and compiler.read_text().endswith("\n"))
        pid = int(compiler.read_text())
        building.terminate()
        _, told = building.communicate()
    assert (building.returncode, told) == (1, "control plane: stopped\n")
    assert list(built.iterdir()) == [compiler]
    assert comes_true(lambda: not is_alive(pid))
